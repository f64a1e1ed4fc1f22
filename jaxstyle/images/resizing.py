"""Shapes and sizes of pictures: resizing, and checks of arrays."""

import math

import numpy as np
from PIL import Image

from jaxstyle.errors import PictureError

MIN_SIDE = 16  # pixels: what a VGG's four poolings before relu5_1 shrink to one position


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """`[H, W]` or `[H, W, C]` in [0, 1] at another size, float32.

    Lanczos with three lobes, widened on the way down so that nothing aliases, in floats from end to end. Where the
    filter overshoots, it is clipped to [0, 1].
    """
    picture = np.asarray(picture, np.float32)
    planes = np.moveaxis(np.atleast_3d(picture), -1, 0)
    images = (Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
    resized = [np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)) for image in images]
    return np.stack(resized, axis=-1).clip(0, 1).reshape(height, width, *picture.shape[2:])


def fit_shape(height: int, width: int, longest: int) -> tuple[int, int]:
    """The height and width, each at least 1, of the same proportions and with `longest` as the longer of them."""
    longer = max(height, width)
    return max(1, round(height * longest / longer)), max(1, round(width * longest / longer))


def scaled_shape(height: int, width: int, longest: float) -> tuple[int, int]:
    """The shape of a picture with this longest side, or a larger one so that the shorter side has `MIN_SIDE` pixels."""
    enough = math.ceil(MIN_SIDE * max(height, width) / min(height, width))
    return fit_shape(height, width, max(round(longest), enough))


def resize_longest(picture: np.ndarray, longest: float) -> np.ndarray:
    """Resize a picture `[H, W, 3]` to its `scaled_shape`."""
    return resize(picture, *scaled_shape(picture.shape[0], picture.shape[1], longest))


def check_picture(picture: np.ndarray) -> np.ndarray:
    """The picture as float32; PictureError unless it is `[H, W, 3]` in [0, 1]."""
    picture = np.asarray(picture)
    floats = np.issubdtype(picture.dtype, np.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not floats:
        raise PictureError(f"a picture is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    if not (picture.min() >= 0 and picture.max() <= 1):
        raise PictureError(f"a picture's values go from {picture.min()} to {picture.max()}; expected 0 to 1")
    return picture.astype(np.float32, copy=False)


def check_scaled_shape(name: str, height: int, width: int, longest: float) -> None:
    """Raise PictureError if a picture of this shape would be too thin with that longest side."""
    height, width = fit_shape(height, width, max(1, round(longest)))
    if min(height, width) < MIN_SIDE:
        raise PictureError(
            f"the {name} would be {width} x {height} pixels; expected at least {MIN_SIDE} on the shorter side: "
            "make it larger, or choose a picture that is less long"
        )
