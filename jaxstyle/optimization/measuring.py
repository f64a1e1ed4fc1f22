"""Measuring pictures at their current size, as a whole or by tiles."""

import numpy as np
from jax.typing import ArrayLike

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization.losses import content_targets
from jaxstyle.optimization.tiles import content_targets_by_tiles, statistics_by_tiles
from jaxstyle.styles import Layers, Regions, StyleStatistics, measure_statistics


def content_of_picture(network: Network, config: StyleConfig, picture: ArrayLike) -> Layers:
    """The content targets of a picture `[H, W, 3]` at its current size, as a whole or by tiles."""
    network, layers, tile_size = network.direct(), config.content_names, config.tile_size_for(np.shape(picture))
    if tile_size is None:
        return content_targets(network, picture, layers)
    return content_targets_by_tiles(network, picture, layers, tile_size=tile_size)


def statistics_of_picture(
    network: Network,
    config: StyleConfig,
    picture: ArrayLike,
    regions: Regions | None = None,
    layers: tuple[str, ...] | None = None,
) -> StyleStatistics:
    """The statistics of a picture `[H, W, 3]` at its current size, or of its regions, as a whole or by tiles.

    `layers` are the style layers by default.
    """
    layers = config.style_names if layers is None else layers
    arguments = network.direct(), picture, layers, config.style_representation, regions
    tile_size = config.tile_size_for(np.shape(picture))
    return measure_statistics(*arguments) if tile_size is None else statistics_by_tiles(*arguments, tile_size=tile_size)
