"""The sums over the positions of a tile, computed from its window: of features, colors and differences of pixels.

Some style representations are no functions of sums; `TileValues` then has the tile's values.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization.bands import Bands, split_into_bands
from jaxstyle.optimization.losses import VariationSums, content_sums, variation_sums
from jaxstyle.optimization.tile_values import TileValues
from jaxstyle.optimization.windows import Margins, Window, Windows, cover, margins_for, pad_to, read
from jaxstyle.styles import (
    REPRESENTATIONS,
    Layers,
    PositionSums,
    Regions,
    Sums,
    feature_means,
    grain_sums,
    nonzero,
    sum_color_moments,
)

Result = TypeVar("Result")


@flax.struct.dataclass
class PictureSums:
    """The sums over positions of which the loss is a function.

    Attributes:
        content: see `content_sums`.
        style: see `PositionSums`; for K regions all arrays have a leading axis. Or see `TileValues`: the values of a
            window or of all windows.
        color: the sums of the color moments, `[13, 8]` or `[K, 13, 8]`, and of their weights, `[]` or `[K]`.
        grain: the sums of the grain, `[4]` or `[K, 4]`, and of its weights, `[]` or `[K]`.
        variation: see `variation_sums`.
    """

    content: dict[str, tuple[jax.Array, ...]]
    style: Any
    color: tuple[jax.Array, jax.Array]
    grain: tuple[jax.Array, jax.Array]
    variation: VariationSums


@dataclass(frozen=True, eq=False)
class TileSums:
    """The sums over the positions of the tiles of a picture, as functions of their windows.

    Attributes:
        network: the recognition network.
        windows: the windows of the picture.
        style: the style representation.
        style_layers: the layers that it describes.
        content: the target of each content layer, `[h, w, C]`, with zeros up to the end of the last window.
        regions: the regions of the picture, with weights of 0 up to the end of the last window; None for none.
        layers: the layers to compute, the shallowest first.
        strides: the stride of each of these layers in pixels.
        extents: height and width `[2]` of each layer in the whole picture.
    """

    network: Network
    windows: Windows
    style: PositionSums | TileValues
    style_layers: tuple[str, ...]
    content: Layers
    regions: Regions | None
    layers: tuple[str, ...]
    strides: dict[str, int]
    extents: dict[str, np.ndarray]

    @classmethod
    def of(
        cls,
        network: Network,
        shape: tuple[int, int],
        tile_size: int,
        *,
        content: Layers,
        style_layers: Collection[str],
        representation: str,
        regions: Regions | None,
        bands: Bands | None = None,
    ) -> Self:
        """The sums of a picture of this height and width, by tiles of about `tile_size` pixels a side.

        With bands, those of a device's band, for which it has the content and the regions. The style representation
        must then be a function of sums over positions.
        """
        layers = network.in_order({*content, *style_layers})
        margins = tile_margins(network, content, style_layers, representation)
        windows = cover(*shape, tile_size, margins) if bands is None else bands.cover(shape[1], tile_size)
        strides = {layer: network.receptive_field(layer).stride for layer in layers}
        extents = {layer: network.extent_at(layer, np.array(shape)) for layer in layers}

        def covering(array: jax.Array, layer: str, axis: int = 0) -> jax.Array:
            if bands is not None:
                array = bands.extend(axis=axis, stride=strides[layer])(array)
            positions = network.extent_at(layer, np.array(windows.shape))
            return pad_to(array, windows.positions(strides[layer], positions), axis=axis)

        content = {layer: covering(target, layer) for layer, target in content.items()}
        if regions is not None:
            weights = regions.picture if bands is None else bands.extend(axis=1)(regions.picture)
            regions = replace(
                regions,
                picture=pad_to(weights, windows.covered, axis=1),
                layers={layer: covering(regions.layers[layer], layer, axis=1) for layer in style_layers},
            )
        style_layers, basis = network.in_order(style_layers), REPRESENTATIONS[representation].basis
        style = basis if isinstance(basis, PositionSums) else TileValues.of(basis, network, windows, style_layers)
        return cls(network, windows, style, style_layers, content, regions, layers, strides, extents)

    def features(self, pixels: jax.Array, window: Window) -> Layers:
        """The features of a window, 0 beyond the picture."""
        return self.network.features(pixels, self.layers, extent=self.windows.extent(window))

    def means(self, features: Layers, window: Window) -> Layers:
        """The means of the features that describe the style, `{layer: [C]}` or `{layer: [K, C]}`."""
        features = self._of_style(features)
        return self.for_regions(partial(feature_means, features))(self._style_weights(features, window))

    def zeros(self) -> tuple[PictureSums, Layers]:
        """The sums and the means of nothing."""

        def of_window(pixels: jax.Array, window: Window) -> tuple[PictureSums, Layers]:
            features = self.features(pixels, window)
            means = self.means(features, window)
            return self.sums(features, pixels, window, means), means

        pixels, first = jnp.zeros((*self.windows.shape, 3)), jax.tree.map(lambda table: table[0], self.windows.all)
        sums, means = jax.eval_shape(of_window, pixels, first)
        if isinstance(self.style, TileValues):
            sums = replace(sums, style=self.style.shapes_of_whole(sums.style))
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (sums, means))

    def sums(self, features: Layers, pixels: jax.Array, window: Window, centers: Layers) -> PictureSums:
        """The sums over the positions of the window's tile."""
        shapes = {layer: features[layer].shape for layer in self.content}
        targets = {layer: self.read(self.content[layer], window, layer, shape) for layer, shape in shapes.items()}
        counted = {layer: self.counted(window, layer, shape) for layer, shape in shapes.items()}
        pixels_counted = self.windows.counted(window, 1, self.windows.shape, np.array(self.windows.picture))
        weights = self._pixel_weights(window)

        def add_colors(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
            return sum_color_moments(pixels, weights * pixels_counted), (weights * pixels_counted).sum()

        return PictureSums(
            content=content_sums(features, targets, counted),
            style=self._style_sums(self._of_style(features), window, centers),
            color=self.for_regions(add_colors)(weights),
            grain=self.for_regions(partial(grain_sums, pixels, counted=pixels_counted))(weights),
            variation=variation_sums(pixels, pixels_counted),
        )

    def add(self, total: PictureSums, sums: PictureSums, window: Window) -> PictureSums:
        """The total with the sums of one more tile."""
        if not isinstance(self.style, TileValues):
            return jax.tree.map(jnp.add, total, sums)
        style = self.style.add(total.style, sums.style, window)
        return replace(jax.tree.map(jnp.add, replace(total, style={}), replace(sums, style={})), style=style)

    def of_window(self, cotangent: PictureSums, window: Window) -> PictureSums:
        """The cotangent of a tile's sums, from that of the total."""
        if not isinstance(self.style, TileValues):
            return cotangent
        return replace(cotangent, style=self.style.read(cotangent.style, window))

    def statistics(
        self, sums: PictureSums, centers: Layers, *, of_style: bool = False
    ) -> tuple[Any, jax.Array, jax.Array]:
        """What describes the picture, the color moments and the grain, which follow from the sums of all tiles.

        With `of_style`, the picture is measured as a style; most representations describe both in the same way.
        """
        (cosines, weight), (grain, grain_weight) = sums.color, sums.grain
        if isinstance(self.style, TileValues):
            basis = self.style.basis
            measure = basis.measure_values if of_style else basis.describe_values
            measured = self.for_regions(partial(self.style.measure, measure, sums.style))(self._whole_weights())
        else:
            measured = self.for_regions(self.style.statistics)(sums.style, centers)
        return measured, cosines / nonzero(weight)[..., None, None], grain / nonzero(grain_weight)[..., None]

    def for_regions(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """The function, or with regions that of arrays with a leading axis `[K, ...]`."""
        return function if self.regions is None else jax.vmap(function)

    def counted(self, window: Window, layer: str, shape: tuple[int, ...], extent: Any = None) -> jax.Array:
        """1 at the positions of the tile in a layer of this height and width, and 0 at the others, `[h, w]`.

        `extent` is the height and width `[2]` that count in the whole picture, by default all.
        """
        extent = self.extents[layer] if extent is None else extent
        return self.windows.counted(window, self.strides[layer], shape, extent)

    def read(self, array: jax.Array, window: Window, layer: str, shape: tuple[int, ...], axis: int = 0) -> jax.Array:
        """The values at the positions of a layer in a window, whose height and width are given."""
        return read(array, self.windows.corner(window) // self.strides[layer], shape, axis=axis)

    def _of_style(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {layer: values[layer] for layer in self.style_layers}

    def _style_sums(self, features: Layers, window: Window, centers: Layers) -> Sums | Layers:
        style = self.style
        if isinstance(style, TileValues):
            return style.of_tile(features, window)
        extents = style.extents(self._of_style(self.extents))
        counted = {layer: self.counted(window, layer, value.shape, extents[layer]) for layer, value in features.items()}

        def add(centers: Layers, weights: Layers) -> Sums:
            return style.add(features, centers, weights, counted)

        with jax.default_matmul_precision("highest"):
            return self.for_regions(add)(centers, self._style_weights(features, window))

    def _whole_weights(self) -> Layers | None:
        """The weights of all positions of the picture, `{layer: [K, h, w]}`; None without regions."""
        if (regions := self.regions) is None:
            return None
        shapes = {layer: tuple(self.extents[layer]) for layer in self.style_layers}
        return {layer: regions.layers[layer][:, :height, :width] for layer, (height, width) in shapes.items()}

    def _style_weights(self, features: Layers, window: Window) -> Layers:
        """The weights of the window's positions, `{layer: [h, w]}` or `{layer: [K, h, w]}`: 0 beyond the picture."""
        if (regions := self.regions) is not None:
            return {
                layer: self.read(regions.layers[layer], window, layer, value.shape, axis=1)
                for layer, value in features.items()
            }
        whole = self._whole(window)
        return {layer: self.counted(whole, layer, value.shape) for layer, value in features.items()}

    def _pixel_weights(self, window: Window) -> jax.Array:
        """The weights of the window's pixels, `[H, W]` or `[K, H, W]`: 0 beyond the picture."""
        if (regions := self.regions) is not None:
            return read(regions.picture, self.windows.corner(window), self.windows.shape, axis=1)
        return self.windows.counted(self._whole(window), 1, self.windows.shape, np.array(self.windows.picture))

    def _whole(self, window: Window) -> Window:
        """The window as its own tile."""
        return replace(window, begin=window.origin, end=window.origin + np.array(self.windows.shape))


def tile_margins(
    network: Network, content_layers: Collection[str], style_layers: Collection[str], representation: str
) -> Margins:
    """The margins around tiles for these layers and a style representation."""
    reach = REPRESENTATIONS[representation].basis.reach
    return margins_for(network, {**dict.fromkeys(content_layers, 0), **dict.fromkeys(style_layers, reach)})


def margins_of(network: Network, config: StyleConfig) -> Margins:
    """`tile_margins` for the settings of a run."""
    return tile_margins(network, config.content_names, config.style_names, config.style_representation)


def bands_of(network: Network, config: StyleConfig, height: int) -> Bands | None:
    """How a picture of this height is split over the local devices, if it is computed by tiles; None for one device.

    The style representation must be a function of sums over positions: nothing else is exchanged.
    """
    is_sum = REPRESENTATIONS[config.style_representation].is_sum
    return split_into_bands(height, margins_of(network, config)) if is_sum else None


def tiled_work(network: Network, config: StyleConfig, shape: tuple[int, int]) -> float:
    """The work for a picture of this height and width relative to that for a whole one.

    By tiles, each window takes three passes in place of two; see `tiles`.
    """
    tile_size = config.tile_size_for(shape)
    if tile_size is None:
        return 1
    windows = cover(*shape, tile_size, margins_of(network, config))
    return 1.5 * len(windows.all.origin) * windows.shape[0] * windows.shape[1] / (shape[0] * shape[1])
