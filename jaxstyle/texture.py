"""Texture synthesis (Gatys, Ecker and Bethge, arXiv 1505.07376): a picture with a style and no content.

It is `stylize` from pink noise, with a gray canvas as the content and no content layers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.errors import PictureError
from jaxstyle.images.resizing import MIN_SIDE
from jaxstyle.networks.network import Network
from jaxstyle.optimization.progress import Progress
from jaxstyle.optimization.targets import check_no_regions
from jaxstyle.styles.measured import Style
from jaxstyle.stylize import Stylized, stylize


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
    """Make a texture with the statistics of a style, coarse to fine.

    Args:
        style: one picture `[h, w, 3]` in [0, 1] or measured `Style`, or several, which are blended.
        height, width: of the result in pixels; the longer one replaces `config.size`.
        network: the recognition network; the embedded VGG-19 by default.
        config: as for `stylize`. Settings of the content are ignored, and pink noise replaces the content in `init`.
        seed: of the noise; each seed gives another texture.
        callback: as that of `stylize`.

    Returns:
        A result `[height, width, 3]`; the content loss in its history is 0.

    Raises:
        PictureError, ConfigError, DivergedError: as `stylize`.
    """
    canvas, config = as_stylization(height, width, config)
    return stylize(canvas, style, network=network, config=config, seed=seed, callback=callback)


def as_stylization(height: int, width: int, config: StyleConfig) -> tuple[np.ndarray, StyleConfig]:
    """The content and the settings by which `stylize` makes a texture.

    Raises:
        PictureError: if the texture would be too small.
        ConfigError: for regions, which need a content.
    """
    check_no_regions(config)
    if min(height, width) < MIN_SIDE:
        raise PictureError(f"the texture would be {width} x {height} pixels; expected at least {MIN_SIDE} on each side")
    # White noise takes far more steps to lose its grain.
    init = tuple(("pink" if start == "content" else start, share) for start, share in config.init)
    canvas = np.full((height, width, 3), 0.5, np.float32)
    return canvas, replace(config, size=max(height, width), content_layers=(), init=init)
