"""Style representations: functions from features to the arrays that describe a style, such as Gram matrices.

The features are those of all style layers, `{layer: [H, W, C]}` in float32 or bfloat16, with the shallowest layer
first. A representation returns one float32 array for each layer. Optional weights w >= 0 for the positions of each
layer, `{layer: [H, W]}`, limit it to a part of the picture: its means are then `sum w ... / sum w`, or 0 if all weights
are 0. `position_mean` and `mean_products` do this.

Some representations are means over positions: see `Representation.is_mean`. The others, such as standard deviations,
are not; a blend of styles has the weighted means of the styles' arrays all the same.
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

from jaxstyle.errors import ConfigError
from jaxstyle.styles.distances import covariance_distances, squared_differences, wasserstein_distances
from jaxstyle.styles.nearest import blend_samples, nearest_distances, sampled_vectors, vectors
from jaxstyle.styles.positions import Features, PositionWeights, downsample, mean_products, position_mean, weights_at
from jaxstyle.styles.statistics import gram_matrix

LayerStatistics = dict[str, jax.Array]

# Vertical and horizontal, in positions of a layer. The matrix of the opposite shift is the transpose.
SHIFTS = np.array([(0, 0), *(step for d in (2, 4, 8) for step in ((0, d), (d, 0)))])
_TINY = 1e-6  # added to variances, because the square root has no gradient at 0


def check_representation(name: str) -> None:
    """Raise ConfigError for a name that is not in `REPRESENTATIONS`."""
    if name not in REPRESENTATIONS:
        raise ConfigError(f"style_representation is {name!r}; expected one of {', '.join(REPRESENTATIONS)}")


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
    return _at_each_region(REPRESENTATIONS[representation].measure, features, position_weights)


def describe_features(representation: str, features: Features, position_weights: PositionWeights = None) -> Any:
    """What of a picture `Representation.distances` compares with a style; see `measure_features`."""
    check_representation(representation)
    entry = REPRESENTATIONS[representation]
    return _at_each_region(entry.describe or entry.measure, features, position_weights)


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


def gram(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Gram matrices, `[C, C]`: see `gram_matrix`. They are means over positions."""
    return {layer: gram_matrix(value, weights=weights_at(position_weights, layer)) for layer, value in features.items()}


def second_moments(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Each channel's mean, and the Gram matrix, `[C + 1, C]`. They are means over positions.

    Together they give the covariance, which is not a mean over positions itself. A blend of styles therefore has the
    mean and the covariance of all their features together.
    """

    def moments_of(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        return jnp.concatenate([position_mean(value, weights)[None], gram_matrix(value, weights=weights)])

    return {layer: moments_of(value, weights_at(position_weights, layer)) for layer, value in features.items()}


def moments(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Each channel's mean and standard deviation, `[2, C]` (Li et al., arXiv 1701.01036, section 4.2).

    Standard deviations are not means over positions.
    """

    def moments_of(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        mean = position_mean(value, weights)
        return jnp.stack([mean, jnp.sqrt(position_mean((value - mean[None, None]) ** 2, weights) + _TINY)])

    return {layer: moments_of(value, weights_at(position_weights, layer)) for layer, value in features.items()}


def shifted(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Covariances of shifted features, `[len(SHIFTS), C, C]`, which keep the spatial structure that Gram matrices lose.

    G_dij = mean over x of (F_i(x) - mean of F_i)(F_j(x + d) - mean of F_j) for each shift d of `SHIFTS`, where the mean
    is over all x for which x + d is within the picture, with weights w(x) w(x + d). G_d is 0 if there is no such x, as
    it is for independent features.

    The idea is from Berger and Memisevic (arXiv 1606.01286). The shifts are ours, and so is the subtraction of the
    means, which make up most of a Gram matrix in deep layers and are the same for all shifts. Because of it, these
    covariances are not means over positions.
    """

    def covariances(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        weights = jnp.ones(value.shape[:2]) if weights is None else weights
        centered = value - position_mean(value, weights).astype(value.dtype)[None, None]
        padding = [(0, int(shift)) for shift in SHIFTS.max(0)]
        padded, padded_weights = jnp.pad(centered, (*padding, (0, 0))), jnp.pad(weights, padding)

        def covariance(shift: jax.Array) -> jax.Array:
            moved = lax.dynamic_slice(padded, (*shift, jnp.zeros_like(shift[0])), value.shape)
            return mean_products(centered, moved, weights * lax.dynamic_slice(padded_weights, shift, weights.shape))

        # The loop is compiled once for all shifts; the checkpoint stores no shifted features for the gradient.
        return lax.map(jax.checkpoint(covariance, prevent_cse=False), jnp.asarray(SHIFTS))

    return {layer: covariances(value, weights_at(position_weights, layer)) for layer, value in features.items()}


def activation_shift(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Gram matrices of features minus their mean over positions and channels, `[C, C]`.

    With the shift, inactive features contribute too: G = (F + s)(F + s)^T with s = -1 (Novak and Nikulin, arXiv
    1605.04603). Using the mean for -s is ours, because the scale of activations differs between networks. Because of
    it, these matrices are not means over positions.
    """

    def gram_of(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        mean = jnp.mean(position_mean(value, weights)).astype(value.dtype)
        return gram_matrix(value - mean, weights=weights)

    return {layer: gram_of(value, weights_at(position_weights, layer)) for layer, value in features.items()}


def neighbors(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Correlations between adjacent style layers, `[C, D]` with D channels in the previous layer.

    G = F^l up(F^(l-1))^T (Novak and Nikulin, arXiv 1605.04603), a mean over positions. The first layer has no previous
    one and gets its Gram matrix. The paper enlarges the coarser features. Here the finer features are averaged over
    the positions of the coarser ones, which gives the same matrix in fewer operations.
    """
    return {layer: mean_products(*pair) for layer, pair in _adjacent(features, position_weights).items()}


def cross_layer(features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
    """Covariances between adjacent style layers, `[C, D]`: those of `neighbors`, of features minus their means.

    These are the cross-layer statistics of Yeh et al. (arXiv 1910.09447). Because of the subtraction, they are not
    means over positions.
    """

    def covariance(value: jax.Array, finer: jax.Array, weights: jax.Array | None) -> jax.Array:
        left, right = (
            values - position_mean(values, weights).astype(values.dtype)[None, None] for values in (value, finer)
        )
        return mean_products(left, right, weights)

    return {layer: covariance(*pair) for layer, pair in _adjacent(features, position_weights).items()}


def weighted_mean(arrays: Sequence[jax.Array], shares: Sequence[float]) -> jax.Array:
    """The array of a blend of styles, if it is the mean of theirs."""
    return sum(map(operator.mul, shares, arrays), jnp.zeros(()))


@dataclass(frozen=True)
class Representation:
    """A style representation.

    Attributes:
        measure: computes it from features and weights of positions, as described at the top of this module.
        effect: what it does to pictures, for the help of `--style-representation`.
        distances: `distances(described, measured, normalization)`: the distance between a picture and a style in each
            layer, `{layer: scalar}`.
        describe: computes what of a picture is compared with the style, if it is not the same as `measure`.
        blend: `blend(arrays, shares)`: the array of a layer for a blend of styles.
        is_mean: whether `measure` is a mean over each layer's positions of what is 0 for features of 0. Such a mean is
            the sum of those over parts of the picture, weighted by their positions, and zeros around a picture only
            scale it.
        is_joint: whether the array of a layer depends on the other style layers, too.
    """

    measure: Callable[..., LayerStatistics]
    effect: str
    distances: Callable[[Any, LayerStatistics, str], LayerStatistics] = squared_differences
    describe: Callable[..., dict[str, Any]] | None = None
    blend: Callable[[Sequence[jax.Array], Sequence[float]], jax.Array] = weighted_mean
    is_mean: bool = False
    is_joint: bool = False


REPRESENTATIONS = {
    "gram": Representation(gram, "textures, wherever they are", is_mean=True),
    "moments": Representation(moments, "means and deviations only, closer to the content"),
    "covariance": Representation(
        second_moments, "like gram, with means and covariances apart", covariance_distances, is_mean=True
    ),
    "wasserstein": Representation(
        second_moments, "like covariance, also in directions with little variance", wasserstein_distances, is_mean=True
    ),
    "shifted": Representation(
        shifted, "textures and their arrangement, such as rows of bricks, and less of the content"
    ),
    "activation-shift": Representation(activation_shift, "like gram, also of inactive features"),
    "neighbors": Representation(neighbors, "like gram, between adjacent layers", is_joint=True),
    "cross-layer": Representation(cross_layer, "like neighbors, without the means", is_joint=True),
    "nearest": Representation(
        sampled_vectors,
        "details of the style at similar places, each closest to one of the style's own",
        nearest_distances,
        describe=vectors,
        blend=blend_samples,
        is_joint=True,
    ),
}


def _adjacent(
    features: Features, position_weights: PositionWeights
) -> dict[str, tuple[jax.Array, jax.Array, jax.Array | None]]:
    """The features of each layer, those of the previous one at the same positions, and the positions' weights."""
    adjacent: dict[str, tuple[jax.Array, jax.Array, jax.Array | None]] = {}
    previous: jax.Array | None = None
    for layer, value in features.items():
        finer = value if previous is None else downsample(previous, value.shape)
        height, width = finer.shape[:2]
        weights = weights_at(position_weights, layer)
        adjacent[layer] = value[:height, :width], finer, None if weights is None else weights[:height, :width]
        previous = value
    return adjacent
