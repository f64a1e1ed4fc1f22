"""The chapters of docs/paper, a module for each, and the laboratory that they are written in.

A chapter is a module here with one function, `make(lab: Lab) -> str`, which returns its page in Markdown, without what
all pages end with. `scripts/reproduce_paper` runs them.
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
from jaxstyle.images.sheet import add_titles
from jaxstyle.images.resizing import resize
from jaxstyle.jobs.environment import device, device_name, versions
from jaxstyle.stylize import prepare_network

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
# In order, with the longest side of their pictures in pixels where `--size` gives none.
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
    """Where a chapter works: it has the examples at hand, remembers what was computed, and takes pictures and tables.

    Attributes:
        chapter: its name, one of `CHAPTERS`.
        size: longest side of its pictures in pixels.
        docs: the folder of pages and their pictures.
        work: the folder of what is remembered; without it, everything is computed anew.
    """

    chapter: str
    size: int
    docs: Path = ROOT / "docs" / "paper"
    work: Path = ROOT / "build" / "paper"

    def example(self, name: str) -> np.ndarray:
        """The middle of one of the pictures in examples/, at 4 to 3 and the chapter's size, `[H, W, 3]` in [0, 1].

        All have one shape, and so share compiled programs.
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
        """`jaxstyle.stylize` of examples, with these changes to the default settings, and remembered.

        Without a content it is `jaxstyle.texture`.
        """
        config = jaxstyle.StyleConfig(size=self.size, **changes)
        names = [styles] if isinstance(styles, str) else list(styles)

        def run() -> jaxstyle.Stylized:
            given: dict[str, Any] = {"network": _network(network), "config": config, "seed": seed}
            pictures = [self.example(name) for name in names]
            if content is None:
                return jaxstyle.texture(pictures, height=self.size * 3 // 4, width=self.size, **given)
            return jaxstyle.stylize(self.example(content), pictures, **given)

        return self.cached(f"{content} {'+'.join(names)} {network} {seed} {changes}", run)

    def cached(self, key: str, function: Callable[[], T]) -> T:
        """What the function returns, which has to be picklable; from then on without calling it, at this size.

        The key has to tell everything that the result depends on, besides chapter and size: a run that was cut off,
        or that changes only words, goes on with what is there.
        """
        folder, digest = self.work / str(self.size) / self.chapter, hashlib.sha256(key.encode()).hexdigest()
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
        """Save a picture `[H, W, 3]` in [0, 1] beside the page, and return the Markdown that shows it."""
        levels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
        return self._shown(name, ".jpg", lambda file: Image.fromarray(levels).save(file, quality=85, optimize=True))

    def sheet(
        self,
        name: str,
        pictures: Sequence[Sequence[np.ndarray | None]],
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
    ) -> str:
        """Save rows of pictures `[h, w, 3]` as one, with titles; as `picture`. None leaves a place empty."""
        return self.picture(name, add_titles(pictures, rows, columns))

    def plot(self, name: str, draw: Callable[["Figure"], None], *, width: float = 8, height: float = 4) -> str:
        """Save what is drawn into a matplotlib figure of that many inches, at 90 pixels each; as `picture`."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), dpi=90, layout="constrained")
        draw(figure)
        return self._shown(name, ".png", figure.savefig)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """A Markdown table; floats are shown with three digits."""
        lines = [header, ["---"] * len(header), *rows]
        return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)

    def _shown(self, name: str, suffix: str, save: Callable[[Path], None]) -> str:
        file = self.docs / f"{self.chapter}-{name}{suffix}"
        self.docs.mkdir(parents=True, exist_ok=True)
        save(file)
        return f"![{name.replace('-', ' ')}]({file.name})"


def made_by(lab: Lab) -> str:
    """The end of every page: how it came about."""
    found = versions()
    listed = ", ".join(f"{package} {found[package]}" for package in ("jaxstyle", "jax", "numpy"))
    return (
        f"Made by `scripts/reproduce_paper --only {lab.chapter} --size {lab.size}` on {device_name(device())}, "
        f"with {listed}. [All chapters](README.md)"
    )


@cache
def _network(name: str) -> jaxstyle.Network:
    return prepare_network(jaxstyle.load_network(name))


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)
