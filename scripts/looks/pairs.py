"""Twelve pairs of contents and styles of many kinds.

Contents are the example photographs, and pictures in the public domain or under CC0 that scikit-image and scikit-learn
ship (`pip install scikit-image scikit-learn`; only their files are read). Styles are the example paintings, those of
`scripts.looks.drawings`, and two paintings that the folder in the environment variable PICTURES must have, with a
photograph: `the_scream.jpg` (Munch, 1893), `starry_night.jpg` (van Gogh, 1889) and `tubingen.jpg` (Andreas Praefcke,
CC BY 3.0). None of them is part of the project; pairs whose pictures are not there are left out.
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import jaxstyle
from jaxstyle.images import resize
from scripts.examples.scenes import Array
from scripts.looks.drawings import DRAWINGS, draw
from scripts.measuring.pairs import ROOT

ASPECT = (3, 4)  # all contents are cropped to this, so that they share compiled programs


@dataclass(frozen=True)
class Pair:
    """A content and a style.

    Attributes:
        content, style: names of pictures.
        kinds: what they are, such as "portrait, watercolor".
    """

    content: str
    style: str
    kinds: str

    @property
    def name(self) -> str:
        return f"{self.content}-{self.style}"


PAIRS = (
    Pair("tubingen", "the_scream", "street, oil"),
    Pair("astronaut", "watercolor", "portrait, watercolor"),
    Pair("rocket", "starry_night", "night, impasto"),
    Pair("chelsea", "woodcut", "animal, woodcut"),
    Pair("coffee", "facets", "still life, abstract planes"),
    Pair("harbour", "swirls", "landscape, long strokes"),
    Pair("moon", "embers", "low contrast, bands"),
    Pair("camera", "pencil", "nearly gray, pencil"),
    Pair("horse", "mosaic", "line drawing, mosaic"),
    Pair("china", "poster", "architecture, flat poster"),
    Pair("flower", "the_scream", "flower, oil"),
    Pair("tubingen", "starry_night", "street, impasto"),
)
# Where a picture is, if not among the examples: a package and the path inside; the part of the height to crop above.
_PACKAGED = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "moon": ("skimage", "data/moon.png"),
    "camera": ("skimage", "data/camera.png"),
    "horse": ("skimage", "data/horse.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
_ANCHORS = {"astronaut": 0.0, "camera": 0.3}


def available_pairs(names: list[str] | None = None) -> list[Pair]:
    """The pairs whose pictures are there, or those of these names."""
    pairs = [pair for pair in PAIRS if all(_is_there(name) for name in (pair.content, pair.style))]
    return [pair for pair in pairs if not names or pair.name in names]


def read_content(name: str, size: int) -> Array:
    """The content, cropped to 4:3, `[3 size / 4, size, 3]`."""
    picture = jaxstyle.read_image(_file(name))[..., :3]
    height, width = picture.shape[:2]
    rows, columns = min(height, width * ASPECT[0] // ASPECT[1]), min(width, height * ASPECT[1] // ASPECT[0])
    top, left = int((height - rows) * _ANCHORS.get(name, 0.5)), (width - columns) // 2
    return np.clip(resize(picture[top : top + rows, left : left + columns], size * ASPECT[0] // ASPECT[1], size), 0, 1)


def read_style(name: str) -> Array:
    """The style, `[H, W, 3]`, as large as it is."""
    return draw(name) if name in DRAWINGS else jaxstyle.read_image(_file(name))


def _is_there(name: str) -> bool:
    return name in DRAWINGS or _file(name).exists()


def _file(name: str) -> Path:
    if name in _PACKAGED:
        package, path = _PACKAGED[name]
        found = find_spec(package)
        return Path(found.origin).parent / path if found and found.origin else Path(package) / path
    if name in ("tubingen", "the_scream", "starry_night"):
        return Path(os.environ.get("PICTURES", "pictures")) / f"{name}.jpg"
    return next(ROOT.glob(f"examples/*/{name}.jpg"))
