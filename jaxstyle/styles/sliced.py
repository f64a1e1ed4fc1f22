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


def directions(channels: int) -> jax.Array:
    """Random unit vectors `[D, C]`, half as many as channels and at least one."""
    vectors = jax.random.normal(jax.random.key(channels), (max(1, channels // 2), channels))
    return vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)


def sliced(features: Features, position_weights: PositionWeights = None) -> dict[str, jax.Array]:
    """Quantiles of the projections of features, `[D, BINS]`.

    Bin k of a direction has the mean of the projections from quantile k / BINS to (k + 1) / BINS. Quantiles are not
    means over positions: those of a whole picture do not follow from those of its parts.
    """

    def quantiles(value: jax.Array, weights: jax.Array | None) -> jax.Array:
        flat = value.reshape(-1, value.shape[-1])
        projections = jnp.einsum("dc,mc->dm", directions(flat.shape[1]).astype(flat.dtype), flat).astype(jnp.float32)
        weights = jnp.ones(flat.shape[0]) if weights is None else jnp.asarray(weights, jnp.float32).reshape(-1)
        return jax.vmap(bin_means, (0, None))(projections, weights)

    return {layer: quantiles(value, weights_at(position_weights, layer)) for layer, value in features.items()}


def bin_means(values: jax.Array, weights: jax.Array) -> jax.Array:
    """The means of the sorted values `[M]` in bins of equal weight, `[BINS]`; 0 if all weights are 0.

    The integral of the quantile function is linear between the cumulative weights of the sorted values.
    """
    order = jnp.argsort(lax.stop_gradient(values))
    shares = weights[order] / nonzero(weights.sum())
    levels, integral = (jnp.pad(jnp.cumsum(x), (1, 0)) for x in (shares, shares * values[order]))
    edges = jnp.linspace(0, levels[-1], BINS + 1)
    return BINS * jnp.diff(jnp.interp(edges, levels, integral))
