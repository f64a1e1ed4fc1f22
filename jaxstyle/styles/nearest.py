"""Nearest neighbors: the style as a sample of its features, and every position of a picture drawn to the nearest one.

The method is that of Kolkin et al. (arXiv 2203.13215): a position's hypercolumn is the features of all style layers
there, minus their mean in the picture, and its distance from a style's hypercolumn is 1 minus their cosine. Here each
layer's part has length 1, so that all layers count, the same nearest hypercolumn is used in all layers, and the
distances of the layers are added up with their weights. The target is a sample of bounded size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.errors import ConfigError
from jaxstyle.styles.distances import TINY
from jaxstyle.styles.positions import Features, PositionWeights, downsample, nonzero, position_mean, stride_ratio

SAMPLES = 1024  # positions of a style
_BLOCK = 4096  # positions of a picture that are compared with all samples at once

Vectors = dict[str, jax.Array]
Described = dict[str, tuple[jax.Array, jax.Array]]


def hypercolumns(features: Features) -> Vectors:
    """The features of all layers at the same positions, `[h, w, C]` float32 for each layer.

    The positions are those of the middle layer: finer features are averaged, and coarser ones repeated. A coarser layer
    may end before the middle one does; there are only positions that all layers have.
    """
    shape = features[middle_layer(list(features))].shape
    aligned = {layer: _aligned(value.astype(jnp.float32), shape) for layer, value in features.items()}
    height, width = (min(value.shape[axis] for value in aligned.values()) for axis in (0, 1))
    return {layer: value[:height, :width] for layer, value in aligned.items()}


def middle_layer(layers: Sequence[str]) -> str:
    """The layer that has the positions of `hypercolumns`."""
    return layers[len(layers) // 2]


def hypercolumn_extents(extents: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Height and width of `hypercolumns` `[2]`, for those of the layers."""
    middle = extents[middle_layer(list(extents))]
    # Of both ratios, that of a layer which is not the finer one is 1.
    common = [extent // stride_ratio(extent, middle) * stride_ratio(middle, extent) for extent in extents.values()]
    return dict.fromkeys(extents, np.min(common, axis=0))


def sample(values: Vectors, position_weights: PositionWeights = None) -> Vectors:
    """The centered features of length 1 at `SAMPLES` positions, the same in all layers: `[SAMPLES, C]`.

    The positions are drawn in proportion to their weights, always the same for the same shapes and weights, and are in
    random order. If there are fewer positions, they repeat. If all weights are 0, so are the vectors.
    """
    described = describe(values, position_weights)
    weights = next(iter(described.values()))[1].reshape(-1)
    order = jax.random.permutation(jax.random.key(0), weights.size)
    cumulative = jnp.cumsum(weights[order])
    levels = (jnp.arange(SAMPLES) + 0.5) / SAMPLES * cumulative[-1]
    chosen = order[jnp.minimum(jnp.searchsorted(cumulative, levels), weights.size - 1)]
    means = _means(described)
    return {
        layer: _unit(_flat(value)[chosen] - means[layer][None]) * (cumulative[-1] > 0)
        for layer, (value, _) in described.items()
    }


def describe(values: Vectors, position_weights: PositionWeights = None) -> Described:
    """Hypercolumns `[h, w, C]` and the weights of their positions `[h, w]`, for each layer."""
    height, width = next(iter(values.values())).shape[:2]
    if position_weights is None:
        weights = jnp.ones((height, width))
    else:
        shape = position_weights[middle_layer(list(values))].shape
        aligned = [_aligned(position_weights[layer][..., None], shape)[:height, :width, 0] for layer in values]
        weights = jnp.stack(aligned).min(0)  # 0 in the padding of a picture
    return {layer: (value, weights) for layer, value in values.items()}


def nearest_distances(described: Described, targets: Vectors, _: str) -> Vectors:
    """The mean over positions of 1 minus the cosine between a position's centered features and the nearest sample's.

    Cosines have no unit, so the losses are the same for both normalizations.
    """
    layers, means = list(targets), _means(described)
    positions = {layer: _flat(described[layer][0]) for layer in layers}
    samples = jnp.concatenate([targets[layer] for layer in layers], axis=-1)

    def units(position: Vectors) -> list[jax.Array]:
        return [_unit(position[layer] - means[layer]) for layer in layers]

    def find(position: Vectors) -> jax.Array:
        return jnp.argmax(samples @ jnp.concatenate(units(position)))

    @jax.checkpoint  # for the gradient, no centered features are stored
    def cosines_of(position: tuple[Vectors, jax.Array]) -> list[jax.Array]:
        vectors, nearest = position
        pairs = zip(units(vectors), layers, strict=True)
        return [jnp.vdot(unit, targets[layer][nearest]) for unit, layer in pairs]

    with jax.default_matmul_precision("highest"):
        nearest = lax.map(lambda position: find(lax.stop_gradient(position)), positions, batch_size=_BLOCK)
        cosines = lax.map(cosines_of, (positions, nearest), batch_size=_BLOCK)

    def distance(layer: str, cosines: jax.Array) -> jax.Array:
        weights = described[layer][1].reshape(-1)
        return jnp.vdot(weights, 1 - cosines) / nonzero(weights.sum())

    return {layer: distance(layer, values) for layer, values in zip(layers, cosines, strict=True)}


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
    if max(value.shape[:2]) >= max(shape[:2]):
        return downsample(value, shape)
    ratio = stride_ratio(shape, value.shape)
    value = jnp.repeat(jnp.repeat(value, ratio, axis=0), ratio, axis=1)
    return value[: shape[0], : shape[1]]


def _means(described: Described) -> Vectors:
    return {layer: position_mean(value, weights) for layer, (value, weights) in described.items()}


def _flat(value: jax.Array) -> jax.Array:
    return value.reshape(-1, value.shape[-1])


def _unit(vectors: jax.Array) -> jax.Array:
    return vectors * lax.rsqrt(jnp.sum(vectors**2, axis=-1, keepdims=True) + TINY)
