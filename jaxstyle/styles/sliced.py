"""Sliced distributions: quantiles of the projections of features on random directions.

Their squared difference is a sliced Wasserstein distance (Heitz et al., CVPR 2021, arXiv 2006.07229). That paper draws
new directions at each step. Here they are always the same, because L-BFGS compares gradients of one objective, and
because the quantiles of a style can then be measured once and saved. Positions have weights, and pictures any size:
quantiles are means over `BINS` bins of equal weight, which every position is in.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.styles.positions import Features, PositionWeights, nonzero, weights_at

BINS = 256
_AT_ONCE = 2**22  # projections, for the memory that they take


def directions(channels: int) -> jax.Array:
    """Random unit vectors `[D, C]`, half as many as channels and at least one."""
    vectors = jax.random.normal(jax.random.key(channels), (max(1, channels // 2), channels))
    return vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)


def projections(features: Features) -> dict[str, jax.Array]:
    """The projections of features on `directions`, `[H, W, D]` float32 for each layer."""

    def project(value: jax.Array) -> jax.Array:
        return jnp.einsum("dc,hwc->hwd", directions(value.shape[-1]).astype(value.dtype), value).astype(jnp.float32)

    return {layer: project(value) for layer, value in features.items()}


def quantiles(projected: Features, position_weights: PositionWeights = None) -> dict[str, jax.Array]:
    """Quantiles of `projections`, `[D, BINS]` for each layer.

    Bin k of a direction has the mean of the projections from quantile k / BINS to (k + 1) / BINS. Quantiles are not
    means over positions: those of a whole picture do not follow from those of its parts.
    """

    def of_layer(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        flat = value.reshape(-1, value.shape[-1]).T
        weights = jnp.ones(flat.shape[1]) if weights is None else jnp.asarray(weights, jnp.float32).reshape(-1)
        at_once = min(len(flat), max(1, _AT_ONCE // flat.shape[1]))
        orders = lax.map(jnp.argsort, lax.stop_gradient(flat), batch_size=at_once)

        @jax.checkpoint  # for the gradient, the orders alone are stored
        def means(direction: tuple[jax.Array, jax.Array]) -> jax.Array:
            return bin_means(*direction, weights)

        return lax.map(means, (flat, orders), batch_size=at_once)

    return {layer: of_layer(value, weights_at(position_weights, layer)) for layer, value in projected.items()}


def bin_means(values: jax.Array, order: jax.Array, weights: jax.Array) -> jax.Array:
    """The means of the sorted values `[M]` in bins of equal weight, `[BINS]`; 0 if all weights are 0.

    The integral of the quantile function is linear between the cumulative weights of the sorted values.

    Args:
        values: the values.
        order: the indices that sort them.
        weights: the weight of each value.
    """
    shares = weights[order] / nonzero(weights.sum())
    levels, integral = (jnp.pad(jnp.cumsum(x), (1, 0)) for x in (shares, shares * values[order]))
    edges = jnp.linspace(0, levels[-1], BINS + 1)
    return BINS * jnp.diff(jnp.interp(edges, levels, integral))
