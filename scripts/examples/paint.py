"""Paint the style pictures in `examples/style/` with thousands of brush strokes.

    python -m scripts.examples.paint                  paint all scenes into examples/style/
    python -m scripts.examples.paint swirls -o DIR    paint one scene into another folder

Strokes are painted in layers, coarse to fine, along the directions of a scene. A stroke ends where the color changes.
Finally, the thickness of the paint is lit from the upper left. The method follows Hertzmann, "Painterly rendering with
curved brush strokes of multiple sizes", SIGGRAPH 1998.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from scripts.arguments import make_parser
from scripts.examples.scenes import SCENES, SHAPE, Array, Layer, Scene, lookup, noise, unit

OUTPUT = Path(__file__).resolve().parents[2] / "examples" / "style"
SUPERSAMPLING = 2  # strokes are painted at twice the size, which is then reduced
SPACING = 0.7  # between the samples of a stroke, in canvas pixels; small enough to leave no holes


def trace(scene: Scene, origins: Array, length: float, shortest: float) -> list[Array]:
    """Trace paths `[K, 2]` from `origins` `[N, 2]` along the scene's direction.

    A path ends where the color differs too much from that of its origin, but not before the length `shortest`, and at
    the latest at `length`.
    """
    step = 2.0
    points, heading, paths = origins, np.zeros_like(origins), [origins]
    alive, steps = np.ones(len(origins), dtype=bool), np.zeros(len(origins), dtype=int)
    for _ in range(int(length / step)):
        turn = lookup(scene.direction, points)
        turn *= np.where((turn * heading).sum(-1, keepdims=True) < 0, -1, 1)
        heading = unit(0.6 * heading + turn)
        points = points + step * heading
        alive &= np.linalg.norm(lookup(scene.color, points) - lookup(scene.color, origins), axis=-1) < scene.tolerance
        steps += alive
        paths.append(points)
    counts = np.maximum(steps, int(shortest / step)) + 1
    return [path[:count] for path, count in zip(np.stack(paths, axis=1), counts, strict=True)]


@dataclass(frozen=True)
class Easel:
    """A canvas on which strokes are painted.

    Attributes:
        canvas: `[H, W, 4]`, color and thickness of the paint; modified in place.
        bristles: `[h, w]`, a texture of bristle marks.
        rng: random generator of the strokes.
    """

    canvas: Array
    bristles: Array
    rng: Generator

    def paint_stroke(self, path: Array, width: float, paint: Array) -> None:
        """Paint one stroke along a path `[K, 2]`; `paint` `[2, 3]` holds the two colors on the brush."""
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

    def paint_layer(self, scene: Scene, layer: Layer, where: Array) -> None:
        """Paint the strokes of a layer in random order, from points drawn from the density `where` `[H, W]`."""
        count = int(layer.coverage * np.count_nonzero(where) / (layer.width * layer.length)) + 25
        row, column = np.unravel_index(self.rng.choice(where.size, count, p=(where / where.sum()).ravel()), SHAPE)
        origins = np.stack([column, row], axis=-1) + self.rng.uniform(size=(count, 2))
        stray = self.rng.normal(size=(count, 2, 1)) + 0.4 * self.rng.normal(size=(count, 2, 3))
        base = lookup(scene.color, origins)[:, None]
        paints = np.clip(base + layer.jitter * (0.4 + 1.2 * base) * stray, 0, 1)
        for path, paint in zip(trace(scene, origins, layer.length, 1.5 * layer.width), paints, strict=True):
            self.paint_stroke(path, layer.width * self.rng.uniform(0.6, 1.2), paint)


def paint_scene(scene: Scene, rng: Generator) -> Array:
    """Paint a scene: the coarsest layer until the canvas is covered, then each finer layer once.

    Returns:
        the canvas `[H, W, 4]`, color and thickness.
    """
    ground = np.concatenate([0.8 * scene.color, np.zeros((*SHAPE, 1))], axis=-1)
    canvas = ground.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
    easel = Easel(canvas, noise(rng, (1.3, 70), shape=(512, 2048)), rng)
    while (bare := canvas[::SUPERSAMPLING, ::SUPERSAMPLING, 3] == 0).mean() > 0.002:
        easel.paint_layer(scene, scene.layers[0], bare.astype(float))
    gradient = np.linalg.norm(np.gradient(scene.color.mean(-1)), axis=0)
    for layer in scene.layers[1:]:
        easel.paint_layer(scene, layer, 1 - layer.detail + layer.detail * gradient / gradient.mean())
    return canvas


def relief(canvas: Array, rng: Generator) -> Array:
    """Light the canvas `[H, W, 4]` from the upper left, as a picture `[H, W, 3]`."""
    weave = 0.25 * sum(noise(rng, scale, canvas.shape[:2]) for scale in ((0.8, 3.0), (3.0, 0.8)))
    down, across = np.gradient(canvas[..., 3] + weave)
    slope = np.tanh(0.5 * (down + across))[..., None]
    return np.clip(canvas[..., :3] * (1 + 0.28 * slope) + 0.05 * np.maximum(slope - 0.3, 0), 0, 1)


def paint_picture(name: str) -> Image.Image:
    """Paint the named scene; the same name gives the same picture."""
    rng = np.random.default_rng([0, *name.encode()])
    pixels = np.rint(255 * relief(paint_scene(SCENES[name](rng), rng), rng)).astype(np.uint8)
    return Image.fromarray(pixels).resize(SHAPE[::-1], Image.Resampling.LANCZOS)


def main() -> None:
    parser = make_parser("examples.paint", __doc__)
    parser.add_argument("scenes", nargs="*", choices=("all", *SCENES), default="all", help="(default all)")
    parser.add_argument("-o", "--out", type=Path, default=OUTPUT, help="folder (default examples/style)")
    arguments = parser.parse_args()
    for name in SCENES if "all" in arguments.scenes else arguments.scenes:
        paint_picture(name).save(arguments.out / f"{name}.jpg", quality=84, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
