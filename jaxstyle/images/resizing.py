"""Resizing pictures, computing their shapes, and checking arrays."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from jaxstyle.errors import PictureError

MAX_PIXELS = 2**28  # of a picture: more than phones and cameras have; a small file can claim to have billions
LOBES = 3  # of the Lanczos filter, in pixels
MIN_SIDE = 16  # pixels; the four poolings of VGG before relu5_1 reduce these to one position


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize `[H, W]` or `[H, W, C]` in [0, 1] with a Lanczos filter of three lobes, in float32.

    When shrinking, the filter is widened against aliasing. Values that overshoot are clipped to [0, 1].
    """
    return lanczos(picture, height, width).clip(0, 1)


def lanczos(
    picture: np.ndarray, height: int, width: int, box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """As `resize`, without clipping. With a box (left, top, right, bottom), only what is in it is resized."""
    picture = np.asarray(picture, np.float32)
    planes = np.moveaxis(np.atleast_3d(picture), -1, 0)
    images = (Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
    resized = [np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box)) for image in images]
    return np.stack(resized, axis=-1).reshape(height, width, *picture.shape[2:])


def fit_shape(height: int, width: int, longest: int) -> tuple[int, int]:
    """The shape of the same proportions whose longest side has `longest` pixels; the other has at least 1."""
    longer = max(height, width)
    return max(1, round(height * longest / longer)), max(1, round(width * longest / longer))


def scaled_shape(height: int, width: int, longest: float) -> tuple[int, int]:
    """The shape of the same proportions with this longest side, enlarged if the shortest is below `MIN_SIDE`."""
    min_longest = math.ceil(MIN_SIDE * max(height, width) / min(height, width))
    return fit_shape(height, width, max(round(longest), min_longest))


def largest_side(height: int, width: int) -> int:
    """The largest longest side with which a picture of these proportions is not too large to be read and resized."""
    return int(math.sqrt(MAX_PIXELS * max(height, width) / min(height, width)))


def resize_longest(picture: np.ndarray, longest: float) -> np.ndarray:
    """Resize a picture `[H, W, 3]` to its `scaled_shape`."""
    return resize(picture, *scaled_shape(picture.shape[0], picture.shape[1], longest))


def rotate(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turn `[H, W, C]` in [0, 1] counterclockwise, and cut out the largest upright rectangle without corners.

    Bicubic, in float32; exact for multiples of 90 degrees. The center stays the center.
    """
    if degrees % 90 == 0:
        return np.rot90(picture, round(degrees / 90))
    height, width = rotated_shape(picture.shape[0], picture.shape[1], degrees)
    images = [Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in np.moveaxis(picture, -1, 0)]
    turned = [np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)) for image in images]
    top, left = ((side - inner) // 2 for side, inner in zip(turned[0].shape, (height, width), strict=True))
    return np.stack([plane[top : top + height, left : left + width] for plane in turned], axis=-1).clip(0, 1)


def rotated_shape(height: int, width: int, degrees: float) -> tuple[int, int]:
    """The shape of a picture of this shape after `rotate`; at least 1 x 1."""
    quarters, rest = divmod(degrees, 90)
    if quarters % 2:
        height, width = width, height
    if rest == 0:
        return height, width
    sine, cosine = math.sin(math.radians(rest)), math.cos(math.radians(rest))
    shorter, longer = sorted((height, width))
    if shorter <= 2 * sine * cosine * longer:
        # Two opposite corners of the rectangle are on the longer sides, at equal distances from their middle.
        sides = shorter / (2 * cosine), shorter / (2 * sine)
        inner_height, inner_width = sides if width > height else sides[::-1]
    else:
        # Each corner is on another side.
        scale = cosine**2 - sine**2
        inner_width = (width * cosine - height * sine) / scale
        inner_height = (height * cosine - width * sine) / scale
    # Without the outermost pixels, which mix with what is outside.
    return max(1, math.floor(inner_height) - 2), max(1, math.floor(inner_width) - 2)


def check_picture(picture: np.ndarray) -> np.ndarray:
    """Convert a picture to float32; PictureError unless it is a float array `[H, W, 3]` in [0, 1]."""
    picture = as_numpy(picture)
    is_float = np.issubdtype(picture.dtype, np.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not is_float:
        raise PictureError(f"a picture is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    if not (picture.min() >= 0 and picture.max() <= 1):
        raise PictureError(f"a picture's values go from {picture.min()} to {picture.max()}; expected 0 to 1")
    return picture.astype(np.float32, copy=False)


def as_numpy(picture: Any, name: str = "a picture") -> np.ndarray:
    """The picture as an array of NumPy; PictureError if it is none, such as a file or a value that JAX traces."""
    if isinstance(picture, str | os.PathLike):
        found = f"{name} is the name {os.fspath(picture)!r}"
        raise PictureError(f"{found}; expected an array of floats: read the file by read_image")
    try:
        return np.asarray(picture)
    except (TypeError, ValueError):  # values that are traced raise a TypeError, ragged lists a ValueError
        found = f"{name} is a {type(picture).__name__} without numbers"
        raise PictureError(
            f"{found}; expected floats [H, W, 3] in [0, 1]: inside jit, vmap and grad, use make_stylizer"
        ) from None


def check_scaled_shape(name: str, height: int, width: int, longest: float) -> None:
    """Raise PictureError if a picture of this shape, resized to this longest side, is too small or too large."""
    height, width = fit_shape(height, width, max(1, round(longest)))
    if height * width > MAX_PIXELS:
        found = f"the {name} would be {width} x {height} pixels"
        raise PictureError(f"{found}; expected at most {MAX_PIXELS} in all: choose a smaller size")
    if min(height, width) < MIN_SIDE:
        raise PictureError(
            f"the {name} would be {width} x {height} pixels; expected at least {MIN_SIDE} on the shorter side: "
            "make it larger, or choose a less elongated picture"
        )


def check_same_proportions(name: str, shape: Sequence[int], other_name: str, other_shape: Sequence[int]) -> None:
    """Raise PictureError, naming both shapes, unless two pictures have the same proportions.

    Their sides may differ by 2 % or a pixel, whichever is more, once the larger picture is scaled to the smaller.
    """
    smaller, larger = sorted([tuple(shape[:2]), tuple(other_shape[:2])], key=max)
    scaled = [side * max(smaller) / max(larger) for side in larger]
    if any(abs(side - expected) > max(0.02 * expected, 1) for side, expected in zip(smaller, scaled, strict=True)):
        (height, width), (other_height, other_width) = shape[:2], other_shape[:2]
        raise PictureError(
            f"{name} has {width} x {height} pixels and {other_name} has {other_width} x {other_height}; "
            "expected the same proportions: crop one of them"
        )
