"""Reproduces the experiments of arXiv 1602.07188: the chapters of docs/paper, one module for each.

A chapter is a module with a function `make(lab: Lab) -> str` that returns the page in Markdown, without the footer.
Run them with `scripts/paper/reproduce.sh`.
"""

import hashlib
import os
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

import jaxstyle
from jaxstyle.environment import device, device_name, versions
from jaxstyle.images import add_titles, resize
from jaxstyle.optimization import prepare_network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
# The chapters in order, with the default longest side of their pictures in pixels.
CHAPTERS = {
    "networks": 160,
    "starts": 160,
    "partitions": 160,
    "style_space": 160,
    "one_entry": 128,
    "synthetic": 160,
    "representations": 160,
    "implementations": 192,
}
T = TypeVar("T")


@dataclass(frozen=True)
class Lab:
    """The workplace of a chapter: loads examples, caches results, and saves pictures and tables.

    Attributes:
        chapter: a key of `CHAPTERS`.
        size: longest side of the chapter's pictures in pixels.
        docs: folder of the pages and their pictures.
        cache: folder of cached results.
    """

    chapter: str
    size: int
    docs: Path = ROOT / "docs" / "paper"
    cache: Path = ROOT / "build" / "paper"

    def example(self, name: str) -> np.ndarray:
        """Load a picture from examples/, cropped to 4:3 and resized to the chapter's size, `[H, W, 3]` in [0, 1].

        All examples have the same shape, so they share compiled programs.
        """
        (file,) = (ROOT / "examples").glob(f"*/{name}.jpg")
        picture = jaxstyle.read_image(file)
        height, width = picture.shape[:2]
        rows, columns = min(height, width * 3 // 4), min(width, height * 4 // 3)
        top, left = (height - rows) // 2, (width - columns) // 2
        return resize(picture[top : top + rows, left : left + columns], self.size * 3 // 4, self.size)

    def stylized(
        self,
        content: str | None,
        styles: str | Sequence[str],
        *,
        network: str = "vgg19",
        seed: int = 0,
        **changes: Any,
    ) -> jaxstyle.Stylized:
        """Stylize examples and cache the result. `changes` are settings that differ from the defaults.

        Without a content, this makes a texture.
        """
        config = jaxstyle.StyleConfig(size=self.size, **changes)
        names = [styles] if isinstance(styles, str) else list(styles)

        def run() -> jaxstyle.Stylized:
            options: dict[str, Any] = {"network": _network(network), "config": config, "seed": seed}
            pictures = [self.example(name) for name in names]
            if content is None:
                return jaxstyle.texture(pictures, height=self.size * 3 // 4, width=self.size, **options)
            return jaxstyle.stylize(self.example(content), pictures, **options)

        return self.cached(f"{content} {'+'.join(names)} {network} {seed} {changes}", run)

    def cached(self, key: str, function: Callable[[], T]) -> T:
        """Return the function's result, from the cache if it has been computed before at this size.

        Args:
            key: everything that the result depends on, except chapter and size.
            function: computes the result, which must be picklable.
        """
        folder, digest = self.cache / str(self.size) / self.chapter, hashlib.sha256(key.encode()).hexdigest()
        file = folder / f"{re.sub(r'[^A-Za-z0-9.=+-]+', '_', key)[:60]}-{digest[:16]}.pickle"
        if file.exists():
            return pickle.loads(file.read_bytes())
        result = function()
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_bytes(pickle.dumps(result))
        os.replace(unfinished, file)
        return result

    def picture(self, name: str, picture: np.ndarray) -> str:
        """Save a picture `[H, W, 3]` in [0, 1] beside the page, and return the Markdown that displays it."""
        levels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
        return self._save(name, ".jpg", lambda file: Image.fromarray(levels).save(file, quality=85, optimize=True))

    def sheet(
        self,
        name: str,
        pictures: Sequence[Sequence[np.ndarray | None]],
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
    ) -> str:
        """Save rows of pictures `[h, w, 3]` as one picture with titles. None leaves a cell empty."""
        return self.picture(name, add_titles(pictures, rows, columns))

    def plot(self, name: str, draw: Callable[["Figure"], None], *, width: float = 8, height: float = 4) -> str:
        """Save a matplotlib figure, `width` by `height` inches at 90 pixels per inch, and return its Markdown."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), dpi=90, layout="constrained")
        draw(figure)
        return self._save(name, ".png", figure.savefig)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """Format a Markdown table, with floats to three significant digits."""
        lines = [header, ["---"] * len(header), *rows]
        return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)

    def _save(self, name: str, suffix: str, save: Callable[[Path], None]) -> str:
        file = self.docs / f"{self.chapter}-{name}{suffix}"
        self.docs.mkdir(parents=True, exist_ok=True)
        save(file)
        return f"![{name.replace('-', ' ')}]({file.name})"


def footer(lab: Lab) -> str:
    """The last line of every page: the command, the device and the versions."""
    all_versions = versions()
    packages = ", ".join(f"{package} {all_versions[package]}" for package in ("jaxstyle", "jax", "numpy"))
    return (
        f"Made by `scripts/paper/reproduce.sh --only {lab.chapter} --size {lab.size}` on {device_name(device())}, "
        f"with {packages}. [All chapters](README.md)"
    )


@cache
def _network(name: str) -> jaxstyle.Network:
    return prepare_network(jaxstyle.load_network(name))


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)
