"""Style representations: functions from features to the arrays that describe a style, such as Gram matrices.

The features are those of all style layers, `{layer: [H, W, C]}` in float32 or bfloat16, with the shallowest layer
first. A representation returns one float32 array for each layer. Optional weights w >= 0 for the positions of each
layer, `{layer: [H, W]}`, limit it to a part of the picture: its means are then `sum w ... / sum w`, or 0 if all weights
are 0.

Some representations are means over positions: see `Representation.is_mean`. The others, such as standard deviations,
are not; a blend of styles has the weighted means of the styles' arrays all the same.

All can be computed part by part of a picture: most from sums over positions (`PositionSums`), the others from values at
all of them (`PositionValues`).
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.arguments import check_choice
from jaxstyle.styles.adjacent import cross_layer, cross_layer_sums, neighbor_extents, neighbor_sums
from jaxstyle.styles.distances import covariance_distances, squared_differences, wasserstein_distances
from jaxstyle.styles.nearest import (
    blend_samples,
    describe,
    hypercolumn_extents,
    hypercolumns,
    middle_layer,
    nearest_distances,
    sample,
)
from jaxstyle.styles.positions import (
    Features,
    PositionWeights,
    Weights,
    nonzero,
    product_of_weights,
    sum_over_positions,
    sum_pairs,
)
from jaxstyle.styles.sliced import projections, quantiles
from jaxstyle.styles.statistics import square, sum_products
from jaxstyle.styles.sums import LayerStatistics, PositionSums, PositionValues, for_each_layer

# Vertical and horizontal, in positions of a layer. The matrix of the opposite shift is the transpose.
SHIFTS = np.array([(0, 0), *(step for d in (2, 4, 8) for step in ((0, d), (d, 0)))])
_TINY = 1e-6  # added to variances, because the square root has no gradient at 0


def check_representation(name: str) -> None:
    """Raise ConfigError for a name that is not in `REPRESENTATIONS`."""
    check_choice("style_representation", name, REPRESENTATIONS)


def measure_features(
    representation: str, features: Features, position_weights: PositionWeights = None
) -> LayerStatistics:
    """Compute the style representation of a style's features.

    Args:
        representation: a key of `REPRESENTATIONS`.
        features: `{layer: [H, W, C]}`, the shallowest layer first.
        position_weights: the weight of each position of these layers, `{layer: [H, W]}`, or `{layer: [K, H, W]}` for K
            regions. Other layers are ignored.

    Returns:
        One array for each layer; for K regions, with a leading axis `[K, ...]`.
    """
    check_representation(representation)
    return _at_each_region(REPRESENTATIONS[representation].basis.measure, features, position_weights)


def describe_features(representation: str, features: Features, position_weights: PositionWeights = None) -> Any:
    """What of a picture `Representation.distances` compares with a style; see `measure_features`."""
    check_representation(representation)
    return _at_each_region(REPRESENTATIONS[representation].basis.describe, features, position_weights)


def _at_each_region(
    function: Callable[..., dict[str, Any]], features: Features, position_weights: PositionWeights
) -> dict[str, Any]:
    with jax.default_matmul_precision("highest"):
        if position_weights is None:
            return function(features)
        selected = {layer: position_weights[layer] for layer in features}
        if any(weights.ndim == 3 for weights in selected.values()):
            # The features do not go through vmap, which would sort their layers by name.
            return jax.vmap(partial(function, features))(selected)
        return function(features, selected)


def gram_sums(value: jax.Array, center: jax.Array, weights: Weights, counted: Weights) -> tuple[jax.Array, ...]:
    """The sums of Gram matrices, `[C, C]`: see `gram_matrix`. They are means over positions."""
    if weights is None and counted is None:
        flat = value.reshape(-1, value.shape[-1])
        return square(flat), jnp.asarray(flat.shape[0], jnp.float32)
    return sum_products(value, product_of_weights(value, weights, counted))


def quotient(sums: tuple[jax.Array, ...], center: jax.Array) -> jax.Array:
    """A weighted sum divided by the sum of the weights; 0 if all weights are 0."""
    values, total = sums
    return values / nonzero(total)


def second_moment_sums(
    value: jax.Array, center: jax.Array, weights: Weights, counted: Weights
) -> tuple[jax.Array, ...]:
    """The sums of each channel's mean, and of the Gram matrix, `[C + 1, C]`. They are means over positions.

    Together they give the covariance, which is not a mean over positions itself. A blend of styles therefore has the
    mean and the covariance of all their features together.
    """
    products, total = gram_sums(value, center, weights, counted)
    first = sum_over_positions(value, product_of_weights(value, weights, counted))
    return jnp.concatenate([first[None], products]), total


def moment_sums(value: jax.Array, center: jax.Array, weights: Weights, counted: Weights) -> tuple[jax.Array, ...]:
    """The sums of `moments`."""
    weights = product_of_weights(value, weights, counted)
    centered = value - center[None, None]
    return sum_over_positions(centered, weights), sum_over_positions(centered**2, weights), weights.sum()


def moments(sums: tuple[jax.Array, ...], center: jax.Array) -> jax.Array:
    """Each channel's mean and standard deviation, `[2, C]` (Li et al., arXiv 1701.01036, section 4.2).

    Standard deviations are not means over positions.
    """
    first, second, total = sums
    count = nonzero(total)
    variance = jnp.maximum(second / count - (first / count) ** 2, 0)
    return jnp.stack([(center * total + first) / count, jnp.sqrt(variance + _TINY)])


def shifted_sums(value: jax.Array, center: jax.Array, weights: Weights, counted: Weights) -> tuple[jax.Array, ...]:
    """The sums of `shifted`: for each shift of products, of both factors and of weights; of features and of weights."""
    weights, counted = (jnp.ones(value.shape[:2]) if x is None else x for x in (weights, counted))
    centered = value - center.astype(value.dtype)[None, None]
    padding = [(0, int(shift)) for shift in SHIFTS.max(0)]
    padded, padded_weights = jnp.pad(centered, (*padding, (0, 0))), jnp.pad(weights, padding)

    def sums_of(shift: jax.Array) -> tuple[jax.Array, ...]:
        moved = lax.dynamic_slice(padded, (*shift, jnp.zeros_like(shift[0])), value.shape)
        both = counted * weights * lax.dynamic_slice(padded_weights, shift, weights.shape)
        return (
            sum_pairs(centered, moved, both),
            sum_over_positions(centered, both),
            sum_over_positions(moved, both),
            both.sum(),
        )

    # The loop is compiled once for all shifts; the checkpoint stores no shifted features for the gradient.
    of_pairs = lax.map(jax.checkpoint(sums_of, prevent_cse=False), jnp.asarray(SHIFTS))
    return *of_pairs, sum_over_positions(centered, counted * weights), (counted * weights).sum()


def shifted(sums: tuple[jax.Array, ...], center: jax.Array) -> jax.Array:
    """Covariances of shifted features, `[len(SHIFTS), C, C]`, which keep the spatial structure that Gram matrices lose.

    G_dij = mean over x of (F_i(x) - mean of F_i)(F_j(x + d) - mean of F_j) for each shift d of `SHIFTS`, where the mean
    is over all x for which x + d is within the picture, with weights w(x) w(x + d). G_d is 0 if there is no such x, as
    it is for independent features.

    The idea is from Berger and Memisevic (arXiv 1606.01286). The shifts are ours, and so is the subtraction of the
    means, which make up most of a Gram matrix in deep layers and are the same for all shifts. Because of it, these
    covariances are not means over positions.
    """
    products, left, right, pairs, first, total = sums
    mean = first / nonzero(total)  # minus the center
    row, column = mean[None, None], mean[None, :, None]
    centered = products - left[:, :, None] * row - column * right[:, None] + pairs[:, None, None] * column * row
    return centered / nonzero(pairs)[:, None, None]


def activation_shift_sums(
    value: jax.Array, center: jax.Array, weights: Weights, counted: Weights
) -> tuple[jax.Array, ...]:
    """The sums of `activation_shift`: of products, of features and of weights."""
    weights = product_of_weights(value, weights, counted)
    centered = value - center.mean().astype(value.dtype)
    products, total = sum_products(centered, weights)
    return products, sum_over_positions(centered, weights.astype(value.dtype)), total


def activation_shift(sums: tuple[jax.Array, ...], center: jax.Array) -> jax.Array:
    """Gram matrices of features minus their mean over positions and channels, `[C, C]`.

    With the shift, inactive features contribute too: G = (F + s)(F + s)^T with s = -1 (Novak and Nikulin, arXiv
    1605.04603). Using the mean for -s is ours, because the scale of activations differs between networks. Because of
    it, these matrices are not means over positions.
    """
    products, first, total = sums
    mean = first.mean() / nonzero(total)  # minus that of the center
    shifted_products = products - mean * (first[:, None] + first[None]) + total * mean**2
    return shifted_products / nonzero(total)


def weighted_mean(arrays: Sequence[jax.Array], shares: Sequence[float]) -> jax.Array:
    """The array of a blend of styles, if it is the mean of theirs."""
    return sum(map(operator.mul, shares, arrays), jnp.zeros(()))


@dataclass(frozen=True)
class Representation:
    """A style representation.

    Attributes:
        basis: what it is computed from: sums over positions or values at all of them.
        effect: what it does to pictures, for the help of `--style-representation`.
        distances: `distances(described, measured, normalization)`: the distance between a picture and a style in each
            layer, `{layer: scalar}`.
        blend: `blend(arrays, shares)`: the array of a layer for a blend of styles.
        is_mean: whether it is a mean over each layer's positions of what is 0 for features of 0. Such a mean is
            the sum of those over parts of the picture, weighted by their positions, and zeros around a picture only
            scale it.
        is_joint: whether the array of a layer depends on the other style layers, too.
    """

    basis: PositionSums | PositionValues
    effect: str
    distances: Callable[[Any, LayerStatistics, str], LayerStatistics] = squared_differences
    blend: Callable[[Sequence[jax.Array], Sequence[float]], jax.Array] = weighted_mean
    is_mean: bool = False
    is_joint: bool = False

    @property
    def is_sum(self) -> bool:
        """Whether it is a function of sums over positions."""
        return isinstance(self.basis, PositionSums)


_SECOND_MOMENTS = PositionSums(for_each_layer(second_moment_sums), quotient)

REPRESENTATIONS = {
    "gram": Representation(
        PositionSums(for_each_layer(gram_sums), quotient), "textures, wherever they are", is_mean=True
    ),
    "moments": Representation(
        PositionSums(for_each_layer(moment_sums), moments), "means and deviations only, closer to the content"
    ),
    "covariance": Representation(
        _SECOND_MOMENTS, "like gram, with means and covariances apart", distances=covariance_distances, is_mean=True
    ),
    "wasserstein": Representation(
        _SECOND_MOMENTS,
        "like covariance, also in directions with little variance",
        distances=wasserstein_distances,
        is_mean=True,
    ),
    "shifted": Representation(
        PositionSums(for_each_layer(shifted_sums), shifted, reach=int(SHIFTS.max())),
        "textures and their arrangement, such as rows of bricks, and less of the content",
    ),
    "activation-shift": Representation(
        PositionSums(for_each_layer(activation_shift_sums), activation_shift), "like gram, also of inactive features"
    ),
    "neighbors": Representation(
        PositionSums(neighbor_sums, quotient, extents=neighbor_extents),
        "like gram, between adjacent layers",
        is_joint=True,
    ),
    "cross-layer": Representation(
        PositionSums(cross_layer_sums, cross_layer, extents=neighbor_extents),
        "like neighbors, without the means",
        is_joint=True,
    ),
    "sliced": Representation(
        PositionValues(projections, quantiles, quantiles), "distributions of features instead of their products"
    ),
    "nearest": Representation(
        PositionValues(
            hypercolumns,
            measure_values=sample,
            describe_values=describe,
            layer_of=lambda layers: dict.fromkeys(layers, middle_layer(layers)),
            extents=hypercolumn_extents,
        ),
        "details of the style at similar places, each closest to one of the style's own",
        distances=nearest_distances,
        blend=blend_samples,
        is_joint=True,
    ),
}
