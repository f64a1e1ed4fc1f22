"""The loss of a picture, its gradient and its targets by tiles: exact, in memory that hardly grows with the picture.

The loss is a function of sums over positions. A first pass over the windows of the picture (see `windows`) adds up the
sums of their tiles. From these follow the loss and its derivatives with respect to the sums. A second pass computes
every window again, with the gradient of its sums, and adds that to the gradient of the picture.

The derivative is written here by hand: JAX would store the features of all windows.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.compilation import CachedFunction
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization.losses import content_loss_of_sums, style_distance, total_variation_of_sums
from jaxstyle.optimization.objective import Objective, Terms
from jaxstyle.optimization.tile_sums import PictureSums, TileSums
from jaxstyle.optimization.windows import Window, cover, margins_for, pad_to, read, write
from jaxstyle.styles import Layers, Regions, StyleStatistics, first_and_second_moments


def terms_and_gradient(network: Network, objective: Objective, picture: jax.Array) -> tuple[Terms, jax.Array]:
    """The loss of a picture `[H, W, 3]` with its terms, and its gradient, by tiles of `objective.tile_size` pixels.

    Raises:
        ConfigError: for a style representation that is no function of sums over positions.
    """
    tiles = TileSums.of(
        network,
        (picture.shape[0], picture.shape[1]),
        objective.tile_size or max(picture.shape),
        content=objective.content,
        style_layers=objective.style,
        representation=objective.representation,
        regions=objective.regions,
    )
    padded, shape = pad_to(picture, tiles.windows.covered), tiles.windows.shape
    sums, centers = _add_up(tiles, padded)
    (_, terms), cotangent = jax.value_and_grad(partial(_loss, objective, tiles), has_aux=True)(sums, centers)

    def add_gradient(gradient: jax.Array, window: Window) -> tuple[jax.Array, None]:
        def sums_of(pixels: jax.Array) -> PictureSums:
            return tiles.sums(tiles.features(pixels, window), pixels, window, centers)

        _, transpose = jax.vjp(sums_of, read(padded, window.origin, shape))
        return write(gradient, window.origin, read(gradient, window.origin, shape) + transpose(cotangent)[0]), None

    gradient, _ = lax.scan(add_gradient, jnp.zeros_like(padded), tiles.windows.all)
    return terms, gradient[: picture.shape[0], : picture.shape[1]]


def _add_up(tiles: TileSums, padded: jax.Array) -> tuple[PictureSums, Layers]:
    """The sums of all tiles, and the centers of the features in them.

    Features are centered at their means in the first window, so that rounding errors stay small.
    """

    def add_sums(carry: tuple[PictureSums, Layers], window: Window) -> tuple[tuple[PictureSums, Layers], None]:
        total, centers = carry
        pixels = read(padded, window.origin, tiles.windows.shape)
        features = tiles.features(pixels, window)
        centers = jax.tree.map(partial(jnp.where, window.is_first), tiles.means(features, window), centers)
        sums = tiles.sums(features, pixels, window, centers)
        return (jax.tree.map(jnp.add, total, sums), centers), None

    return lax.scan(add_sums, tiles.zeros(), tiles.windows.all)[0]


def _loss(objective: Objective, tiles: TileSums, sums: PictureSums, centers: Layers) -> tuple[jax.Array, Terms]:
    """The loss that follows from the sums of all tiles, and its terms."""
    measured, colors = tiles.statistics(sums, centers)
    terms = objective.weighted(
        content=content_loss_of_sums(
            sums.content, weights=objective.content_layers, normalization=objective.normalization
        ),
        style=style_distance(
            measured,
            objective.style,
            weights=objective.style_layers,
            normalization=objective.normalization,
            representation=objective.representation,
            shares=None if objective.regions is None else objective.regions.shares,
        ),
        color=objective.color_loss(colors),
        tv=total_variation_of_sums(sums.variation, max(tiles.windows.picture)),
    )
    terms = jax.tree.map(lambda value: value.astype(jnp.float32), terms)
    return terms.total, terms


@partial(CachedFunction, static_argnames=("layers", "tile_size"), compiler_options=COMPILER_OPTIONS)
def content_targets_by_tiles(network: Network, picture: jax.Array, layers: Sequence[str], *, tile_size: int) -> Layers:
    """`content_targets` of a picture `[H, W, 3]`, by tiles of about `tile_size` pixels a side."""
    shape = (picture.shape[0], picture.shape[1])
    windows = cover(*shape, tile_size, margins_for(network, dict.fromkeys(layers, 0)))
    padded = pad_to(picture, windows.covered)
    strides = {layer: network.receptive_field(layer).stride for layer in layers}
    extents = {layer: network.extent_at(layer, np.array(shape)) for layer in layers}

    def write_tile(targets: Layers, window: Window) -> tuple[Layers, None]:
        pixels = read(padded, window.origin, windows.shape)
        written = {}
        for layer, value in network.features(pixels, layers, extent=windows.extent(window)).items():
            corner = window.origin // strides[layer]
            counted = windows.counted(window, strides[layer], value.shape, extents[layer])[..., None] > 0
            tile = jnp.where(counted, value, read(targets[layer], corner, value.shape))
            written[layer] = write(targets[layer], corner, tile)
        return written, None

    values = jax.eval_shape(lambda pixels: network.features(pixels, layers), jnp.zeros((*windows.shape, 3)))
    targets = {
        layer: jnp.zeros((*windows.positions(strides[layer], value.shape), value.shape[-1]), value.dtype)
        for layer, value in values.items()
    }
    targets, _ = lax.scan(write_tile, targets, windows.all)
    return {layer: value[: extents[layer][0], : extents[layer][1]] for layer, value in targets.items()}


@partial(CachedFunction, static_argnames=("layers", "representation", "tile_size"), compiler_options=COMPILER_OPTIONS)
def statistics_by_tiles(
    network: Network,
    picture: jax.Array,
    layers: tuple[str, ...],
    representation: str = "gram",
    regions: Regions | None = None,
    *,
    tile_size: int,
) -> StyleStatistics:
    """`measure_statistics` of a style picture `[H, W, 3]`, by tiles of about `tile_size` pixels a side.

    Raises:
        ConfigError: for a style representation that is no function of sums over positions.
    """
    tiles = TileSums.of(
        network,
        (picture.shape[0], picture.shape[1]),
        tile_size,
        content={},
        style_layers=layers,
        representation=representation,
        regions=regions,
    )
    sums, centers = _add_up(tiles, pad_to(picture, tiles.windows.covered))
    measured, colors = tiles.statistics(sums, centers)
    weights = () if regions is None else (regions.picture,)
    mean, second = tiles.for_regions(partial(first_and_second_moments, picture))(*weights)
    return StyleStatistics(measured, colors, mean, second)
