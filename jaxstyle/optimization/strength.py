"""Strength: how much of the style a result takes, from 0, the content itself, over 1 to 2.

Below 1, the targets of the style are a blend of the content's statistics with those of the style, so that the loss of
the content falls to 0 with the strength; its initial picture, which is matched to these statistics, approaches the
content likewise. Above 1, the content has less weight.
"""

from collections.abc import Callable

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.images import resize
from jaxstyle.optimization.colors import with_kept_chroma
from jaxstyle.styles import StyleStatistics, blend_statistics

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
    return blend_statistics([measure_content(), style], (1 - share, share))


def content_weight(config: StyleConfig) -> float:
    """The weight of the content loss, which falls with the strength above 1."""
    return config.content_weight * _FADE ** max(0.0, config.strength - 1)


def finished_picture(config: StyleConfig, picture: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The picture `[h, w, 3]` to show for an optimized one: `content` itself, resized, for a strength of 0.

    Else it is the optimized one, with the chroma that it keeps; see `with_kept_chroma`.
    """
    if config.strength == 0:
        return resize(content[..., :3], *picture.shape[:2])
    return with_kept_chroma(config, picture, content)
