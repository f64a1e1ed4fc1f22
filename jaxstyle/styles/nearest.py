"""Nearest neighbors: the style as a sample of its features, and every position of a picture drawn to the nearest one.

The method is that of Kolkin et al. (arXiv 2203.13215): a position's hypercolumn is the features of all style layers
there, minus their mean in the picture, and its distance from a style's hypercolumn is 1 minus their cosine. Here each
layer's part has length 1, so that all layers count, the same nearest hypercolumn is used in all layers, and the
distances of the layers are added up with their weights. The target is a sample of bounded size.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.errors import ConfigError
from jaxstyle.styles.distances import TINY
from jaxstyle.styles.positions import Features, PositionWeights, downsample, nonzero, position_mean, weights_at

SAMPLES = 1024  # positions of a style
_BLOCK = 4096  # positions of a picture that are compared with all samples at once

Vectors = dict[str, jax.Array]
Described = dict[str, tuple[jax.Array, jax.Array]]


def sampled_vectors(features: Features, position_weights: PositionWeights = None) -> Vectors:
    """The centered features of length 1 at `SAMPLES` positions, the same in all layers: `[SAMPLES, C]`.

    The positions are drawn in proportion to their weights, always the same for the same shapes and weights, and are in
    random order. If there are fewer positions, they repeat. If all weights are 0, so are the vectors.
    """
    described = vectors(features, position_weights)
    weights = next(iter(described.values()))[1]
    order = jax.random.permutation(jax.random.key(0), weights.size)
    cumulative = jnp.cumsum(weights[order])
    levels = (jnp.arange(SAMPLES) + 0.5) / SAMPLES * cumulative[-1]
    chosen = order[jnp.minimum(jnp.searchsorted(cumulative, levels), weights.size - 1)]
    return {layer: values[chosen] * (cumulative[-1] > 0) for layer, (values, _) in described.items()}


def vectors(features: Features, position_weights: PositionWeights = None) -> Described:
    """The centered features of length 1 at all positions, `[M, C]`, and the positions' weights `[M]`, for each layer.

    The positions are those of the middle style layer: finer features are averaged, and coarser ones repeated.
    """
    layers = list(features)
    shape = features[layers[len(layers) // 2]].shape[:2]
    aligned, all_weights = [], []
    for layer, value in features.items():
        weights = weights_at(position_weights, layer)
        weights = jnp.ones(value.shape[:2]) if weights is None else weights
        centered = value.astype(jnp.float32) - position_mean(value, weights)[None, None]
        aligned.append(_aligned(centered, shape))
        all_weights.append(_aligned(weights[..., None], shape))
    height, width = (min(value.shape[axis] for value in aligned) for axis in (0, 1))
    # A coarser layer may end before the middle one does; what is there in a padded picture has a weight of 0.
    weights = jnp.stack([value[:height, :width] for value in all_weights]).min(0).reshape(-1)
    return {
        layer: (_unit(value[:height, :width].reshape(-1, value.shape[-1])), weights)
        for layer, value in zip(layers, aligned, strict=True)
    }


def nearest_distances(described: Described, targets: Vectors, _: str) -> Vectors:
    """The mean over positions of 1 minus the cosine between a position's features and the nearest sample's.

    Cosines have no unit, so the losses are the same for both normalizations.
    """
    layers = list(targets)
    joined = jnp.concatenate([described[layer][0] for layer in layers], axis=-1)
    samples = jnp.concatenate([targets[layer] for layer in layers], axis=-1)
    with jax.default_matmul_precision("highest"):
        nearest = lax.map(lambda vector: jnp.argmax(samples @ vector), lax.stop_gradient(joined), batch_size=_BLOCK)

    def distance(layer: str) -> jax.Array:
        values, weights = described[layer]
        cosines = jnp.sum(values * targets[layer][nearest], axis=-1)
        return jnp.vdot(weights, 1 - cosines) / nonzero(weights.sum())

    return {layer: distance(layer) for layer in layers}


def blend_samples(samples: Sequence[jax.Array], shares: Sequence[float]) -> jax.Array:
    """A sample of a blend: of each style a number of vectors that is proportional to its share.

    Args:
        samples: `[..., SAMPLES, C]` for each style, in random order.
        shares: adding up to 1.

    Raises:
        ConfigError: for a negative share.
    """
    if min(shares) < 0:
        raise ConfigError(f"style_blend has the share {min(shares):g}, but a sample has none below 0; use gram")
    ends = [round(SAMPLES * sum(shares[:index])) for index in range(len(shares) + 1)]
    selected = [values[..., : end - start, :] for values, start, end in zip(samples, ends, ends[1:], strict=False)]
    return jnp.concatenate(selected, axis=-2)


def _aligned(value: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Features `[H, W, C]` at the positions of another layer, or at all of these but the last ones."""
    if value.shape[0] >= shape[0]:
        return downsample(value, shape)
    factors = (max(1, round(side / size)) for side, size in zip(shape, value.shape, strict=False))
    for axis, factor in enumerate(factors):
        value = jnp.repeat(value, factor, axis=axis)
    return value[: shape[0], : shape[1]]


def _unit(vectors: jax.Array) -> jax.Array:
    return vectors * lax.rsqrt(jnp.sum(vectors**2, axis=-1, keepdims=True) + TINY)
