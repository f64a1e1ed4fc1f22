"""Transparent pictures, `[H, W, 4]`: what cannot be seen has no effect on a style, or on the style of a content.

Statistics are means over positions, weighted by alpha. Features also depend on pixels nearby, so hidden pixels take
colors that continue the visible ones.
"""

import numpy as np

from jaxstyle.errors import PictureError
from jaxstyle.images import as_numpy, check_picture

_VISIBLE = 0.05  # alpha from which a pixel keeps its color; the colors of fainter ones are often arbitrary
_TINY = 1e-6  # avoids division by zero


def check_transparent(picture: np.ndarray) -> np.ndarray:
    """Convert a picture `[H, W, 3]` or `[H, W, 4]` to float32; the colors of hidden pixels continue the visible ones.

    An opaque picture with alpha becomes one without.

    Raises:
        PictureError: as `check_picture`, and if no pixel is visible.
    """
    picture = as_numpy(picture)
    if picture.ndim != 3 or picture.shape[-1] != 4:
        return check_picture(picture)
    picture = np.concatenate([check_picture(picture[..., :3]), check_picture(picture[..., 1:])[..., 2:]], -1)
    alpha = picture[..., 3]
    if alpha.min() == 1:
        return picture[..., :3]
    if found := describe_invisible(alpha):
        raise PictureError(f"a picture {found}")
    weights = np.minimum(1, alpha / _VISIBLE)
    colors = _fill(np.moveaxis(picture[..., :3], -1, 0), weights)
    return np.concatenate([np.moveaxis(colors, 0, -1), alpha[..., None]], -1)


def describe_invisible(alpha: np.ndarray) -> str | None:
    """What is wrong with a picture of this alpha `[H, W]`, if it has no visible pixel: the end of a message."""
    most = float(alpha.max())
    if most >= _VISIBLE:
        return None
    found = f"almost transparent everywhere, at least at this size (alpha up to {most:.2g})" if most else ""
    return f"is {found or 'transparent everywhere'}; expected visible pixels"


def split_alpha(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The colors `[H, W, 3]` of a picture, and its alpha `[H, W]` or None."""
    return picture[..., :3], picture[..., 3] if picture.shape[-1] == 4 else None


def crop_to_visible(picture: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 4]` without the rows and columns at its borders that are transparent by more than half."""
    visible = picture[..., 3] >= picture[..., 3].max() / 2
    rows, columns = (np.flatnonzero(visible.any(axis)) for axis in (1, 0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fill(planes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Planes `[C, H, W]` with those of half the size, filled alike, where the weights `[H, W]` are below 1."""
    _, height, width = planes.shape
    if weights.min() == 1 or max(height, width) == 1:
        return planes
    totals = _halve(weights)
    coarse = _fill(_halve(planes * weights) / np.maximum(totals, _TINY), totals)
    return weights * planes + (1 - weights) * _double(coarse)[:, :height, :width]


def _halve(planes: np.ndarray) -> np.ndarray:
    """Means of blocks of 2 x 2 pixels; a row or column without a partner is a block of its own."""
    height, width = planes.shape[-2:]
    padding = [(0, 0)] * (planes.ndim - 2) + [(0, height % 2), (0, width % 2)]
    planes = np.pad(planes, padding, mode="edge")
    rows = planes[..., ::2, :] + planes[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def _double(planes: np.ndarray) -> np.ndarray:
    """Planes `[C, H, W]` enlarged by linear interpolation."""
    for axis in (1, 2):
        repeated = planes.repeat(2, axis)
        size = repeated.shape[axis]
        before, after = (repeated.take(np.arange(size) + step, axis, mode="clip") for step in (-1, 1))
        planes = repeated / 2 + (before + after) / 4
    return planes
