"""Style representations that compare adjacent style layers, as functions of sums over positions."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxstyle.styles.positions import (
    Features,
    PositionWeights,
    downsample,
    nonzero,
    product_of_weights,
    stride_ratio,
    sum_over_positions,
    sum_pairs,
    weights_at,
)
from jaxstyle.styles.sums import Sums


def neighbor_sums(features: Features, centers: Features, weights: PositionWeights, counted: PositionWeights) -> Sums:
    """The sums of correlations between adjacent style layers, `[C, D]` with D channels in the previous layer.

    G = F^l up(F^(l-1))^T (Novak and Nikulin, arXiv 1605.04603), a mean over positions. The first layer has no previous
    one and gets its Gram matrix. The paper enlarges the coarser features. Here the finer features are averaged over
    the positions of the coarser ones, which gives the same matrix in fewer operations.
    """
    adjacent = _adjacent(features, weights, counted)
    return {layer: (sum_pairs(*values), values[-1].sum()) for layer, values in adjacent.items()}


def cross_layer_sums(features: Features, centers: Features, weights: PositionWeights, counted: PositionWeights) -> Sums:
    """The sums of `cross_layer`: of products, of both factors and of weights."""
    centered = {layer: value - centers[layer].astype(value.dtype)[None, None] for layer, value in features.items()}
    return {
        layer: (
            sum_pairs(left, right, both),
            sum_over_positions(left, both),
            sum_over_positions(right, both),
            both.sum(),
        )
        for layer, (left, right, both) in _adjacent(centered, weights, counted).items()
    }


def cross_layer(sums: tuple[jax.Array, ...], center: jax.Array) -> jax.Array:
    """Covariances between adjacent style layers, `[C, D]`: those of `neighbors`, of features minus their means.

    These are the cross-layer statistics of Yeh et al. (arXiv 1910.09447). Because of the subtraction, they are not
    means over positions.
    """
    products, left, right, total = sums
    count = nonzero(total)
    return products / count - (left / count)[:, None] * (right / count)[None]


def neighbor_extents(extents: Mapping[str, Any]) -> Mapping[str, Any]:
    """Positions of a layer count if they lie completely on positions of the previous layer."""
    counted, previous = {}, None
    for layer, extent in extents.items():
        counted[layer] = extent if previous is None else np.minimum(extent, previous // stride_ratio(previous, extent))
        previous = extent
    return counted


def _adjacent(
    features: Features, weights: PositionWeights, counted: PositionWeights
) -> dict[str, tuple[jax.Array, jax.Array, jax.Array]]:
    """The features of each layer, those of the previous one at the same positions, and the positions' weights."""
    adjacent: dict[str, tuple[jax.Array, jax.Array, jax.Array]] = {}
    previous: jax.Array | None = None
    for layer, value in features.items():
        finer = value if previous is None else downsample(previous, value.shape)
        height, width = finer.shape[:2]
        both = product_of_weights(value, weights_at(weights, layer), weights_at(counted, layer))
        adjacent[layer] = value[:height, :width], finer, both[:height, :width]
        previous = value
    return adjacent
