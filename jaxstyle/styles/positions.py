"""The positions of layers: their weights, and sums and means over them."""

import operator
from collections.abc import Mapping, Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Features = Mapping[str, jax.Array]
PositionWeights = Mapping[str, jax.Array] | None
Weights = jax.Array | None


def weights_at(position_weights: PositionWeights, layer: str) -> jax.Array | None:
    """The weights of a layer's positions, `[H, W]`; None if all are equal."""
    return None if position_weights is None else position_weights[layer]


def position_mean(value: jax.Array, weights: jax.Array | None) -> jax.Array:
    """The mean over positions, `[C]`."""
    if weights is None:
        return value.mean((0, 1), dtype=jnp.float32)
    return sum_over_positions(value, weights) / nonzero(weights.sum())


def product_of_weights(value: jax.Array, weights: Weights, counted: Weights) -> jax.Array:
    """The weights of the positions that count, `[H, W]`."""
    given = [x for x in (weights, counted) if x is not None]
    return reduce(operator.mul, given) if given else jnp.ones(value.shape[:2])


def valid_mask(shape: Sequence[int], extent: jax.Array) -> jax.Array:
    """1 at valid positions and 0 in the padding, `[H, W]`."""
    rows, columns = (lax.broadcasted_iota(jnp.int32, tuple(shape[:2]), axis) < extent[axis] for axis in (0, 1))
    return (rows & columns).astype(jnp.float32)


def nonzero(total: jax.Array) -> jax.Array:
    """The total weight, or 1 if it is 0, as the sums are then."""
    return jnp.where(total > 0, total, 1)


def sum_over_positions(value: jax.Array, weights: jax.Array) -> jax.Array:
    """The sum over positions, `[C]` float32."""
    return jnp.einsum("hwc,hw->c", value, weights, preferred_element_type=jnp.float32)


def sum_pairs(left: jax.Array, right: jax.Array, weights: jax.Array) -> jax.Array:
    """The sum over positions of left_i right_j, `[C, D]` float32."""
    weighted = right * weights[..., None].astype(right.dtype)
    return jnp.einsum("hwi,hwj->ij", left, weighted, preferred_element_type=jnp.float32)


def stride_ratio(finer: Sequence[int] | np.ndarray, coarser: Sequence[int] | np.ndarray) -> int:
    """The ratio of the strides of two layers with these heights and widths, at least 1.

    It follows from the longest sides. Short ones round it too much: of 31 pixels, layers have 31, 15, 7, 3 and 1.
    """
    return max(1, round(max(finer[:2]) / max(coarser[:2])))


def downsample(finer: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Downsample features to a coarser shape, or one row or column less, by averaging over blocks."""
    factor = stride_ratio(finer.shape, shape)
    height, width = (min(side // factor, target) for side, target in zip(finer.shape[:2], shape[:2], strict=True))
    blocks = finer[: height * factor, : width * factor].reshape(height, factor, width, factor, finer.shape[2])
    return blocks.mean((1, 3))
