"""Texture synthesis (Gatys, Ecker and Bethge, arXiv 1505.07376): a picture in a style, without content.

A texture is a stylization that starts from pink noise, with a gray content and no content layers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from jaxstyle.arguments import check_count
from jaxstyle.config import DEFAULTS, StyleConfig, check_config
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import MIN_SIDE
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, check_without_content
from jaxstyle.styles import Style
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
    """Synthesize a texture with the statistics of a style, coarse to fine.

    Args:
        style: one picture `[h, w, 3]` in [0, 1] or measured `Style`, or several, which are blended.
        height: the height of the result in pixels; the longer side replaces `config.size`.
        width: the width of the result in pixels.
        network: the recognition network; the embedded VGG-19 by default.
        config: as for `stylize`. The content layers and weight are ignored, and pink noise replaces the content in
            `init`.
        seed: the seed of the noise; another seed gives another texture.
        callback: called with a `Progress`; see `stylize`.

    Returns:
        A result with an image `[height, width, 3]`; the content loss in its history is 0.

    Raises:
        PictureError, ConfigError, DivergedError: see `stylize`.
    """
    config = texture_config(height, width, config)
    return stylize(texture_content(height, width), style, network=network, config=config, seed=seed, callback=callback)


def texture_content(height: int, width: int) -> np.ndarray:
    """The gray content `[height, width, 3]` with which `stylize` synthesizes a texture."""
    return np.full((height, width, 3), 0.5, np.float32)


def texture_config(height: int, width: int, config: StyleConfig) -> StyleConfig:
    """The settings with which `stylize` synthesizes a texture.

    Raises:
        PictureError: if the texture would be too small.
        ConfigError: for regions, colors or a strength, which need a content; for a side that is no whole number.
    """
    check_config(config)
    check_count("height", height)
    check_count("width", width)
    check_without_content(config)
    if config.strength != 1:
        raise ConfigError(f"strength is {config.strength:g}, but a texture has no content to stay close to; expected 1")
    if min(height, width) < MIN_SIDE:
        raise PictureError(f"the texture would be {width} x {height} pixels; expected at least {MIN_SIDE} on each side")
    # Pink noise, because the grain of white noise takes many more steps to disappear.
    init = dict(config.init)
    if share := init.pop("content", 0):
        init["pink"] = init.get("pink", 0) + share
    return replace(config, size=max(height, width), content_layers=(), init=tuple(init.items()))
