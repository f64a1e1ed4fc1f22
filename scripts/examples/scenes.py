"""The scenes for `paint`: a color and a direction for every point, and layers of strokes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

Array = np.ndarray[Any, Any]
SHAPE = (768, 960)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]] / SHAPE[0]  # coordinates of the pixels, in units of the picture's height


@dataclass(frozen=True)
class Layer:
    """The strokes of one brush.

    Attributes:
        width, length: of a stroke, in pixels of the finished picture.
        coverage: the area of all strokes relative to that of the canvas.
        jitter: random deviation of a stroke's color from the scene's.
        detail: 0 paints strokes everywhere; 1 paints them only where the scene has detail.
    """

    width: float
    length: float
    coverage: float
    jitter: float = 0.06
    detail: float = 0.0


@dataclass(frozen=True)
class Scene:
    """A scene to paint.

    Attributes:
        color: `[H, W, 3]` in [0, 1].
        direction: `[H, W, 2]`, unit vectors (x, y).
        layers: layers of strokes, coarse to fine.
        tolerance: the largest color difference within a stroke.
    """

    color: Array
    direction: Array
    layers: tuple[Layer, ...]
    tolerance: float = 0.25


def hex_colors(text: str) -> Array:
    """Colors `[N, 3]` in [0, 1] from hexadecimal codes such as "1b2a49 ffd166"."""
    return np.array([list(bytes.fromhex(code)) for code in text.split()]) / 255


def ramp(position: Array, colors: Array) -> Array:
    """Colors `[..., 3]` at positions `[...]` in [0, 1] along a palette `[N, 3]`."""
    knots = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(position, knots, channel) for channel in colors.T], axis=-1)


def noise(rng: Generator, scale: tuple[float, float], shape: tuple[int, int] = SHAPE) -> Array:
    """Periodic Gaussian noise of mean 0 and standard deviation 1, blurred by `scale` pixels down and across."""
    down = np.exp(-2 * (np.pi * scale[0] * np.fft.fftfreq(shape[0])) ** 2)
    across = np.exp(-2 * (np.pi * scale[1] * np.fft.rfftfreq(shape[1])) ** 2)
    return standardized(np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * down[:, None] * across, shape))


def standardized(field: Array) -> Array:
    return (field - field.mean()) / field.std()


def unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def contour_directions(field: Array) -> Array:
    """Directions `[H, W, 2]` along the contour lines of a field `[H, W]`."""
    down, across = np.gradient(field)
    return unit(np.stack([-down, across], axis=-1))


def lookup(field: Array, points: Array) -> Array:
    """Values of a field at points `[..., 2]` (x, y); outside the border, those of the nearest pixel."""
    column, row = np.moveaxis(np.clip(points, 0, np.array(SHAPE[::-1]) - 1).astype(int), -1, 0)
    return field[row, column]


def streaks(rng: Generator, direction: Array, scale: float, length: int) -> Array:
    """Noise `[H, W]` of mean 0 and standard deviation 1, smeared by about `length` pixels along the direction.

    This is line integral convolution by doubling: the sum over 2n steps is the sum over n steps from a point plus the
    sum over n steps from the point n steps further along.
    """
    points = np.moveaxis(np.indices(SHAPE)[::-1], 0, -1)
    smeared, step = noise(rng, (scale, scale)), direction
    for _ in range(round(np.log2(length))):
        shifted = points + np.rint(step)
        smeared, step = smeared + lookup(smeared, shifted), step + lookup(step, shifted)
    return standardized(smeared)


NIGHT = hex_colors("0b1436 14265f 1d4590 2b6bb0 4f97c4 8fc3cf d8e0b8")
GLOW = hex_colors("fdf6d0 fbe27c f4b93a df8420 8a6a3a")


def swirls(rng: Generator) -> Scene:
    """A night sky of blue currents around yellow lights, over a lake that reflects them."""
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
    slope = contour_directions(Y - ridge * np.clip((bank - Y) / 0.08, 0, 1))
    hills = ramp(0.35 + 0.2 * streaks(rng, slope, 4, 64), hex_colors("070d20 0d2436 1c4146 4f6f4a"))
    ripples, lake = reflections(rng, lights, bank)
    ground = [(bank < Y)[..., None], (ridge < Y)[..., None]]
    color, flow = np.select(ground, [lake, hills], color), np.select(ground, [ripples, slope], flow)
    layers = (Layer(24, 110, 2.0), Layer(12, 90, 2.0, 0.08), Layer(6.5, 60, 1.2, 0.11), Layer(3.5, 30, 0.35, 0.14, 0.8))
    return Scene(np.clip(color, 0, 1), flow, layers)


def reflections(rng: Generator, lights: list[tuple[float, float, float]], bank: float) -> tuple[Array, Array]:
    """Direction and color of a lake below `bank` that reflects lights (x, y, radius) as broken columns."""
    ripples = contour_directions(Y + 0.006 * noise(rng, (10, 40)))
    chop = streaks(rng, ripples, 3, 64)
    lake = ramp(0.34 + 0.15 * chop, NIGHT)
    for cx, _, radius in lights:
        width = radius * (0.5 + 0.8 * (Y - bank) / (1 - bank))
        gleam = np.exp(-(((X - cx) / width) ** 2)) * (0.43 + 6 * radius) + 0.26 * chop
        lake += (ramp(1.35 - gleam, GLOW) - lake) * np.clip(5 * (gleam - 0.62), 0, 1)[..., None]
    return ripples, lake


def embers(rng: Generator) -> Scene:
    """A burning sky in long wavy bands over a dark shore."""
    warp = 0.055 * noise(rng, (70, 130)) + 0.04 * np.sin(5 * X + 6 * Y)
    flow = contour_directions(Y + warp)
    fine = streaks(rng, flow, 4, 256)
    bands = 0.5 + 0.5 * np.sin(27 * (Y + warp) + 0.8 * noise(rng, (60, 60)) + 0.5 * fine)
    heat = np.clip(0.10 + 0.95 * Y / 0.66, 0, 1)
    fire = (0.68 * bands + 0.26) * heat + 0.07 * fine
    sky = ramp(fire, hex_colors("4a0d1c 86191f c0311b e25a1d f08a24 f6b63c fbe08a"))
    rift = np.clip(2.5 * (streaks(rng, flow, 9, 256) - 1.1), 0, 0.9)[..., None]
    sky += (ramp(0.5 + 0.3 * fine, hex_colors("173f52 2f7480 7fb0a0")) - sky) * rift
    shore = 0.70 + 0.05 * np.sin(4 * X + 1) + 0.02 * noise(rng, (20, 40))
    land = (shore < Y)[..., None]
    furrows = contour_directions(Y - shore + 0.3 * warp + 0.3 * (X - 0.6) * np.clip(Y - shore, 0, 1))
    soil = 0.42 + 0.20 * streaks(rng, furrows, 6, 128) + 0.10 * streaks(rng, furrows, 2.5, 64)
    ground = ramp(soil, hex_colors("120a1a 26132e 45203f 1d4050 7a2f38 c8642c"))
    layers = (Layer(28, 170, 2.0), Layer(16, 130, 2.0, 0.08), Layer(9, 90, 1.0, 0.12), Layer(5, 60, 0.3, 0.14, 0.6))
    return Scene(np.clip(np.where(land, ground, sky), 0, 1), np.where(land, furrows, flow), layers)


def facets(rng: Generator) -> Scene:
    """Shards between straight cuts and arcs, shaded from their edges, with broken dark contours."""
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
        contour[closer], edge[closer] = contour_directions(cut)[closer], np.abs(cut)[closer]
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
