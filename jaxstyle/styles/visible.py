"""Transparent pictures, `[H, W, 4]`: what cannot be seen has no effect on a style, or on the style of a content.

Statistics are means over positions, weighted by alpha. Features also depend on pixels nearby, so hidden pixels take
colors that continue the visible ones.
"""

import numpy as np

from jaxstyle.errors import PictureError
from jaxstyle.images import check_picture
from jaxstyle.styles.regions import resample_masks

_VISIBLE = 0.05  # alpha from which a pixel keeps its color; the colors of fainter ones are often arbitrary


def check_transparent(picture: np.ndarray) -> np.ndarray:
    """Convert a picture `[H, W, 3]` or `[H, W, 4]` to float32; the colors of hidden pixels continue the visible ones.

    An opaque picture with alpha becomes one without.

    Raises:
        PictureError: as `check_picture`, and if no pixel is visible.
    """
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[-1] != 4:
        return check_picture(picture)
    picture = np.concatenate([check_picture(picture[..., :3]), check_picture(picture[..., 1:])[..., 2:]], -1)
    alpha = picture[..., 3]
    if alpha.min() == 1:
        return picture[..., :3]
    if alpha.max() < _VISIBLE:
        raise PictureError("a picture is transparent everywhere; expected visible pixels")
    weights = np.minimum(1, alpha / _VISIBLE)
    colors = _fill(np.moveaxis(picture[..., :3], -1, 0), weights)
    return np.concatenate([np.moveaxis(colors, 0, -1), alpha[..., None]], -1)


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
    half = -(-height // 2), -(-width // 2)
    *sums, totals = resample_masks(np.concatenate([planes * weights, weights[None]]), *half)
    coarse = _fill(np.array(sums) / np.maximum(totals, 1e-6), np.minimum(1, totals * (totals > 1e-6)))
    return weights * planes + (1 - weights) * resample_masks(coarse, height, width)
