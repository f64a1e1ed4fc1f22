"""The loss of a picture, its gradient and its targets by tiles: exact, in memory that hardly grows with the picture.

The loss is a function of sums over positions, and for some style representations of values at all positions, which are
put together like sums. A first pass over the windows of the picture (see `windows`) adds up those of their tiles. From
these follow the loss and its derivatives with respect to the sums. A second pass computes every window again, with the
gradient of its sums, and adds that to the gradient of the picture. Of the features, only those values take memory that
grows with the picture.

The derivative is written here by hand: JAX would store the features of all windows.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxstyle.compilation import CachedFunction
from jaxstyle.config import StyleConfig
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization.bands import AXIS
from jaxstyle.optimization.losses import content_loss_of_sums, style_distance, total_variation_of_sums
from jaxstyle.optimization.objective import Objective, Terms
from jaxstyle.optimization.tile_sums import PictureSums, TileSums, bands_of
from jaxstyle.optimization.windows import Window, cover, margins_for, pad_to, read, write
from jaxstyle.styles import Layers, Regions, StyleStatistics, first_and_second_moments


def split_over_devices(network: Network, config: StyleConfig, objective: Objective, height: int) -> Objective:
    """The objective of a picture of this height on the devices of `bands_of`, if the picture is computed by tiles."""
    bands = None if objective.tile_size is None else bands_of(network, config, height)
    return objective if bands is None else objective.split(network, bands)


def terms_and_gradient(network: Network, objective: Objective, picture: jax.Array) -> tuple[Terms, jax.Array]:
    """The loss of a picture `[H, W, 3]` with its terms, and its gradient, by tiles of `objective.tile_size` pixels.

    With bands, the picture has the rows of all of them, and each device computes its own.
    """
    bands = objective.bands
    if bands is None:
        return _terms_and_gradient(network, objective, picture, (picture.shape[0], picture.shape[1]))
    specs = P(), objective.specs(), P(AXIS)
    shape = bands.height, picture.shape[1]
    band = partial(_terms_and_gradient, shape=shape)
    return jax.shard_map(band, mesh=bands.mesh, in_specs=specs, out_specs=(P(), P(AXIS)), check_vma=False)(
        network, objective, picture
    )


def _terms_and_gradient(
    network: Network, objective: Objective, picture: jax.Array, shape: tuple[int, int]
) -> tuple[Terms, jax.Array]:
    """`terms_and_gradient` for a picture of this height and width, or for a device's band of it."""
    bands = objective.bands
    tiles = TileSums.of(
        network,
        shape,
        objective.tile_size or max(shape),
        content=objective.content,
        style_layers=objective.style,
        representation=objective.representation,
        regions=objective.regions,
        bands=bands,
    )
    windows, shape = tiles.windows, tiles.windows.shape

    def extend(picture: jax.Array) -> jax.Array:
        return pad_to(picture if bands is None else bands.extend()(picture), windows.covered)

    padded, transpose_extend = jax.vjp(extend, picture)
    sums, centers = _add_up(tiles, padded, is_split=bands is not None)
    (_, terms), cotangent = jax.value_and_grad(partial(_loss, objective, tiles), has_aux=True)(sums, centers)

    def add_gradient(gradient: jax.Array, window: Window) -> tuple[jax.Array, None]:
        def sums_of(pixels: jax.Array) -> PictureSums:
            return tiles.sums(tiles.features(pixels, window), pixels, window, centers)

        corner = windows.corner(window)
        _, transpose = jax.vjp(sums_of, read(padded, corner, shape))
        of_pixels = transpose(tiles.of_window(cotangent, window))[0]
        return write(gradient, corner, read(gradient, corner, shape) + of_pixels), None

    gradient, _ = lax.scan(add_gradient, jnp.zeros_like(padded), windows.all)
    return terms, transpose_extend(gradient)[0]


def _add_up(tiles: TileSums, padded: jax.Array, *, is_split: bool = False) -> tuple[PictureSums, Layers]:
    """The sums of all tiles, those of all devices if the picture is split, and the centers of the features in them.

    Features are centered at their means in the first window, so that rounding errors stay small.
    """
    initial = tiles.zeros()
    if is_split:
        first = jax.tree.map(lambda table: table[0], tiles.windows.all)
        pixels = read(padded, tiles.windows.corner(first), tiles.windows.shape)
        means = tiles.means(tiles.features(pixels, first), first)
        is_first = lax.axis_index(AXIS) == 0
        initial = initial[0], lax.psum(jax.tree.map(lambda mean: jnp.where(is_first, mean, 0), means), AXIS)

    def add_sums(carry: tuple[PictureSums, Layers], window: Window) -> tuple[tuple[PictureSums, Layers], None]:
        total, centers = carry
        pixels = read(padded, tiles.windows.corner(window), tiles.windows.shape)
        features = tiles.features(pixels, window)
        centers = jax.tree.map(partial(jnp.where, window.is_first), tiles.means(features, window), centers)
        sums = tiles.sums(features, pixels, window, centers)
        return (tiles.add(total, sums, window), centers), None

    (sums, centers), _ = lax.scan(add_sums, initial, tiles.windows.all)
    return (lax.psum(sums, AXIS) if is_split else sums), centers


def _loss(objective: Objective, tiles: TileSums, sums: PictureSums, centers: Layers) -> tuple[jax.Array, Terms]:
    """The loss that follows from the sums of all tiles, and its terms."""
    measured, colors, grain = tiles.statistics(sums, centers)
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
        grain=objective.grain_loss(grain),
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
    """`measure_statistics` of a style picture `[H, W, 3]`, by tiles of about `tile_size` pixels a side."""
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
    measured, colors, grain = tiles.statistics(sums, centers, of_style=True)
    weights = () if regions is None else (regions.picture,)
    mean, second = tiles.for_regions(partial(first_and_second_moments, picture))(*weights)
    return StyleStatistics(measured, colors, mean, second, grain)
