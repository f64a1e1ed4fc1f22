"""Regions: which regions of the content take their style from which regions of the style.

A mask `[K, H, W]` says how much each pixel belongs to each of K regions, from 0 to 1. Region k of the content takes
the style of region k of the style picture. Masks are given (see `masks`), or found by clustering deep features. They
are NumPy arrays of any height and width, and are resampled to the shape of each layer.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np

from jaxstyle.compilation import CachedFunction
from jaxstyle.images import resize_longest
from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.styles.masks import Masks

_SIZE = 256  # longest side of the pictures that are clustered
_MIN_SHARE = 0.01  # share of a style below which a region that was found there counts as missing
_SHARPNESS = 20.0  # factor on the cosine similarities before the softmax
_BLUR = 3  # positions over which features are averaged
_ITERATIONS = 30  # of k-means, which converges sooner
_TINY = 1e-12  # avoids division by zero

_features = CachedFunction(Network.features, static_argnames=("layers",))


@flax.struct.dataclass
class Regions:
    """The K regions of a picture at one size, as weights for its pixels and for the positions of layers.

    Attributes:
        picture: the weight of each pixel in each region, `[K, H, W]`.
        layers: the weight of each position of a layer in each region, `{layer: [K, h, w]}`.
        shares: each region's share of the picture, `[K]`, adding up to 1.
    """

    picture: Any
    layers: dict[str, Any]
    shares: Any


def find_masks(network: Network, content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Find masks of `count` corresponding regions of a content and its styles, by clustering deep features.

    The features are those of the network's default content layer. They are blurred, centered in each picture, because
    the features of a painting differ from those of a photograph everywhere, and scaled to length 1. K-means clusters
    the features of all pictures together. The masks are the softmax of each position's cosine similarities to the
    cluster centers. A region with less than 1 % of a style is 0 everywhere there. The same pictures always give the
    same masks.
    """
    network, layers = network.direct(), ARCHITECTURES[network.architecture].content_layers
    pictures = [jnp.asarray(resize_longest(picture, _SIZE)) for picture in (content, *styles)]
    features = [_unit_features(_features(network, picture, layers)[layers[0]]) for picture in pictures]
    centers = _k_means(np.concatenate([values.reshape(-1, values.shape[-1]) for values in features]), count)
    masks = [_softmax(_SHARPNESS * values @ centers.T) for values in features]
    return Masks(masks[0], tuple(mask * (mask.mean((1, 2), keepdims=True) >= _MIN_SHARE) for mask in masks[1:]))


def regions_at_size(
    network: Network,
    mask: Any,
    layers: Sequence[str],
    shape: Sequence[int],
    padded_shape: Sequence[int] | None = None,
) -> Regions:
    """Resample a mask to a picture and to its layers.

    Args:
        network: the recognition network.
        layers: the layers whose positions need weights.
        mask: `[K, h, w]`, a NumPy array or, without padding, a JAX array.
        shape: height and width of the picture.
        padded_shape: height and width to which the picture is padded, if it is. The weights of the padding are 0.
    """
    height, width = shape[:2]

    def weights_at(extent: Any, padded_extent: Any) -> Any:
        weights = resample_masks(mask, *map(int, extent))
        if padded_shape is None:
            return weights
        padding = [(0, int(padded) - side) for padded, side in zip(padded_extent, weights.shape[1:], strict=True)]
        return np.pad(weights, ((0, 0), *padding))

    extents = [np.array([height, width]), np.array(padded_shape or (height, width))]
    totals = mask.mean((1, 2))
    return Regions(
        picture=weights_at(*extents),
        layers={layer: weights_at(*(network.extent_at(layer, extent) for extent in extents)) for layer in layers},
        shares=totals / totals.sum(),
    )


def fill_missing_regions(mask: np.ndarray) -> np.ndarray:
    """Let every region that a style lacks cover the whole style, so that it has statistics."""
    return np.where(mask.any((1, 2), keepdims=True), mask, np.float32(1))


def resample_masks(mask: Any, height: int, width: int) -> Any:
    """Resize a mask `[K, h, w]`: linear interpolation to enlarge it, weighted averages over areas to shrink it.

    For a JAX array this is a pure function.
    """
    vertical, horizontal = _linear(mask.shape[1], height), _linear(mask.shape[2], width)
    einsum: Any = np.einsum if isinstance(mask, np.ndarray) else partial(jnp.einsum, precision="highest")
    return einsum("yh,khw,xw->kyx", vertical, mask, horizontal, optimize=True).astype(np.float32)


def _linear(size: int, new_size: int) -> np.ndarray:
    """The weights `[new_size, size]` of linear resampling along one axis, with antialiasing.

    They are at least 0, each row adds up to 1, and every old position contributes to a new one.
    """
    radius = max(1, size / new_size)
    centers = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    weights = np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(size)[None]) / radius)
    return weights / weights.sum(1, keepdims=True)


def _unit_features(features: Any) -> np.ndarray:
    """Features `[H, W, C]`, blurred, centered, and scaled to length 1."""
    planes = np.moveaxis(np.asarray(features, np.float32), -1, 0)
    _, height, width = planes.shape
    coarse = resample_masks(planes, -(-height // _BLUR), -(-width // _BLUR))
    values = np.moveaxis(resample_masks(coarse, height, width), 0, -1)
    values = values - values.mean((0, 1))
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), _TINY)


def _k_means(points: np.ndarray, count: int) -> np.ndarray:
    """Cluster points of length 1 by cosine similarity, and return the cluster centers `[count, C]`.

    The initial centers are points that are far from each other.
    """
    centers = points[:1]
    for _ in range(count - 1):
        farthest = (points @ centers.T).max(1).argmin()
        centers = np.concatenate([centers, points[farthest, None]])
    for _ in range(_ITERATIONS):
        nearest = (points @ centers.T).argmax(1)
        clusters = [points[nearest == index] for index in range(count)]
        means = [cluster.mean(0) if len(cluster) else center for cluster, center in zip(clusters, centers, strict=True)]
        centers = means / np.maximum(np.linalg.norm(means, axis=-1, keepdims=True), _TINY)
    return centers


def _softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, which becomes the first axis of the result; float32."""
    exponentials = np.exp(values - values.max(-1, keepdims=True))
    return np.moveaxis(exponentials / exponentials.sum(-1, keepdims=True), -1, 0).astype(np.float32)
