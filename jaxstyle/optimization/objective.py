"""What is minimized: how far a picture is from the content and from the style, and its terms.

In the notation of Gatys et al. (arXiv 1508.06576): P^l and F^l are the features of the content and of the picture in
layer l, `[H, W, N_l]` with M_l = H W positions; A^l and G^l the Gram matrices of the style and of the picture; w_l the
weight of a layer; alpha and beta those of content and style. With E_l and C_l a layer's style and content loss,

    loss = alpha sum_l w_l C_l + beta sum_l w_l E_l + color + tv,    the w_l of each sum scaled to add up to 1.

"relative" layers measure the residual against the target, so that a layer's scale, size and depth do not matter:

    C_l = |F - P|^2 / |P|^2            E_l = |G - A|^2 / |A|^2

"gatys" layers are the paper's (eqs. 1 and 4), the content loss divided by M_l as the style loss already is:

    C_l = 1/(2 M_l) sum (F - P)^2      E_l = 1/(4 N_l^2) sum (G - A)^2,    G and A being means over positions.

In the place of Gram matrices, G and A may be what any of `representations` measures, the factor 1/N_l^2 being one over
its number of entries. With regions k that have the shares s_k of the content, G and A are those of each region, and

    E_l = sum_k s_k E_lk,    and so with the color term.

All functions are pure, and take one picture; `vmap` makes them take many.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jaxstyle.compilation.cached import CachedFunction
from jaxstyle.config import StyleConfig
from jaxstyle.networks.network import Network
from jaxstyle.styles.measured import Layers, StyleStatistics
from jaxstyle.styles.regions import Regions
from jaxstyle.styles.representations import measure_features
from jaxstyle.styles.statistics import color_distance, color_moments

# Added to what a relative term is divided by: flat black pictures have targets of nothing.
_TINY = 1e-6


@flax.struct.dataclass
class Terms:
    """The loss and its parts, each before its weight; scalars, or one entry for each step."""

    total: jax.Array
    content: jax.Array
    style: jax.Array
    color: jax.Array
    tv: jax.Array


@flax.struct.dataclass
class Objective:
    """Targets and weights: everything about the wanted picture. A pytree, so that a new one needs no new compilation.

    Attributes:
        content, style: targets by layer.
        color: color moments of the style.
        color_unit: the distance of the style's colors from their own mean, in which the color term is measured.
        content_layers, style_layers: w_l, adding up to 1.
        weights: of the terms "content" (alpha), "style" (beta), "color" and "tv".
        extent: the height and width `[2]` of what counts, in the upper left of a padded picture; None if all does.
        regions: those of the content, if the targets of style and color are of as many; else None.
        normalization: "relative" or "gatys".
        representation: of the style; see `StyleConfig.style_representation`.
    """

    content: Layers
    style: Layers
    color: jax.Array
    color_unit: jax.Array
    content_layers: Layers
    style_layers: Layers
    weights: Layers
    extent: jax.Array | None
    regions: Regions | None
    normalization: str = flax.struct.field(pytree_node=False)
    representation: str = flax.struct.field(pytree_node=False)

    def terms(self, network: Network, picture: jax.Array) -> Terms:
        """The loss of a picture `[H, W, 3]` and its parts."""
        layers = tuple(layer for layer in network.layers if layer in self.content or layer in self.style)
        features = network.features(picture, layers, extent=self.extent)
        inside, filled = None, None
        if self.extent is not None:
            inside = _inside(picture.shape, self.extent)
            filled = {layer: _filled(features[layer], network.extent_at(layer, self.extent)) for layer in layers}
        parts = {
            "content": content_loss(
                features, self.content, weights=self.content_layers, normalization=self.normalization, filled=filled
            ),
            "style": self._style(network, features, filled),
            "color": self._color(picture, inside),
            "tv": total_variation(picture, weights=inside),
        }
        return Terms(total=sum((self.weights[name] * part for name, part in parts.items()), jnp.zeros(())), **parts)

    def _style(self, network: Network, features: Layers, filled: Layers | None) -> jax.Array:
        scaling: Any = {"weights": self.style_layers, "normalization": self.normalization}
        if self.regions is not None:
            scaling |= {"positions": self.regions.layers, "shares": self.regions.shares}
        elif self.representation == "gram":
            scaling |= {"filled": filled}  # cheaper than weights that are 0 where the features are
        elif self.extent is not None:
            extents = {layer: network.extent_at(layer, self.extent) for layer in self.style}
            scaling |= {"positions": {layer: _inside(features[layer].shape, extents[layer]) for layer in self.style}}
        return style_loss(features, self.style, representation=self.representation, **scaling)

    def _color(self, picture: jax.Array, inside: jax.Array | None) -> jax.Array:
        if self.regions is None:
            return color_distance(color_moments(picture, weights=inside), self.color) / self.color_unit
        moments = jax.vmap(lambda weights: color_moments(picture, weights=weights))(self.regions.picture)
        return jnp.dot(self.regions.shares, color_distance(moments, self.color) / self.color_unit)


@partial(CachedFunction, static_argnames=("layers",))
def content_targets(
    network: Network, picture: jax.Array, layers: Sequence[str] = ("relu4_2",), *, extent: jax.Array | None = None
) -> Layers:
    """P: the features of a content picture `[H, W, 3]` by layer, each `[h, w, C]`; see `Network.features`."""
    return network.features(picture, layers, extent=extent)


def content_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
    filled: Mapping[str, jax.Array] | None = None,
) -> jax.Array:
    """sum_l w_l C_l, the distance to the content: a scalar.

    Args:
        features: F, with every layer of `targets`: `network.features(picture, tuple(targets))`.
        targets: P, from `content_targets` of a picture of the same size.
        weights: w_l, scaled here to add up to 1; equal without.
        normalization: "relative" or "gatys"; see the head of this module.
        filled: for features that are 0 beyond an extent, the share of a layer's positions that is inside.
    """

    def layer_loss(layer: str) -> jax.Array:
        value, target = features[layer], targets[layer]
        if normalization == "relative":
            return _relative(value, target)
        positions = value.shape[0] * value.shape[1] * (filled[layer] if filled else 1)
        return _square_distance(value, target) / (2 * positions)

    return _weighted_mean({layer: layer_loss(layer) for layer in targets}, weights)


def style_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
    filled: Mapping[str, jax.Array] | None = None,
    representation: str = "gram",
    positions: Mapping[str, jax.Array] | None = None,
    shares: jax.Array | None = None,
) -> jax.Array:
    """sum_l w_l E_l, the distance to the style: a scalar. Arguments as `content_loss`, the targets being A, and

    Args:
        features: the shallowest layer first, as `network.features` gives them for layers in that order.
        representation: what the targets are; see `style_targets`.
        positions: weights over the positions of each layer, `[h, w]`; or `[K, h, w]` for targets of K regions.
        shares: s_k, how much each of these regions counts, `[K]`.
    """
    own = {layer: value for layer, value in features.items() if layer in targets}
    measured = measure_features(representation, own, positions)

    def residual(value: jax.Array, target: jax.Array) -> jax.Array:
        if normalization == "relative":
            return _relative(value, target)
        return _square_distance(value, target) / (4 * value.size)

    def layer_loss(layer: str) -> jax.Array:
        value, target = measured[layer], targets[layer]
        if filled:
            value = value / filled[layer]  # zeros add nothing to the sum, only to the number of positions
        return residual(value, target) if shares is None else jnp.dot(shares, jax.vmap(residual)(value, target))

    return _weighted_mean({layer: layer_loss(layer) for layer in targets}, weights)


def total_variation(picture: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Mean squared difference between neighboring pixels of `[H, W, C]`, down plus across; 0 for a single pixel.

    With weights `[H, W]`, a difference counts as much as the lower or right one of its pixels.
    """

    def mean_square(step: jax.Array, weights: jax.Array | None) -> jax.Array:
        if weights is None:
            return jnp.mean(step**2)
        return jnp.sum(step**2 * weights[..., None]) / (weights.sum() * step.shape[-1])

    down, across = picture[1:] - picture[:-1], picture[:, 1:] - picture[:, :-1]
    below, right = (None, None) if weights is None else (weights[1:], weights[:, 1:])
    steps = [(step, share) for step, share in ((down, below), (across, right)) if step.size]
    return sum((mean_square(step, share) for step, share in steps), jnp.zeros(()))


def make_objective(
    config: StyleConfig,
    content: Layers,
    style: StyleStatistics,
    *,
    extent: ArrayLike | None = None,
    regions: Regions | None = None,
) -> Objective:
    """The objective of a content's targets, in the layers of the settings, and a style, or the regions of both.

    With an extent `[2]`, the content and all pictures to come are padded beyond that height and width.
    """
    weights = {name: getattr(config, f"{name}_weight") for name in ("content", "style", "color", "tv")}
    return Objective(
        content=content,
        style={layer: style.measured[layer] for layer in config.style_names},
        color=style.color,
        color_unit=_color_unit(style.color, style.mean),
        content_layers=_arrays(_shares(config.weights_of("content_layers"))),
        style_layers=_arrays(_shares(config.weights_of("style_layers"))),
        weights=_arrays(weights),
        extent=None if extent is None else jnp.asarray(extent, jnp.int32),
        regions=jax.tree.map(jnp.asarray, regions),
        normalization=config.normalization,
        representation=config.style_representation,
    )


@jax.jit
def _color_unit(color: jax.Array, mean: jax.Array) -> jax.Array:
    """The distance of colors from their own mean."""
    return color_distance(color, color_moments(mean[..., None, None, :])) + _TINY


def _inside(shape: Sequence[int], extent: jax.Array) -> jax.Array:
    """1 within the extent and 0 beyond, `[H, W]`."""
    rows, columns = (lax.broadcasted_iota(jnp.int32, tuple(shape[:2]), axis) < extent[axis] for axis in (0, 1))
    return (rows & columns).astype(jnp.float32)


def _filled(features: jax.Array, extent: jax.Array) -> jax.Array:
    """The share of positions that is within the extent."""
    return extent.prod() / (features.shape[0] * features.shape[1])


def _relative(value: jax.Array, target: jax.Array) -> jax.Array:
    return _square_distance(value, target) / (jnp.sum(target.astype(jnp.float32) ** 2) + _TINY)


def _square_distance(value: jax.Array, other: jax.Array) -> jax.Array:
    return jnp.sum((value.astype(jnp.float32) - other.astype(jnp.float32)) ** 2)


def _weighted_mean(values: Layers, weights: Mapping[str, jax.Array | float] | None) -> jax.Array:
    shares = _shares(weights or dict.fromkeys(values, 1.0))
    return sum((shares[layer] * value for layer, value in values.items()), jnp.zeros(()))


def _shares(weights: Mapping[Any, Any]) -> dict[Any, Any]:
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def _arrays(numbers: Mapping[str, float]) -> Layers:
    return {name: jnp.asarray(number, jnp.float32) for name, number in numbers.items()}
