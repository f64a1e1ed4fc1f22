"""A picture of a style and of nothing else: texture synthesis (Gatys, Ecker and Bethge, arXiv 1505.07376).

It is `stylize` from pink noise, with a plain canvas in the place of the content, and no layer to compare with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jaxstyle.aims import check_whole
from jaxstyle.config import StyleConfig
from jaxstyle.errors import PictureError
from jaxstyle.images import MIN_SIDE
from jaxstyle.networks import Network
from jaxstyle.styles import Style
from jaxstyle.stylize import DEFAULTS, Progress, Stylized, stylize


def texture(
    style: np.ndarray | Style | Sequence[np.ndarray | Style],
    *,
    height: int,
    width: int,
    network: Network | None = None,
    config: StyleConfig = DEFAULTS,
    seed: int = 0,
    callback: Callable[[Progress], None] | None = None,
) -> Stylized:
    """Make a texture, which has the style's statistics and no content, coarse to fine.

    Args:
        style: one picture `[h, w, 3]` in [0, 1] or measured `Style`, or several, which are blended.
        height, width: of the result in pixels; the longer one takes the place of `config.size`.
        network: the recognition network; the embedded VGG-19 if there is none.
        config: as for `stylize`. What it says of the content means nothing, and it starts from pink noise instead.
        seed: of the noise: every seed gives another texture.
        callback: as that of `stylize`.

    Returns:
        A result `[height, width, 3]`; the content's loss in its history is 0.

    Raises:
        PictureError, ConfigError, DivergedError: as `stylize`.
    """
    canvas, config = as_stylisation(height, width, config)
    return stylize(canvas, style, network=network, config=config, seed=seed, callback=callback)


def as_stylisation(height: int, width: int, config: StyleConfig) -> tuple[np.ndarray, StyleConfig]:
    """The content and the settings by which `stylize` makes a texture.

    Raises:
        PictureError: if the texture would be too small.
        ConfigError: for regions, which are those of a content too.
    """
    check_whole(config)
    if min(height, width) < MIN_SIDE:
        raise PictureError(f"the texture would be {width} x {height} pixels; expected at least {MIN_SIDE} on each side")
    # White noise takes far more steps to lose its grain.
    init = tuple(("pink" if start == "content" else start, share) for start, share in config.init)
    canvas = np.full((height, width, 3), 0.5, np.float32)
    return canvas, replace(config, size=max(height, width), content_layers=(), init=init)
