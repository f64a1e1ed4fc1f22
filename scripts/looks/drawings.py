"""Styles that the brush of `scripts.examples.paint` cannot paint: watercolor, woodcut, mosaic, pencil and poster.

    python -m scripts.looks.drawings DIR

draws all of them into a folder, for a look. Each is a function of a random generator, `[H, W, 3]` in [0, 1].
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from scripts.arguments import make_parser
from scripts.examples.scenes import SHAPE, Array, X, Y, hex_colors, noise, standardized

SEED = 20


def hills(rng: Generator) -> Array:
    """A tone `[H, W]` in [0, 1]: a bright sky with a sun above ranges of hills that grow darker towards the viewer."""
    tone = 0.95 - 0.35 * Y + 0.05 * noise(rng, (20, 90))
    tone = np.where(np.hypot(X - 0.85, Y - 0.22) < 0.11, 1.0, tone)
    for index, height in enumerate((0.42, 0.55, 0.68, 0.84)):
        ridge = height + 0.05 * noise(rng, (1, 60), (1, SHAPE[1]))[0] + 0.05 * np.sin(3 * X[0] + 2 * index)
        shaded = 0.62 - 0.14 * index + 0.09 * noise(rng, (12, 30))
        tone = np.where(ridge < Y, shaded, tone)
    return np.clip(tone, 0, 1)


def watercolor(rng: Generator) -> Array:
    """Washes of thin paint that run into each other, with darker rims, on rough white paper."""
    paper = 1 - 0.03 * np.abs(noise(rng, (1.2, 1.2)))
    picture = np.repeat(paper[..., None], 3, axis=2)
    pigments = hex_colors("2f6f9f 7fb7be d98c5f c9495b e8c468 4f7f52 6a4c7d 9fc2d6 355070")
    for index in range(15):
        field = noise(rng, (55, 75)) + 0.12 * noise(rng, (6, 6)) + 0.05 * noise(rng, (2, 2))
        depth = field - np.quantile(field, rng.uniform(0.70, 0.9))
        inside = np.clip(depth / 0.02, 0, 1)
        rim = np.exp(-np.maximum(depth, 0) / 0.05)
        density = inside * (0.30 + 0.35 * rim + 0.10 * noise(rng, (25, 25)) + 0.04 * noise(rng, (1.5, 1.5)))
        absorbed = np.clip(density, 0, 1)[..., None] * (1 - pigments[index % len(pigments)])
        picture = picture * (1 - absorbed)
    return picture


def woodcut(rng: Generator) -> Array:
    """Black printer's ink on cream paper: grooves along the hills, the wider the brighter the tone."""
    tone = hills(rng)
    warp = 0.03 * noise(rng, (40, 60)) + 0.004 * noise(rng, (4, 8))
    grooves = 0.5 + 0.5 * np.sin(2 * np.pi * (Y + warp + 0.25 * tone) / 0.016)
    ink = np.clip(12 * (grooves - 1.15 * tone + 0.1), 0, 1) * np.clip(1.1 + 0.1 * noise(rng, (1.5, 1.5)), 0, 1)
    cream, black = hex_colors("efe3c8 1b1714")
    return cream + ink[..., None] * (black - cream) + 0.012 * noise(rng, (1, 1))[..., None]


def mosaic(rng: Generator) -> Array:
    """Stones of many colors in gray mortar, in rows that follow circles."""
    step = 0.026
    centers = [(0.35, 0.4), (0.95, 0.65)]
    ring = np.minimum(*(np.hypot(X - x, Y - y) for x, y in centers))
    nearer = np.argmin([np.hypot(X - x, Y - y) for x, y in centers], axis=0)
    row = np.floor(ring / step)
    angle = np.select(
        [nearer == index for index in range(2)], [np.arctan2(Y - y, X - x) / (2 * np.pi) + 0.5 for x, y in centers]
    )
    count = np.maximum(np.round(2 * np.pi * (row + 0.5)), 1)
    place = angle * count + rng.uniform(size=200)[row.astype(int)]
    column = np.floor(place) % count
    stone = (nearer * 200 + row.astype(int)) * 400 + column.astype(int)
    tone = standardized(np.sin(14 * ring) + 0.6 * noise(rng, (70, 70)))
    palette = hex_colors("1f3b5b 2f7f86 d9c08a c8553d 8c2f39 e9e1cf 4b6b43 d99a3a")
    random = rng.standard_normal(stone.max() + 1)[stone]
    pick = np.clip((tone / 4 + 0.5) * len(palette) + 0.8 * random, 0, len(palette) - 1).astype(int)
    edge = np.minimum.reduce([ring / step - row, row + 1 - ring / step, place % 1, 1 - place % 1])
    shade = 1 + 0.07 * rng.standard_normal(stone.max() + 1)[stone] + 0.25 * np.clip(edge - 0.25, -0.25, 0)
    stones = palette[pick] * shade[..., None] + 0.02 * noise(rng, (1.5, 1.5))[..., None]
    mortar = hex_colors("8b857a")[0] + 0.04 * noise(rng, (1.5, 1.5))[..., None]
    return mortar + np.clip((edge - 0.07) / 0.04, 0, 1)[..., None] * (stones - mortar)


def pencil(rng: Generator) -> Array:
    """Graphite hatching in three directions, the denser the darker the tone, on paper with tooth."""
    dark = (1 - hills(rng)) * 1.35
    tooth, lead = noise(rng, (0.8, 0.8)), np.zeros(SHAPE)
    for angle, start in ((0.9, 0.08), (2.3, 0.38), (0.2, 0.62)):
        wobble = 0.0015 * noise(rng, (30, 30))
        across = (np.cos(angle) * X + np.sin(angle) * Y + wobble) / 0.0085
        pressure = 0.75 + 0.35 * rng.standard_normal(4000)[np.floor(across + 1000).astype(int)]
        line = np.clip(1.6 * np.abs(np.sin(np.pi * across)) - 0.75, 0, 1) * pressure
        lead += np.clip((dark - start) * 2.6, 0, 1) * line * np.clip(0.9 + 0.3 * tooth, 0, 1.4)
    gray = 0.95 - 0.75 * np.clip(0.55 * lead + 0.12 * dark, 0, 1) + 0.01 * tooth
    return gray[..., None] * np.array([1, 0.985, 0.95])


def poster(rng: Generator) -> Array:
    """Flat areas of five printed colors with sharp curved borders."""
    field = noise(rng, (45, 60)) + 1.5 * Y + 0.4 * np.sin(6 * X)
    ranks = np.searchsorted(np.quantile(field, [0.18, 0.4, 0.6, 0.82]), field)
    colors = hex_colors("f3d9a4 e58b3a c2392f 2f5d62 182b3a")[ranks]
    sun = np.hypot(X - 0.9, Y - 0.3) < 0.16
    colors[sun] = hex_colors("f6ecd2")[0]
    return colors


DRAWINGS: dict[str, Callable[[Generator], Array]] = {
    "watercolor": watercolor,
    "woodcut": woodcut,
    "mosaic": mosaic,
    "pencil": pencil,
    "poster": poster,
}


def draw(name: str) -> Array:
    """The picture, float32 in [0, 1]."""
    return np.clip(DRAWINGS[name](np.random.default_rng(SEED)), 0, 1).astype(np.float32)


def main() -> None:
    parser = make_parser("looks.drawings", __doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in DRAWINGS:
        Image.fromarray(np.round(255 * draw(name)).astype(np.uint8)).save(folder / f"{name}.png")


if __name__ == "__main__":
    main()
