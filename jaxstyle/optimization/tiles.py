"""The loss of a picture and its gradient by tiles: exact, in memory that does not grow with the picture.

The loss is a function of sums over positions. A first pass over the windows of the picture (see `windows`) adds up the
sums of their tiles. From these follow the loss and its derivatives with respect to the sums. A second pass computes
every window again, with the gradient of its sums, and adds that to the gradient of the picture.

The derivative is written here by hand: JAX would store the features of all windows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.networks import Network
from jaxstyle.optimization.losses import (
    VariationSums,
    content_loss_of_sums,
    content_sums,
    style_distance,
    total_variation_of_sums,
    variation_sums,
)
from jaxstyle.optimization.objective import Objective, Terms
from jaxstyle.optimization.windows import Window, Windows, cover, margins_for, pad_to, read
from jaxstyle.styles import Layers, PositionSums, Sums, feature_means, nonzero, representation_sums, sum_color_moments

Result = TypeVar("Result")


@flax.struct.dataclass
class PictureSums:
    """The sums over positions of which the loss is a function.

    Attributes:
        content: see `content_sums`.
        style: see `PositionSums`; for K regions all arrays have a leading axis.
        color: the sums of the color moments, `[13, 8]` or `[K, 13, 8]`, and of their weights, `[]` or `[K]`.
        variation: see `variation_sums`.
    """

    content: dict[str, tuple[jax.Array, ...]]
    style: Sums
    color: tuple[jax.Array, jax.Array]
    variation: VariationSums


def terms_and_gradient(
    network: Network, objective: Objective, picture: jax.Array, tile_size: int
) -> tuple[Terms, jax.Array]:
    """The loss of a picture `[H, W, 3]` with its terms, and its gradient, by tiles of about `tile_size` pixels a side.

    The objective must be that of a picture without padding.

    Raises:
        ConfigError: for a style representation that is no function of sums over positions.
    """
    tiled = _TiledObjective.of(network, objective, (picture.shape[0], picture.shape[1]), tile_size)
    windows, shape = jax.tree.map(jnp.asarray, tiled.windows.all), tiled.windows.shape
    padded = pad_to(picture, tiled.windows.covered)

    def add_sums(carry: tuple[PictureSums, Layers], window: Window) -> tuple[tuple[PictureSums, Layers], None]:
        total, centers = carry
        pixels = read(padded, window.origin, shape)
        features = tiled.features(pixels, window)
        # The features are centered at the means of the first window, so that rounding errors stay small.
        centers = jax.tree.map(partial(jnp.where, window.is_first), tiled.means(features, window), centers)
        sums = tiled.sums(features, pixels, window, centers)
        return (jax.tree.map(jnp.add, total, sums), centers), None

    (sums, centers), _ = lax.scan(add_sums, tiled.zeros(), windows)
    (_, terms), cotangent = jax.value_and_grad(tiled.loss, has_aux=True)(sums, centers)

    def add_gradient(gradient: jax.Array, window: Window) -> tuple[jax.Array, None]:
        def sums_of(pixels: jax.Array) -> PictureSums:
            return tiled.sums(tiled.features(pixels, window), pixels, window, centers)

        _, transpose = jax.vjp(sums_of, read(padded, window.origin, shape))
        added = read(gradient, window.origin, shape) + transpose(cotangent)[0]
        return lax.dynamic_update_slice(gradient, added, (*window.origin, jnp.zeros_like(window.origin[0]))), None

    gradient, _ = lax.scan(add_gradient, jnp.zeros_like(padded), windows)
    return terms, gradient[: picture.shape[0], : picture.shape[1]]


@dataclass(frozen=True, eq=False)
class _TiledObjective:
    """An objective as a function of sums over the positions of tiles.

    Attributes:
        network: the recognition network.
        objective: the objective, with arrays that cover all windows.
        windows: the windows of the picture.
        layers: the layers to compute, the shallowest first.
        strides: the stride of each layer in pixels.
        extents: height and width `[2]` of each layer in the whole picture.
    """

    network: Network
    objective: Objective
    windows: Windows
    layers: tuple[str, ...]
    strides: dict[str, int]
    extents: dict[str, np.ndarray]

    @classmethod
    def of(cls, network: Network, objective: Objective, shape: tuple[int, int], tile_size: int) -> Self:
        """The objective of a picture of this height and width."""
        reach, needed = representation_sums(objective.representation).reach, {*objective.content, *objective.style}
        layers = tuple(layer for layer in network.layers if layer in needed)
        margins = margins_for(network, {layer: reach if layer in objective.style else 0 for layer in layers})
        windows = cover(*shape, tile_size, margins)
        strides = {layer: network.receptive_field(layer).stride for layer in layers}
        extents = {layer: network.extent_at(layer, np.array(shape)) for layer in layers}

        def covering(array: jax.Array, layer: str, axis: int = 0) -> jax.Array:
            positions = network.extent_at(layer, np.array(windows.shape))
            return pad_to(array, windows.positions(strides[layer], positions), axis=axis)

        content = {layer: covering(target, layer) for layer, target in objective.content.items()}
        if (regions := objective.regions) is not None:
            regions = replace(
                regions,
                picture=pad_to(regions.picture, windows.covered, axis=1),
                layers={layer: covering(weights, layer, axis=1) for layer, weights in regions.layers.items()},
            )
        objective = replace(objective, content=content, regions=regions)
        return cls(network, objective, windows, layers, strides, extents)

    @property
    def representation(self) -> PositionSums:
        """The style representation."""
        return representation_sums(self.objective.representation)

    def features(self, pixels: jax.Array, window: Window) -> Layers:
        """The features of a window, 0 beyond the picture."""
        return self.network.features(pixels, self.layers, extent=self.windows.extent(window))

    def means(self, features: Layers, window: Window) -> Layers:
        """The means of the features that describe the style, `{layer: [C]}` or `{layer: [K, C]}`."""
        features = self._of_style(features)
        return self._for_regions(partial(feature_means, features))(self._style_weights(features, window))

    def zeros(self) -> tuple[PictureSums, Layers]:
        """The sums and the means of nothing."""

        def of_window(pixels: jax.Array, window: Window) -> tuple[PictureSums, Layers]:
            features = self.features(pixels, window)
            means = self.means(features, window)
            return self.sums(features, pixels, window, means), means

        pixels, first = jnp.zeros((*self.windows.shape, 3)), jax.tree.map(lambda table: table[0], self.windows.all)
        shapes = jax.eval_shape(of_window, pixels, first)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def sums(self, features: Layers, pixels: jax.Array, window: Window, centers: Layers) -> PictureSums:
        """The sums over the positions of the window's tile."""
        content = self.objective.content
        targets = {layer: self._read(target, window, layer, features[layer].shape) for layer, target in content.items()}
        counted = {layer: self._counted(window, layer, features[layer].shape, self.extents[layer]) for layer in content}
        pixels_counted = self.windows.counted(window, 1, self.windows.shape, np.array(self.windows.picture))
        return PictureSums(
            content=content_sums(features, targets, counted),
            style=self._style_sums(self._of_style(features), window, centers),
            color=self._color_sums(pixels, window, pixels_counted),
            variation=variation_sums(pixels, pixels_counted),
        )

    def loss(self, sums: PictureSums, centers: Layers) -> tuple[jax.Array, Terms]:
        """The loss that follows from the sums of all tiles, and its terms."""
        objective, normalization = self.objective, self.objective.normalization
        measured = self._for_regions(self.representation.statistics)(sums.style, centers)
        cosines, weight = sums.color
        terms = objective.weighted(
            content=content_loss_of_sums(sums.content, weights=objective.content_layers, normalization=normalization),
            style=style_distance(
                measured,
                objective.style,
                weights=objective.style_layers,
                normalization=normalization,
                representation=objective.representation,
                shares=None if objective.regions is None else objective.regions.shares,
            ),
            color=objective.color_loss(cosines / nonzero(weight)[..., None, None]),
            tv=total_variation_of_sums(sums.variation, max(self.windows.picture)),
        )
        return terms.total, terms

    def _of_style(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {layer: values[layer] for layer in self.layers if layer in self.objective.style}

    def _for_regions(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """The function, or with regions that of arrays with a leading axis `[K, ...]`."""
        return function if self.objective.regions is None else jax.vmap(function)

    def _style_sums(self, features: Layers, window: Window, centers: Layers) -> Sums:
        extents = self.representation.extents(self._of_style(self.extents))
        counted = {
            layer: self._counted(window, layer, value.shape, extents[layer]) for layer, value in features.items()
        }

        def add(centers: Layers, weights: Layers) -> Sums:
            return self.representation.add(features, centers, weights, counted)

        with jax.default_matmul_precision("highest"):
            return self._for_regions(add)(centers, self._style_weights(features, window))

    def _style_weights(self, features: Layers, window: Window) -> Layers:
        """The weights of the window's positions, `{layer: [h, w]}` or `{layer: [K, h, w]}`: 0 beyond the picture."""
        if (regions := self.objective.regions) is not None:
            return {
                layer: self._read(regions.layers[layer], window, layer, value.shape, axis=1)
                for layer, value in features.items()
            }
        whole = replace(window, begin=window.origin, end=window.origin + np.array(self.windows.shape))
        return {
            layer: self._counted(whole, layer, value.shape, self.extents[layer]) for layer, value in features.items()
        }

    def _color_sums(self, pixels: jax.Array, window: Window, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
        def add(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
            return sum_color_moments(pixels, weights * counted), (weights * counted).sum()

        regions = self.objective.regions
        weights = counted if regions is None else read(regions.picture, window.origin, counted.shape, axis=1)
        return self._for_regions(add)(weights)

    def _counted(self, window: Window, layer: str, shape: tuple[int, ...], extent: Any) -> jax.Array:
        return self.windows.counted(window, self.strides[layer], shape, extent)

    def _read(self, array: jax.Array, window: Window, layer: str, shape: tuple[int, ...], axis: int = 0) -> jax.Array:
        """The values at the positions of a layer in a window, whose height and width are given."""
        return read(array, window.origin // self.strides[layer], shape, axis=axis)
