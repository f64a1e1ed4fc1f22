"""What is minimised: how far a picture is from the content and from the style, and its terms.

In the notation of Gatys et al. (arXiv 1508.06576): P^l and F^l are the features of the content and of the picture in
layer l, `[H, W, N_l]` with M_l = H W positions; A^l and G^l the Gram matrices of the style and of the picture; w_l the
weight of a layer; alpha and beta those of content and style. With E_l and C_l a layer's style and content loss,

    loss = alpha sum_l w_l C_l + beta sum_l w_l E_l + colour + tv,    the w_l of each sum scaled to add up to 1.

"relative" layers measure the residual against the target, so that a layer's scale, size and depth do not matter:

    C_l = |F - P|^2 / |P|^2            E_l = |G - A|^2 / |A|^2

"gatys" layers are the paper's (eqs. 1 and 4), the content loss divided by M_l as the style loss already is:

    C_l = 1/(2 M_l) sum (F - P)^2      E_l = 1/(4 N_l^2) sum (G - A)^2,    G and A being means over positions.

All functions are pure, and take one picture; `vmap` makes them take many.
"""

import operator
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network
from jaxstyle.statistics import colour_distance, colour_moments, gram_matrix

Layers = dict[str, jax.Array]
STYLE_LAYERS = tuple(layer for layer, _ in StyleConfig().style_layers)

# Added to what a relative term is divided by: flat black pictures have targets of nothing.
_TINY = 1e-6


@flax.struct.dataclass
class Terms:
    """The loss and its parts, each before its weight; scalars, or one entry for each step."""

    total: jax.Array
    content: jax.Array
    style: jax.Array
    colour: jax.Array
    tv: jax.Array


@flax.struct.dataclass
class Objective:
    """Targets and weights: everything about the wanted picture. A pytree, so that a new one needs no new compilation.

    Attributes:
        content, style: targets by layer.
        colour: colour moments of the style.
        colour_unit: the distance of the style's colours from their own mean, in which the colour term is measured.
        content_layers, style_layers: w_l, adding up to 1.
        weights: of the terms "content" (alpha), "style" (beta), "colour" and "tv".
        normalisation: "relative" or "gatys".
    """

    content: Layers
    style: Layers
    colour: jax.Array
    colour_unit: jax.Array
    content_layers: Layers
    style_layers: Layers
    weights: Layers
    normalisation: str = flax.struct.field(pytree_node=False)

    def terms(self, network: Network, picture: jax.Array) -> Terms:
        """The loss of a picture `[H, W, 3]` and its parts."""
        features = network.features(picture, tuple(dict.fromkeys((*self.content, *self.style))))
        parts = {
            "content": content_loss(
                features, self.content, weights=self.content_layers, normalisation=self.normalisation
            ),
            "style": style_loss(features, self.style, weights=self.style_layers, normalisation=self.normalisation),
            "colour": colour_distance(colour_moments(picture), self.colour) / self.colour_unit,
            "tv": total_variation(picture),
        }
        return Terms(total=sum((self.weights[name] * part for name, part in parts.items()), jnp.zeros(())), **parts)


def content_targets(network: Network, picture: jax.Array, layers: Sequence[str] = ("relu4_2",)) -> Layers:
    """P: the features of a content picture `[H, W, 3]` by layer, each `[h, w, C]`."""
    return network.features(picture, layers)


def style_targets(network: Network, picture: jax.Array, layers: Sequence[str] = STYLE_LAYERS) -> Layers:
    """A: the Gram matrices of a style picture `[H, W, 3]` by layer, each `[C, C]`.

    Gram matrices are means over positions: a blend of styles is a weighted mean of their targets.
    """
    return {layer: gram_matrix(value) for layer, value in network.features(picture, layers).items()}


def content_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalisation: str = "relative",
) -> jax.Array:
    """sum_l w_l C_l, the distance to the content: a scalar.

    Args:
        features: F, with every layer of `targets`: `network.features(picture, tuple(targets))`.
        targets: P, from `content_targets` of a picture of the same size.
        weights: w_l, scaled here to add up to 1; equal without.
        normalisation: "relative" or "gatys"; see the head of this module.
    """

    def layer_loss(value: jax.Array, target: jax.Array) -> jax.Array:
        if normalisation == "relative":
            return _relative(value, target)
        return jnp.sum((value - target) ** 2) / (2 * value.shape[0] * value.shape[1])

    return _weighted_mean({layer: layer_loss(features[layer], targets[layer]) for layer in targets}, weights)


def style_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalisation: str = "relative",
) -> jax.Array:
    """sum_l w_l E_l, the distance to the style: a scalar. Arguments as `content_loss`, the targets being A."""

    def layer_loss(value: jax.Array, target: jax.Array) -> jax.Array:
        gram = gram_matrix(value)
        if normalisation == "relative":
            return _relative(gram, target)
        return jnp.sum((gram - target) ** 2) / (4 * gram.shape[-1] ** 2)

    return _weighted_mean({layer: layer_loss(features[layer], targets[layer]) for layer in targets}, weights)


def total_variation(picture: jax.Array) -> jax.Array:
    """Mean squared difference between neighbouring pixels of `[H, W, C]`, down plus across; 0 for a single pixel."""
    down, across = picture[1:] - picture[:-1], picture[:, 1:] - picture[:, :-1]
    return sum((jnp.mean(step**2) for step in (down, across) if step.size), jnp.zeros(()))


def make_objective(network: Network, config: StyleConfig, content: ArrayLike, styles: Sequence[ArrayLike]) -> Objective:
    """The objective of a content picture `[H, W, 3]` and one or more style pictures, each `[h, w, 3]` of any size.

    Raises:
        ConfigError: for a layer that the network does not have, or another number of blend weights than of styles.
    """
    if config.style_blend and len(config.style_blend) != len(styles):
        raise ConfigError(
            f"style_blend has {len(config.style_blend)} weights for {len(styles)} style pictures; expected one for each"
        )
    layers = {"content": dict(config.content_layers), "style": dict(config.style_layers)}
    shares = _shares(dict(enumerate(config.style_blend or (1.0,) * len(styles))))
    measured = [_measure_style(network, style, tuple(layers["style"])) for style in styles]
    targets, colour, mean = jax.tree.map(lambda *parts: sum(map(operator.mul, shares.values(), parts)), *measured)
    weights = {name: getattr(config, f"{name}_weight") for name in ("content", "style", "colour", "tv")}
    return Objective(
        content=_measure_content(network, content, tuple(layers["content"])),
        style=targets,
        colour=colour,
        colour_unit=colour_distance(colour, colour_moments(mean)) + _TINY,
        content_layers=_arrays(_shares(layers["content"])),
        style_layers=_arrays(_shares(layers["style"])),
        weights=_arrays(weights),
        normalisation=config.normalisation,
    )


@partial(jax.jit, static_argnames="layers")
def _measure_style(
    network: Network, picture: jax.Array, layers: tuple[str, ...]
) -> tuple[Layers, jax.Array, jax.Array]:
    """Gram matrices, colour moments and the mean colour as a picture of one pixel."""
    return style_targets(network, picture, layers), colour_moments(picture), picture.mean((0, 1), keepdims=True)


_measure_content = jax.jit(content_targets, static_argnames="layers")


def _relative(value: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.sum((value - target) ** 2) / (jnp.sum(target**2) + _TINY)


def _weighted_mean(values: Layers, weights: Mapping[str, jax.Array | float] | None) -> jax.Array:
    shares = _shares(weights or dict.fromkeys(values, 1.0))
    return sum((shares[layer] * value for layer, value in values.items()), jnp.zeros(()))


def _shares(weights: Mapping[Any, Any]) -> dict[Any, Any]:
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def _arrays(numbers: Mapping[str, float]) -> Layers:
    return {name: jnp.asarray(number, jnp.float32) for name, number in numbers.items()}
