"""The objective: a weighted sum of content loss, style loss, color distance, total variation and excess of grain.

In the notation of Gatys et al. (arXiv 1508.06576), with the losses C_l and E_l of a layer as `losses` defines them,

    loss = alpha sum_l w_l C_l + beta sum_l w_l E_l + color_weight color + tv_weight tv + grain_weight grain.

With regions, color distance and grain are the means of those of the regions, weighted by their shares of the content.

Pictures of a batch are padded to a common shape. `extent`, an array `[2]`, is the height and width of the valid
positions in the upper left of a padded picture or of its features. The rest is padding and has no effect on the loss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from jax.typing import ArrayLike

from jaxstyle.compilation import register_output
from jaxstyle.config import TERMS, StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization.bands import AXIS, Bands
from jaxstyle.optimization.losses import content_loss, normalize_weights, style_loss, total_variation
from jaxstyle.optimization.strength import content_weight
from jaxstyle.styles import (
    REPRESENTATIONS,
    TINY,
    Layers,
    Regions,
    StyleStatistics,
    color_distance,
    color_moments,
    grain_excess,
    measure_grain,
    valid_mask,
)


@register_output
@flax.struct.dataclass
class Terms:
    """The loss and its unweighted terms, as scalars or with one entry for each step."""

    total: jax.Array
    content: jax.Array
    style: jax.Array
    color: jax.Array
    tv: jax.Array
    grain: jax.Array


@flax.struct.dataclass
class Objective:
    """The loss as a function of the picture, with its targets and weights.

    A pytree, so that other targets and weights of the same shapes need no new compilation.

    Attributes:
        content: the target of each content layer.
        style: the target of each style layer.
        color: the color moments of the style, or of each of its regions.
        color_unit: the distance of the style's colors from their mean, by which the color term is divided.
        grain: the grain of the style, `[4]`, or of each of its regions, `[K, 4]`.
        content_layers: the weight of each content layer, w_l, adding up to 1.
        style_layers: the weight of each style layer, w_l, adding up to 1.
        weights: the weights of the terms "content" (alpha), "style" (beta), "color", "tv" and "grain".
        extent: height and width `[2]` of the valid positions of a padded picture; None without padding.
        regions: the regions of the content, if `style`, `color` and `grain` have a leading axis for regions; else None.
        normalization: "relative" or "gatys".
        representation: the style representation; see `StyleConfig.style_representation`.
        tile_size: the size of the tiles by which the loss is computed, in pixels a side; None for whole pictures.
        bands: how pictures, content and regions are split over devices, if they are.
    """

    content: Layers
    style: Layers
    color: jax.Array
    color_unit: jax.Array
    grain: jax.Array
    content_layers: Layers
    style_layers: Layers
    weights: Layers
    extent: jax.Array | None
    regions: Regions | None
    normalization: str = flax.struct.field(pytree_node=False)
    representation: str = flax.struct.field(pytree_node=False)
    tile_size: int | None = flax.struct.field(pytree_node=False, default=None)
    bands: Bands | None = flax.struct.field(pytree_node=False, default=None)

    def terms(self, network: Network, picture: jax.Array) -> Terms:
        """The loss of a picture `[H, W, 3]` and its terms."""
        layers = network.in_order({*self.content, *self.style})
        features = network.features(picture, layers, extent=self.extent)
        extents, mask, valid_fraction = None, None, None
        if self.extent is not None:
            extents = {layer: network.extent_at(layer, self.extent) for layer in layers}
            mask = valid_mask(picture.shape, self.extent)
            valid_fraction = {layer: _valid_fraction(features[layer].shape, extents[layer]) for layer in layers}
        content = content_loss(
            features,
            self.content,
            weights=self.content_layers,
            normalization=self.normalization,
            valid_fraction=valid_fraction,
        )
        style = self._style(features, extents, valid_fraction)
        longest = None if self.extent is None else self.extent.max()
        tv = total_variation(picture, weights=mask, longest=longest)
        color = self.color_loss(self._of_pixels(color_moments, picture, mask))
        excess = self.grain_loss(self._of_pixels(measure_grain, picture, mask))
        return self.weighted(content=content, style=style, color=color, tv=tv, grain=excess)

    def weighted(self, **values: jax.Array) -> Terms:
        """The loss for the values of its terms."""
        total = sum((self.weights[name] * value for name, value in values.items()), jnp.zeros(()))
        return Terms(total=total, **values)

    def specs(self) -> "Objective":
        """How the arrays are split over devices: content and regions by rows, the others not at all."""
        specs = jax.tree.map(lambda _: P(), self)
        regions = self.regions and jax.tree.map(lambda leaf: P(None, AXIS) if leaf.ndim == 3 else P(), self.regions)
        return replace(specs, content=dict.fromkeys(self.content, P(AXIS)), regions=regions)

    def split(self, network: Network, bands: Bands) -> "Objective":
        """The objective with its arrays on the devices of the bands."""

        def fit(array: Any, layer: str, axis: int) -> Any:
            return bands.fit(array, axis=axis, stride=network.receptive_field(layer).stride)

        content = {layer: fit(value, layer, 0) for layer, value in self.content.items()}
        regions = self.regions and replace(
            self.regions,
            picture=bands.fit(self.regions.picture, axis=1),
            layers={layer: fit(weights, layer, 1) for layer, weights in self.regions.layers.items()},
        )
        objective = replace(self, content=content, regions=regions, bands=bands)
        shardings = jax.tree.map(lambda spec: NamedSharding(bands.mesh, spec), objective.specs())
        return jax.device_put(objective, shardings)

    def _style(self, features: Layers, extents: Layers | None, valid_fraction: Layers | None) -> jax.Array:
        options: Any = {"weights": self.style_layers, "normalization": self.normalization}
        if self.regions is not None:
            options |= {"position_weights": self.regions.layers, "shares": self.regions.shares}
        elif REPRESENTATIONS[self.representation].is_mean:  # cheaper than weights; features are 0 in the padding
            options |= {"valid_fraction": valid_fraction}
        elif extents is not None:
            masks = {layer: valid_mask(features[layer].shape, extents[layer]) for layer in self.style}
            options |= {"position_weights": masks}
        return style_loss(features, self.style, representation=self.representation, **options)

    def _of_pixels(self, measure: Callable[..., jax.Array], picture: jax.Array, mask: jax.Array | None) -> jax.Array:
        """What `measure` says of the pixels of the picture, or of each region."""
        if self.regions is None:
            return measure(picture, weights=mask)
        return jax.vmap(lambda weights: measure(picture, weights=weights))(self.regions.picture)

    def color_loss(self, moments: jax.Array) -> jax.Array:
        """The color distance for the color moments of the picture, `[13, 8]`, or of its regions, `[K, 13, 8]`."""
        return self._of_regions(color_distance(moments, self.color) / self.color_unit)

    def grain_loss(self, value: jax.Array) -> jax.Array:
        """The excess of grain for the grain of the picture, `[4]`, or of its regions, `[K, 4]`."""
        return self._of_regions(grain_excess(value, self.grain))

    def _of_regions(self, value: jax.Array) -> jax.Array:
        return value if self.regions is None else jnp.dot(self.regions.shares, value)


def make_objective(
    config: StyleConfig,
    content: Layers,
    style: StyleStatistics,
    *,
    extent: ArrayLike | None = None,
    regions: Regions | None = None,
    tile_size: int | None = None,
) -> Objective:
    """Make the objective for a content and a style.

    Args:
        config: the layers and weights, and how to compare.
        content: from `content_targets`.
        style: the statistics of the style, or of its regions.
        extent: height and width `[2]` of the valid positions, if the content and the pictures are padded.
        regions: the regions of the content, if the statistics are those of regions.
        tile_size: the size of tiles in pixels a side, for a picture without padding; None to compute it as a whole.
    """
    weights = {name: getattr(config, f"{name}_weight") for name in TERMS}
    weights |= {"content": content_weight(config)}
    return Objective(
        content=content,
        style={layer: style.measured[layer] for layer in config.style_names},
        color=style.color,
        color_unit=_color_unit(style.color, style.mean),
        grain=style.grain,
        content_layers=_arrays(normalize_weights(config.weights_of("content_layers"))),
        style_layers=_arrays(normalize_weights(config.weights_of("style_layers"))),
        weights=_arrays(weights),
        extent=_integers(extent),
        regions=jax.tree.map(jnp.asarray, regions),
        normalization=config.normalization,
        representation=config.style_representation,
        tile_size=tile_size,
    )


@jax.jit
def _color_unit(color: jax.Array, mean: jax.Array) -> jax.Array:
    """The distance of a color distribution from its mean color."""
    return color_distance(color, color_moments(mean[..., None, None, :])) + TINY


def _valid_fraction(shape: Sequence[int], extent: jax.Array) -> jax.Array:
    """The fraction of positions that are valid."""
    return extent.prod() / (shape[0] * shape[1])


def _arrays(numbers: Mapping[str, float]) -> Layers:
    # In NumPy: those of many pairs then go to the device at once.
    arrays: Any = {name: np.asarray(number, np.float32) for name, number in numbers.items()}
    return arrays


def _integers(extent: Any) -> Any:
    return np.asarray(extent, np.int32) if isinstance(extent, np.ndarray) else extent
