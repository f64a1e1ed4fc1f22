"""The way from coarse to fine: the sizes on it, and pictures taken from one to the next.

At a small size a step is cheap and sees far, so colours and large strokes settle there; every larger size starts from
the enlarged result of the one before, and has only its own detail to find.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import PictureError
from jaxstyle.images import MIN_SIDE, fit, resize

_SMALLEST = 128  # no size on the way is smaller than this on the longest side, nor than _MIN_SHORT on the other
_MIN_SHORT = 2 * MIN_SIDE
_COARSE_STEPS = 1.5  # steps at each smaller size, relative to those at full size
_DETAIL = 0.5  # share of the content's own detail that an enlarged result is given

Array = TypeVar("Array", np.ndarray, jax.Array)


def schedule(config: StyleConfig, height: int, width: int) -> tuple[tuple[int, int], ...]:
    """The sizes from coarse to fine and the steps at each, `((longest side, steps), ...)`, for a content's shape."""
    sizes = [config.size]
    while sizes[0] // 2 >= _SMALLEST and min(fit(height, width, sizes[0] // 2)) >= _MIN_SHORT:
        sizes.insert(0, sizes[0] // 2)
    return tuple((size, config.steps if size == config.size else round(_COARSE_STEPS * config.steps)) for size in sizes)


def style_sizes(config: StyleConfig) -> list[float]:
    """The longest sides that a style picture has at all sizes of a run, whatever the content's proportions."""
    return [size * config.style_scale for size, _ in schedule(config, 1, 1)]


def shape_at(height: int, width: int, longest: float) -> tuple[int, int]:
    """The shape of a picture with this longest side, or as much more as keeps `MIN_SIDE` on the other."""
    enough = math.ceil(MIN_SIDE * max(height, width) / min(height, width))
    return fit(height, width, max(round(longest), enough))


def at_scale(picture: np.ndarray, longest: float) -> np.ndarray:
    """The picture `[H, W, 3]` at that shape."""
    return resize(picture, *shape_at(picture.shape[0], picture.shape[1], longest))


def enlarge(picture: Array, content: Array, target: Array, resize: Callable[..., Any] = resize) -> Array:
    """A result at the next size, with some of the detail that the content `target` has beyond its smaller self."""
    height, width = target.shape[:2]
    return resize(picture, height, width) + _DETAIL * (target - resize(content, height, width))


def check_picture(picture: np.ndarray) -> np.ndarray:
    """The picture as float32; PictureError unless it is `[H, W, 3]` in [0, 1]."""
    picture = np.asarray(picture)
    floats = np.issubdtype(picture.dtype, np.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not floats:
        raise PictureError(f"a picture is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    if not (picture.min() >= 0 and picture.max() <= 1):
        raise PictureError(f"a picture's values go from {picture.min()} to {picture.max()}; expected 0 to 1")
    return picture.astype(np.float32, copy=False)


def check_scale(name: str, height: int, width: int, longest: float) -> None:
    """Raise PictureError if a picture of this shape would be too thin with that longest side."""
    height, width = fit(height, width, max(1, round(longest)))
    if min(height, width) < MIN_SIDE:
        raise PictureError(
            f"the {name} would be {width} x {height} pixels; expected at least {MIN_SIDE} on the shorter side: "
            "make it larger, or choose a picture that is less long"
        )
