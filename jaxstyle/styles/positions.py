"""The positions of layers: their weights, and means over them."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

Features = Mapping[str, jax.Array]
PositionWeights = Mapping[str, jax.Array] | None


def weights_at(position_weights: PositionWeights, layer: str) -> jax.Array | None:
    """The weights of a layer's positions, `[H, W]`; None if all are equal."""
    return None if position_weights is None else position_weights[layer]


def position_mean(value: jax.Array, weights: jax.Array | None) -> jax.Array:
    """The mean over positions, `[C]`."""
    if weights is None:
        return value.mean((0, 1), dtype=jnp.float32)
    total = weights.sum()
    return jnp.einsum("hwc,hw->c", value, weights) / jnp.where(total > 0, total, 1)


def mean_products(left: jax.Array, right: jax.Array, weights: jax.Array | None) -> jax.Array:
    """The mean over positions of left_i right_j, `[C, D]` float32."""
    if weights is None:
        weights = jnp.ones(left.shape[:2])
    total = weights.sum()
    products = jnp.einsum(
        "hwi,hwj->ij", left, right * weights[..., None].astype(right.dtype), preferred_element_type=jnp.float32
    )
    return products / jnp.where(total > 0, total, 1)


def downsample(finer: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Downsample features to a coarser shape, or one row or column less, by averaging over blocks."""
    factors = max(1, round(finer.shape[0] / shape[0])), max(1, round(finer.shape[1] / shape[1]))
    height, width = (
        min(side // factor, target) for side, factor, target in zip(finer.shape, factors, shape, strict=False)
    )
    blocks = finer[: height * factors[0], : width * factors[1]].reshape(height, factors[0], width, factors[1], -1)
    return blocks.mean((1, 3))
