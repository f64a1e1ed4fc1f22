"""Rounding pictures of floats to the levels of a file.

Dithering keeps smooth gradients, such as skies, free of steps: a value between two levels becomes one of both, and the
nearer one more often, such that the mean is kept. The thresholds are the same for red, green and blue, so that grays
stay gray. They depend on the position alone: the same picture has the same levels each time. The noise is uniform and
not triangular, within a level, so that a value that is a level stays it: what is not painted keeps the levels of the
photograph.
"""

from functools import cache

import numpy as np

from jaxstyle.errors import PictureError

BITS = (8, 16)  # of the samples in files
_THRESHOLDS_SIDE = 256  # pixels after which thresholds repeat
_STRIP_VALUES = 2**22  # that are converted at a time


def quantize(
    picture: np.ndarray, alpha: np.ndarray | None = None, *, bits: int = 8, dither: bool = False
) -> np.ndarray:
    """The levels of a picture: uint8 or uint16 `[H, W, 3]`, or `[H, W, 4]` with alpha.

    Args:
        picture: floats `[H, W, 3]`, which are clipped to [0, 1].
        alpha: `[H, W]` in [0, 1], which is rounded to the nearest level, or None.
        bits: 8 or 16.
        dither: whether values are dithered if there are 8 bits, and not rounded to the nearest level.

    Raises:
        PictureError: for NaN and infinity.
    """
    height, width = picture.shape[:2]
    levels = np.empty((height, width, 3 if alpha is None else 4), np.uint8 if bits == 8 else np.uint16)
    white = np.float32(np.iinfo(levels.dtype).max)
    rows = max(1, _STRIP_VALUES // (3 * width * _THRESHOLDS_SIDE)) * _THRESHOLDS_SIDE
    for start in range(0, height, rows):
        strip = slice(start, start + rows)
        colors = _unit_floats(picture[strip]) * white
        if dither and bits == 8:
            levels[strip, :, :3] = np.floor(colors + _tiled_thresholds(*colors.shape[:2]))
        else:
            levels[strip, :, :3] = np.rint(colors)
        if alpha is not None:
            levels[strip, :, 3] = np.rint(_unit_floats(alpha[strip]) * white)
    return levels


def _unit_floats(values: np.ndarray) -> np.ndarray:
    """Values as float32, clipped to [0, 1]; PictureError for NaN and infinity."""
    if not np.isfinite(values).all():
        raise PictureError("the array has NaN or infinity; expected numbers from 0 to 1: nothing was written")
    return values.astype(np.float32).clip(0, 1)


def _tiled_thresholds(height: int, width: int) -> np.ndarray:
    """Thresholds `[height, width, 1]` for pixels from the top left of a picture."""
    rows, columns = np.arange(height) % _THRESHOLDS_SIDE, np.arange(width) % _THRESHOLDS_SIDE
    return _thresholds()[rows[:, None], columns, None]


@cache
def _thresholds() -> np.ndarray:
    """Numbers between 0 and 1 in random order, as many of each; none so near to 0 or 1 that rounding errors matter."""
    order = np.random.default_rng(0).permutation(_THRESHOLDS_SIDE**2).reshape(_THRESHOLDS_SIDE, -1)
    return ((order % 256 + 0.5) / 256).astype(np.float32)
