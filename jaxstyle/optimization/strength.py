"""Strength: how much of the style a result takes, from 0, the content itself, over 1 to 2.

Below 1, the targets of the style are a blend of the content's statistics with those of the style, so that the loss of
the content falls to 0 with the strength; its initial picture, which is matched to these statistics, approaches the
content likewise. Above 1, the content has less weight.

A strength mask says where the style is painted. It counts like the alpha of a transparent content, so that only what
is painted has an effect on the statistics, and the rest of the result is the content's.
"""

from collections.abc import Callable

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import PictureError
from jaxstyle.images import check_same_proportions, resize
from jaxstyle.optimization.colors import with_kept_chroma
from jaxstyle.styles import StyleStatistics, blend_statistics, check_mask, resample_masks, split_alpha

# Both were chosen for even steps of the distance to the content; docs/looks.md has figures.
_EXPONENT = 1.5  # of the strength, for the share of the style below 1
_FADE = 0.03  # factor on the content's weight at 2


def targets_of_strength(
    config: StyleConfig, style: StyleStatistics, measure_content: Callable[[], StyleStatistics]
) -> StyleStatistics:
    """The statistics to optimize towards: those of the style, below strength 1 blended with those of the content.

    The content is measured only if it is needed.
    """
    if config.strength >= 1:
        return style
    share = config.strength**_EXPONENT
    return blend_statistics([measure_content(), style], (1 - share, share), config.style_representation)


def content_weight(config: StyleConfig) -> float:
    """The weight of the content loss, which falls with the strength above 1."""
    return config.content_weight * _FADE ** max(0.0, config.strength - 1)


def check_strength_mask(mask: np.ndarray | None, content: np.ndarray) -> np.ndarray | None:
    """The strength mask `[H, W]` at the shape of the content, from `check_content`.

    Raises:
        PictureError: if it is no mask `[h, w]` in [0, 1], has other proportions than the content, or is black wherever
            the content is visible.
    """
    if mask is None:
        return None
    mask = check_mask("strength", mask, dimensions=(2,))
    check_same_proportions("the strength mask", mask.shape, "the content", content.shape)
    mask = resample_masks(mask[None], *content.shape[:2])[0]
    _, alpha = split_alpha(content)
    if alpha is not None and not (alpha * mask).any():
        raise PictureError("the strength mask is black wherever the content is visible; expected gray or white there")
    return mask


def with_strength_mask(content: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The content as it counts for the statistics, `[H, W, 4]` if there is a mask, from `check_strength_mask`."""
    if mask is None:
        return content
    color, alpha = split_alpha(content)
    return np.dstack([color, mask if alpha is None else alpha * mask])


def finished_picture(
    config: StyleConfig, picture: np.ndarray, content: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """The picture `[h, w, 3]` to show for an optimized one: with the chroma that it keeps (see `with_kept_chroma`).

    Where the strength mask is black, and everywhere for a strength of 0, it is the content itself, resized.
    """
    painted = with_kept_chroma(config, picture, content)
    if mask is None and config.strength:
        return painted
    unpainted = resize(content[..., :3], *picture.shape[:2])
    if mask is None or config.strength == 0:
        return unpainted
    share = resample_masks(mask[None], *picture.shape[:2])[0, ..., None]
    return share * painted + (1 - share) * unpainted
