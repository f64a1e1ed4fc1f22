"""The losses: distances between the features of a picture and its targets, and total variation.

The notation is that of Gatys et al. (arXiv 1508.06576). P^l and F^l are the features of the content and of the picture
in layer l, `[H, W, N_l]` with M_l = H W positions. A^l and G^l are the Gram matrices of the style and of the picture.
w_l is the weight of a layer. The losses are sum_l w_l C_l and sum_l w_l E_l, where the w_l of each sum add up to 1.

With the "relative" normalization, a layer's loss does not depend on its scale, size and depth:

    C_l = |F - P|^2 / |P|^2            E_l = |G - A|^2 / |A|^2

With "gatys" they are the losses of the paper (eqs. 1 and 4), except that the content loss is divided by M_l:

    C_l = 1/(2 M_l) sum (F - P)^2      E_l = 1/(4 N_l^2) sum (G - A)^2,    where G and A are means over positions.

For another style representation than Gram matrices, G and A are its arrays, and N_l^2 is their number of entries;
`jaxstyle.styles.distances` has those whose distance is another. With regions k that have the shares s_k of the content,
G and A are measured in each region, and E_l = sum_k s_k E_lk.

All functions are pure and take one picture; use `jax.vmap` for many.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxstyle.arguments import check_choice
from jaxstyle.compilation import CachedFunction
from jaxstyle.config import NORMALIZATIONS
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network, check_network
from jaxstyle.styles import REPRESENTATIONS, TINY, Layers, describe_features, nonzero

VariationSums = tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]

_UNIT_SIZE = 512  # the longest side in pixels at which neighbors have the distance 1 in the total variation
_CHROMA = 8.0  # how much squared differences of chroma count in the total variation; docs/defaults.md says why


def content_targets(
    network: Network, picture: ArrayLike, layers: Sequence[str] = ("relu4_2",), *, extent: ArrayLike | None = None
) -> Layers:
    """Compute the targets P of `content_loss`: the features of a content picture.

    Args:
        network: the recognition network.
        picture: `[H, W, 3]` in [0, 1].
        layers: the content layers.
        extent: height and width `[2]` of the valid positions, if the picture is padded.

    Returns:
        `{layer: [h, w, C]}`; see `Network.features`.

    Raises:
        ConfigError: for a layer that the network does not have, or a name in place of a network.
    """
    check_network(network)
    return _content_targets(network, picture, layers if isinstance(layers, str) else tuple(layers), extent)


@partial(CachedFunction, static_argnames=("layers",))
def _content_targets(network: Network, picture: Any, layers: Sequence[str], extent: Any) -> Layers:
    return network.features(picture, layers, extent=extent)


def content_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
    valid_fraction: Mapping[str, jax.Array] | None = None,
) -> jax.Array:
    """The content loss, sum_l w_l C_l: a scalar.

    Args:
        features: F, with every layer of `targets`: `network.features(picture, tuple(targets))`.
        targets: P, from `content_targets` of a picture of the same size.
        weights: w_l for every layer of `targets`, from 0 up and not all 0, of which only the ratios matter; equal by
            default.
        normalization: "relative" or "gatys"; see the formulas of this module.
        valid_fraction: for features of padded pictures, the fraction of each layer's positions that are valid. The
            features must be 0 at all others.

    Raises:
        ConfigError: if a layer of the targets is missing among the features or weights, for features of another shape
            than the targets, or for an unknown normalization.
    """
    _check_arguments(features, targets, weights, normalization)
    for layer, target in targets.items():
        if features[layer].shape != target.shape:
            found = f"{list(features[layer].shape)} and its targets {list(target.shape)}"
            raise ConfigError(f"the features of {layer} are {found}; expected pictures of the same size")
    sums = content_sums(features, targets)
    if valid_fraction:
        sums = {layer: (*squares, count * valid_fraction[layer]) for layer, (*squares, count) in sums.items()}
    return content_loss_of_sums(sums, weights=weights, normalization=normalization)


def content_sums(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    counted: Mapping[str, jax.Array] | None = None,
) -> dict[str, tuple[jax.Array, ...]]:
    """The sums over positions of which the content loss is a function: |F - P|^2, |P|^2 and M_l for each layer.

    `counted`, `{layer: [h, w]}`, is 1 at the positions to add up; all by default.
    """

    def sums_of(layer: str) -> tuple[jax.Array, ...]:
        value, target = (x[layer].astype(jnp.float32) for x in (features, targets))
        if counted is None:
            return jnp.sum((value - target) ** 2), jnp.sum(target**2), jnp.float32(value.shape[0] * value.shape[1])
        mask = counted[layer][..., None]
        return jnp.sum(mask * (value - target) ** 2), jnp.sum(mask * target**2), mask.sum()

    return {layer: sums_of(layer) for layer in targets}


def content_loss_of_sums(
    sums: Mapping[str, tuple[jax.Array, ...]],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
) -> jax.Array:
    """`content_loss` for the sums of `content_sums`."""

    def layer_loss(distance: jax.Array, squares: jax.Array, positions: jax.Array) -> jax.Array:
        return distance / (squares + TINY) if normalization == "relative" else distance / (2 * positions)

    return _weighted_mean({layer: layer_loss(*values) for layer, values in sums.items()}, weights)


def style_loss(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
    valid_fraction: Mapping[str, jax.Array] | None = None,
    representation: str = "gram",
    position_weights: Mapping[str, jax.Array] | None = None,
    shares: jax.Array | None = None,
) -> jax.Array:
    """The style loss, sum_l w_l E_l: a scalar.

    Args:
        features: F, with every layer of `targets`, the shallowest first: `network.features` returns its layers in the
            order in which they are named.
        targets: A, from `style_targets` of a picture of any size.
        weights: see `content_loss`.
        normalization: see `content_loss`.
        valid_fraction: see `content_loss`; only for representations with `is_mean`.
        representation: the one of the targets; see `style_targets`.
        position_weights: the weight of each position of a layer, `{layer: [h, w]}`, or `{layer: [K, h, w]}` for targets
            of K regions.
        shares: s_k, the weight of each region, `[K]`.

    Raises:
        ConfigError: if a layer of the targets is missing among the features or weights, or for an unknown
            normalization or representation.
    """
    _check_arguments(features, targets, weights, normalization)
    selected = {layer: value for layer, value in features.items() if layer in targets}
    described = describe_features(representation, selected, position_weights)
    if valid_fraction:  # the means of the padded features include zeros
        described = {layer: value / valid_fraction[layer] for layer, value in described.items()}
    return style_distance(
        described,
        targets,
        weights=weights,
        normalization=normalization,
        representation=representation,
        shares=shares,
    )


def style_distance(
    described: Any,
    targets: Mapping[str, jax.Array],
    *,
    weights: Mapping[str, jax.Array | float] | None = None,
    normalization: str = "relative",
    representation: str = "gram",
    shares: jax.Array | None = None,
) -> jax.Array:
    """`style_loss` for what `describe_features` returns, in place of features: most often the statistics G."""

    def distances(described: Any, targets: Layers) -> Layers:
        return REPRESENTATIONS[representation].distances(described, targets, normalization)

    if shares is None:
        return _weighted_mean(distances(described, dict(targets)), weights)
    local = jax.vmap(distances)(described, dict(targets))
    return _weighted_mean({layer: jnp.dot(shares, values) for layer, values in local.items()}, weights)


def total_variation(picture: jax.Array, *, weights: jax.Array | None = None, longest: Any = None) -> jax.Array:
    """The total variation of a picture `[H, W, C]`: the mean squared difference between vertical neighbors, plus that
    between horizontal neighbors, times (longest side / 512)^2. It is 0 for a single pixel.

    Chroma, the deviation of each channel from the mean of the channels, counts 8 times: colored grain is what disturbs
    most, and eyes see fine detail by brightness.

    The factor makes it the mean squared gradient in a unit of 1/512 of the picture's longest side, so that the same
    picture has the same total variation at every size, but for detail that a smaller size lacks.

    Args:
        picture: `[H, W, C]`.
        weights: the weight of each pixel, `[H, W]`. A difference has that of the lower or right one of its two pixels.
        longest: the longest side in pixels, if the picture is padded.
    """
    longest = max(picture.shape[:2]) if longest is None else longest
    return total_variation_of_sums(variation_sums(picture, weights), longest)


def variation_sums(picture: jax.Array, weights: jax.Array | None = None) -> VariationSums:
    """The sums of which the total variation is a function, for vertical and for horizontal neighbors: those of squared
    differences and of their weights.
    """

    # The squared length of a difference is now that of its mean over the channels plus 8 times that of the rest.
    picture = picture + (_CHROMA**0.5 - 1) * (picture - picture.mean(-1, keepdims=True))

    def sums_of(difference: jax.Array, weights: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        if weights is None:
            return jnp.sum(difference**2), jnp.float32(difference.size)
        return jnp.sum(difference**2 * weights[..., None]), weights.sum() * difference.shape[-1]

    vertical, horizontal = picture[1:] - picture[:-1], picture[:, 1:] - picture[:, :-1]
    lower, right = (None, None) if weights is None else (weights[1:], weights[:, 1:])
    return sums_of(vertical, lower), sums_of(horizontal, right)


def total_variation_of_sums(sums: VariationSums, longest: Any) -> jax.Array:
    """`total_variation` for the sums of `variation_sums`."""
    means = [squares / nonzero(total) for squares, total in sums]
    return (longest / _UNIT_SIZE) ** 2 * sum(means, jnp.zeros(()))


def _check_arguments(
    features: Mapping[str, jax.Array],
    targets: Mapping[str, jax.Array],
    weights: Mapping[str, jax.Array | float] | None,
    normalization: str,
) -> None:
    """Raise ConfigError unless features and weights have the layers of the targets, and the normalization is known."""
    check_choice("normalization", normalization, NORMALIZATIONS)
    if missing := [layer for layer in targets if layer not in features]:
        raise ConfigError(
            f"the features have the layers {', '.join(features) or 'none'}, but not {', '.join(missing)} of the "
            "targets; compute network.features(picture, tuple(targets))"
        )
    if weights and not weights.keys() >= targets.keys():
        raise ConfigError(
            f"the weights have the layers {', '.join(weights)}; expected those of the targets, {', '.join(targets)}"
        )


def _weighted_mean(values: Layers, weights: Mapping[str, jax.Array | float] | None) -> jax.Array:
    shares = normalize_weights({layer: weights[layer] if weights else 1.0 for layer in values})
    return sum((shares[layer] * value for layer, value in values.items()), jnp.zeros(()))


def normalize_weights(weights: Mapping[Any, Any]) -> dict[Any, Any]:
    """The weights scaled to add up to 1."""
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}
