#!/usr/bin/env python3
"""Paint the style pictures in `examples/style/`: thousands of brush strokes along the flow of an invented scene.

A scene says which color and which direction belongs to every point. Strokes are laid over it in layers, coarse to
fine, each following the direction until the color changes, and the paint's thickness is lit from the upper left
(after Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes", SIGGRAPH 1998).

    scripts/paint                  paint all scenes into examples/style/
    scripts/paint swirls -o DIR    paint one of them elsewhere
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import Image

Array = np.ndarray[Any, Any]
SHAPE = (768, 960)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]] / SHAPE[0]  # of every pixel, in units of the picture's height
SUPERSAMPLING = 2  # strokes are painted at twice the size, then reduced
SPACING = 0.7  # between the samples of a stroke, in canvas pixels: small enough to leave no holes


@dataclass(frozen=True)
class Layer:
    """One pass over the canvas with one brush; lengths and widths are in pixels of the finished picture."""

    width: float
    length: float
    coverage: float  # how many times the strokes would cover the canvas
    jitter: float = 0.06  # how far a stroke's color strays from the scene's
    detail: float = 0.0  # 0: strokes everywhere; 1: only where the scene has detail


@dataclass(frozen=True)
class Scene:
    """What to paint: color `[H, W, 3]` in [0, 1], direction `[H, W, 2]` (unit vectors, x then y), and the brushes."""

    color: Array
    direction: Array
    layers: tuple[Layer, ...]
    tolerance: float = 0.25  # a stroke ends where the scene's color differs by more than this


def hex_colors(text: str) -> Array:
    """`[N, 3]` in [0, 1] from "1b2a49 ffd166 ..."."""
    return np.array([list(bytes.fromhex(code)) for code in text.split()]) / 255


def ramp(position: Array, colors: Array) -> Array:
    """Colors along a palette: position in [0, 1], `[...]` to `[..., 3]`."""
    knots = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(position, knots, channel) for channel in colors.T], axis=-1)


def noise(rng: Generator, scale: tuple[float, float], shape: tuple[int, int] = SHAPE) -> Array:
    """Smooth Gaussian noise of mean 0 and deviation 1, periodic, blurred by `scale` pixels down and across."""
    down = np.exp(-2 * (np.pi * scale[0] * np.fft.fftfreq(shape[0])) ** 2)
    across = np.exp(-2 * (np.pi * scale[1] * np.fft.rfftfreq(shape[1])) ** 2)
    return standardized(np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * down[:, None] * across, shape))


def standardized(field: Array) -> Array:
    return (field - field.mean()) / field.std()


def unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def along(field: Array) -> Array:
    """The directions `[H, W, 2]` along the level lines of a field `[H, W]`."""
    down, across = np.gradient(field)
    return unit(np.stack([-down, across], axis=-1))


def lookup(field: Array, points: Array) -> Array:
    """The field's values at points `[..., 2]` (x, then y); beyond the border, the nearest pixel's."""
    column, row = np.moveaxis(np.clip(points, 0, np.array(SHAPE[::-1]) - 1).astype(int), -1, 0)
    return field[row, column]


def streaks(rng: Generator, direction: Array, scale: float, length: int) -> Array:
    """Noise smeared by about `length` pixels along the direction, `[H, W]`, mean 0 and deviation 1.

    A line integral convolution by doubling: the sum over 2n steps is that over n steps here and n steps further on.
    """
    here = np.moveaxis(np.indices(SHAPE)[::-1], 0, -1)
    smeared, step = noise(rng, (scale, scale)), direction
    for _ in range(round(np.log2(length))):
        ahead = here + np.rint(step)
        smeared, step = smeared + lookup(smeared, ahead), step + lookup(step, ahead)
    return standardized(smeared)


NIGHT = hex_colors("0b1436 14265f 1d4590 2b6bb0 4f97c4 8fc3cf d8e0b8")
GLOW = hex_colors("fdf6d0 fbe27c f4b93a df8420 8a6a3a")


def swirls(rng: Generator) -> Scene:
    """A night of blue currents that wind round yellow lights, over a lake that mirrors them."""
    lights = [(0.95, 0.21, 0.13), (0.20, 0.15, 0.075), (0.55, 0.10, 0.05), (0.12, 0.44, 0.06), (0.73, 0.47, 0.05)]
    lights += [(1.14, 0.50, 0.065), (0.36, 0.53, 0.04)]
    whirls = [(0.45, 0.33, 0.17, 1.0), (0.75, 0.30, 0.09, -1.0), (0.22, 0.31, 0.09, -1.0), (0.97, 0.49, 0.10, -1.0)]
    flow, pale = np.stack([np.full(SHAPE, 0.5), 0.3 * np.cos(5 * X + 3 * Y + 2)], axis=-1), np.zeros(SHAPE)
    for cx, cy, radius, spin in whirls + [(*light, 1.0) for light in lights]:
        dx, dy = X - cx, Y - cy
        pull = np.exp(-((np.hypot(dx, dy) / (1.5 * radius)) ** 2))
        flow += 4 * pull[..., None] * unit(np.stack([-spin * dy - 0.25 * dx, spin * dx - 0.25 * dy], axis=-1))
        pale += pull
    flow = unit(flow)
    tone = 0.46 + 0.15 * streaks(rng, flow, 5, 128) + 0.07 * streaks(rng, flow, 2, 128) + 0.16 * pale - 0.2 * Y
    color = ramp(tone, NIGHT)
    ragged = 0.10 * streaks(rng, flow, 3, 64)
    for cx, cy, radius in lights:
        distance = np.hypot(X - cx, Y - cy) / radius + ragged
        rings = distance + 0.12 * np.sin(11 * distance)
        color += (ramp(rings / 1.5, GLOW) - color) * np.clip(3.2 - 2.2 * distance, 0, 1)[..., None]
    ridge, bank = 0.66 - 0.05 * np.sin(2.6 * X + 0.4) - 0.03 * np.sin(7 * X + 1), 0.74
    slope = along(Y - ridge * np.clip((bank - Y) / 0.08, 0, 1))
    hills = ramp(0.35 + 0.2 * streaks(rng, slope, 4, 64), hex_colors("070d20 0d2436 1c4146 4f6f4a"))
    ripples, lake = reflections(rng, lights, bank)
    ground = [(bank < Y)[..., None], (ridge < Y)[..., None]]
    color, flow = np.select(ground, [lake, hills], color), np.select(ground, [ripples, slope], flow)
    layers = (Layer(24, 110, 2.0), Layer(12, 90, 2.0, 0.08), Layer(6.5, 60, 1.2, 0.11), Layer(3.5, 30, 0.35, 0.14, 0.8))
    return Scene(np.clip(color, 0, 1), flow, layers)


def reflections(rng: Generator, lights: list[tuple[float, float, float]], bank: float) -> tuple[Array, Array]:
    """Direction and color of a lake below `bank` that mirrors lights (x, y, radius) as broken columns."""
    ripples = along(Y + 0.006 * noise(rng, (10, 40)))
    chop = streaks(rng, ripples, 3, 64)
    lake = ramp(0.34 + 0.15 * chop, NIGHT)
    for cx, _, radius in lights:
        width = radius * (0.5 + 0.8 * (Y - bank) / (1 - bank))
        gleam = np.exp(-(((X - cx) / width) ** 2)) * (0.43 + 6 * radius) + 0.26 * chop
        lake += (ramp(1.35 - gleam, GLOW) - lake) * np.clip(5 * (gleam - 0.62), 0, 1)[..., None]
    return ripples, lake


def embers(rng: Generator) -> Scene:
    """A burning sky in long waving bands over a dark shore."""
    warp = 0.055 * noise(rng, (70, 130)) + 0.04 * np.sin(5 * X + 6 * Y)
    flow = along(Y + warp)
    fine = streaks(rng, flow, 4, 256)
    bands = 0.5 + 0.5 * np.sin(27 * (Y + warp) + 0.8 * noise(rng, (60, 60)) + 0.5 * fine)
    heat = np.clip(0.10 + 0.95 * Y / 0.66, 0, 1)
    fire = (0.68 * bands + 0.26) * heat + 0.07 * fine
    sky = ramp(fire, hex_colors("4a0d1c 86191f c0311b e25a1d f08a24 f6b63c fbe08a"))
    rift = np.clip(2.5 * (streaks(rng, flow, 9, 256) - 1.1), 0, 0.9)[..., None]
    sky += (ramp(0.5 + 0.3 * fine, hex_colors("173f52 2f7480 7fb0a0")) - sky) * rift
    shore = 0.70 + 0.05 * np.sin(4 * X + 1) + 0.02 * noise(rng, (20, 40))
    land = (shore < Y)[..., None]
    furrows = along(Y - shore + 0.3 * warp + 0.3 * (X - 0.6) * np.clip(Y - shore, 0, 1))
    soil = 0.42 + 0.20 * streaks(rng, furrows, 6, 128) + 0.10 * streaks(rng, furrows, 2.5, 64)
    ground = ramp(soil, hex_colors("120a1a 26132e 45203f 1d4050 7a2f38 c8642c"))
    layers = (Layer(28, 170, 2.0), Layer(16, 130, 2.0, 0.08), Layer(9, 90, 1.0, 0.12), Layer(5, 60, 0.3, 0.14, 0.6))
    return Scene(np.clip(np.where(land, ground, sky), 0, 1), np.where(land, furrows, flow), layers)


def facets(rng: Generator) -> Scene:
    """Shards between straight cuts and arcs, each shaded away from its newest edge, with broken dark contours."""
    palette = hex_colors("c8923c e3c48a 94602e 46535a 232a33 7d958f b04a33 f0e3c4 2f5d73 6a7046 d9a441 8fa6ad")
    cells = [np.ones(SHAPE, dtype=bool)]
    edge, shade, contour = np.full(SHAPE, np.inf), np.zeros(SHAPE), np.zeros((*SHAPE, 2))
    for _ in range(46):
        cells.sort(key=np.count_nonzero)
        cell = cells.pop()
        inside = np.flatnonzero(cell)
        cx, cy = (axis.flat[inside[int(rng.uniform(0.35, 0.65) * len(inside))]] for axis in (X, Y))
        turn, radius = rng.uniform(0, np.pi), rng.uniform(0.15, 0.35) if rng.random() < 0.3 else 1e4
        ox, oy = cx - radius * np.cos(turn), cy - radius * np.sin(turn)
        cut = np.hypot(X - ox, Y - oy) - radius
        closer = cell & (np.abs(cut) < edge)
        contour[closer], edge[closer] = along(cut)[closer], np.abs(cut)[closer]
        shade[cell] = 0.35 * shade[cell] + rng.uniform(0.5, 1) * (np.sign(cut) * np.exp(-np.abs(cut) / 0.13))[cell]
        cells += [cell & (cut > 0), cell & (cut <= 0)]
    color, direction = np.zeros((*SHAPE, 3)), np.zeros((*SHAPE, 2))
    wander = 0.25 * noise(rng, (40, 40))
    for cell in cells:
        angle = rng.uniform(0, np.pi) + wander[cell]
        color[cell] = palette[rng.integers(len(palette))] + rng.normal(0, 0.02, 3)
        direction[cell] = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    color *= (1 + np.where(shade > 0, 0.3, 0.6) * shade + 0.06 * streaks(rng, direction, 4, 64))[..., None]
    direction = np.where(edge[..., None] < 0.008, contour, direction)
    color[(edge < 0.0035) & (noise(rng, (50, 50)) > -0.4)] = hex_colors("1a1614")
    layers = (Layer(26, 80, 2.0), Layer(14, 60, 2.2, 0.06), Layer(7, 45, 1.3, 0.08), Layer(3.5, 40, 1.0, 0.08, 1.0))
    return Scene(np.clip(color, 0, 1), direction, layers, tolerance=0.2)


SCENES: dict[str, Callable[[Generator], Scene]] = {"swirls": swirls, "embers": embers, "facets": facets}


def trace(scene: Scene, starts: Array, length: float, shortest: float) -> list[Array]:
    """Paths `[K, 2]` along the scene's direction from `starts` `[N, 2]`, while the color stays, up to `length`."""
    step = 2.0
    points, heading, paths = starts, np.zeros_like(starts), [starts]
    alive, kept = np.ones(len(starts), dtype=bool), np.zeros(len(starts), dtype=int)
    for _ in range(int(length / step)):
        turn = lookup(scene.direction, points)
        turn *= np.where((turn * heading).sum(-1, keepdims=True) < 0, -1, 1)
        heading = unit(0.6 * heading + turn)
        points = points + step * heading
        alive &= np.linalg.norm(lookup(scene.color, points) - lookup(scene.color, starts), axis=-1) < scene.tolerance
        kept += alive
        paths.append(points)
    keep = np.maximum(kept, int(shortest / step)) + 1
    return [path[:count] for path, count in zip(np.stack(paths, axis=1), keep, strict=True)]


@dataclass(frozen=True)
class Easel:
    """A canvas `[H, W, 4]` of color and thickness, painted in place; the streaks that bristles leave; and chance."""

    canvas: Array
    bristles: Array
    rng: Generator

    def lay_stroke(self, path: Array, width: float, paint: Array) -> None:
        """Lay one stroke along a path `[K, 2]`; `paint` `[2, 3]` are the two colors on the brush."""
        path, width = path * SUPERSAMPLING, width * SUPERSAMPLING
        distance = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=-1))])
        s, t = np.arange(0, distance[-1], SPACING), np.arange(-width / 2, width / 2, SPACING)[:, None]
        center = np.stack([np.interp(s, distance, coordinate) for coordinate in path.T], axis=-1)
        tangent = unit(np.gradient(center, axis=0))
        position, side = s / s[-1], 2 * t / width
        swell = 0.4 + 0.6 * np.clip(np.minimum(position / 0.15, (1 - position) / 0.4), 0, 1) ** 0.5
        column = np.floor(center[:, 0] - t * swell * tangent[:, 1]).astype(int)
        row = np.floor(center[:, 1] + t * swell * tangent[:, 0]).astype(int)
        top, left = (self.rng.integers(self.bristles.shape[axis] - len(line)) for axis, line in enumerate((t, s)))
        hair = self.bristles[top : top + len(t), left : left + len(s)]
        load = 1.15 - 0.95 * position - 0.5 * side**4
        cover = np.clip(1.7 * load + 0.6 * hair, 0, 1)
        mix = np.clip(0.4 + 0.3 * hair + 0.15 * side, 0, 1)
        thickness = (0.5 + 0.3 * hair + 0.3 * np.exp(-(((np.abs(side) - 0.85) / 0.12) ** 2))) * width**0.5
        height, breadth = self.canvas.shape[:2]
        wet = (cover > 0.02) & (row >= 0) & (column >= 0) & (row < height) & (column < breadth)
        pixel = row[wet], column[wet]
        cover, mix, thickness = (values[wet][:, None] for values in (cover, mix, thickness))
        below = self.canvas[pixel]
        fresh = np.concatenate([paint[0] + mix * (paint[1] - paint[0]), 0.35 * below[:, 3:] + thickness], axis=-1)
        self.canvas[pixel] = below + cover * (fresh - below)

    def lay_strokes(self, scene: Scene, layer: Layer, where: Array) -> None:
        """Lay one layer's strokes in random order, starting at points drawn from the density `where` `[H, W]`."""
        count = int(layer.coverage * np.count_nonzero(where) / (layer.width * layer.length)) + 25
        row, column = np.unravel_index(self.rng.choice(where.size, count, p=(where / where.sum()).ravel()), SHAPE)
        starts = np.stack([column, row], axis=-1) + self.rng.uniform(size=(count, 2))
        stray = self.rng.normal(size=(count, 2, 1)) + 0.4 * self.rng.normal(size=(count, 2, 3))
        base = lookup(scene.color, starts)[:, None]
        paints = np.clip(base + layer.jitter * (0.4 + 1.2 * base) * stray, 0, 1)
        for path, paint in zip(trace(scene, starts, layer.length, 1.5 * layer.width), paints, strict=True):
            self.lay_stroke(path, layer.width * self.rng.uniform(0.6, 1.2), paint)


def paint_scene(scene: Scene, rng: Generator) -> Array:
    """The painted canvas `[H, W, 4]`: the coarsest brush until hardly any canvas is bare, then each finer one once."""
    ground = np.concatenate([0.8 * scene.color, np.zeros((*SHAPE, 1))], axis=-1)
    canvas = ground.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
    easel = Easel(canvas, noise(rng, (1.3, 70), shape=(512, 2048)), rng)
    while (bare := canvas[::SUPERSAMPLING, ::SUPERSAMPLING, 3] == 0).mean() > 0.002:
        easel.lay_strokes(scene, scene.layers[0], bare.astype(float))
    gradient = np.linalg.norm(np.gradient(scene.color.mean(-1)), axis=0)
    for layer in scene.layers[1:]:
        easel.lay_strokes(scene, layer, 1 - layer.detail + layer.detail * gradient / gradient.mean())
    return canvas


def relief(canvas: Array, rng: Generator) -> Array:
    """Light the paint from the upper left: `[H, W, 4]` to `[H, W, 3]`."""
    weave = 0.25 * sum(noise(rng, scale, canvas.shape[:2]) for scale in ((0.8, 3.0), (3.0, 0.8)))
    down, across = np.gradient(canvas[..., 3] + weave)
    slope = np.tanh(0.5 * (down + across))[..., None]
    return np.clip(canvas[..., :3] * (1 + 0.28 * slope) + 0.05 * np.maximum(slope - 0.3, 0), 0, 1)


def paint_picture(name: str) -> Image.Image:
    """Invent a scene and paint it; the same name gives the same picture."""
    rng = np.random.default_rng([0, *name.encode()])
    pixels = np.rint(255 * relief(paint_scene(SCENES[name](rng), rng), rng)).astype(np.uint8)
    return Image.fromarray(pixels).resize(SHAPE[::-1], Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Paint the style pictures of the gallery.")
    parser.add_argument("scenes", nargs="*", choices=list(SCENES))
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parents[2] / "examples" / "style")
    arguments = parser.parse_args()
    for name in arguments.scenes or SCENES:
        paint_picture(name).save(arguments.out / f"{name}.jpg", quality=84, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
