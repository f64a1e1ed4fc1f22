"""Regions: which regions of the content take their style from which regions of the style.

A mask `[K, H, W]` says how much each pixel belongs to each of K regions, from 0 to 1. Region k of the content takes
the style of region k of the style picture. Masks are given, or found by clustering deep features. They are NumPy arrays
of any height and width, and are resampled to the shape of each layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np

from jaxstyle.compilation import CachedFunction
from jaxstyle.config import MAX_REGIONS
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import resize_longest
from jaxstyle.networks import ARCHITECTURES, Network

_SIZE = 256  # longest side of the pictures that are clustered
_MIN_SHARE = 0.01  # share of a picture below which a region, or a color of a mask, counts as missing
_SAME_COLOR = 48 / 255  # largest difference in a channel between colors of a mask that count as the same
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


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks `[K, H, W]` of a content and of each of its styles."""

    content: np.ndarray
    styles: tuple[np.ndarray, ...]


def check_masks(content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Check the masks of a content and of `count` styles, and bring them into the form `[K, H, W]`.

    A mask `[H, W]` becomes two regions: the given one and the rest.

    Raises:
        PictureError: if a mask has another shape, values outside [0, 1], or is 0 everywhere, or if the numbers of
            regions differ.
        ConfigError: if the numbers of style masks and styles differ.
    """
    if len(styles) != count:
        raise ConfigError(f"there are {len(styles)} style masks for {count} style pictures; expected one for each")
    masks = Masks(_check_mask("content", content), tuple(_check_mask("style", style) for style in styles))
    for style in masks.styles:
        if len(style) != len(masks.content):
            raise PictureError(
                f"the style mask has {len(style)} regions and the content mask has {len(masks.content)}; "
                "expected the same number in both"
            )
    return masks


def masks_from_colors(content: np.ndarray, styles: Sequence[np.ndarray]) -> Masks:
    """Convert pictures of flat colors, `[H, W, 3]`, to masks with a region for each color of the content's picture.

    A color counts if it fills at least 1 % of the content's picture. Other pixels there, such as soft edges, belong to
    the region of the nearest color. Pixels of a style's picture that are not near any of these colors belong to no
    region.

    Raises:
        ConfigError: if the content's picture has fewer than 2 or too many colors, or if a style's picture has none of
            them.
    """
    colors = _flat_colors(content)
    if not 2 <= len(colors) <= MAX_REGIONS:
        raise ConfigError(
            f"the content mask has {len(colors)} flat colors; expected 2 to {MAX_REGIONS}, one for each region"
        )
    masks = Masks(
        _nearest_color(content, colors, np.inf),
        tuple(_nearest_color(style, colors, _SAME_COLOR) for style in styles),
    )
    if any(not mask.any() for mask in masks.styles):
        raise ConfigError("a style mask has none of the content mask's colors; expected the same colors in both")
    return masks


def find_masks(network: Network, content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Find masks of `count` corresponding regions of a content and its styles, by clustering deep features.

    The features are those of the network's default content layer. They are blurred, centered in each picture, because
    the features of a painting differ from those of a photograph everywhere, and scaled to length 1. K-means clusters
    the features of all pictures together. The masks are the softmax of each position's cosine similarities to the
    cluster centers. The same pictures always give the same masks.
    """
    network, layers = network.direct(), ARCHITECTURES[network.architecture].content_layers
    pictures = [jnp.asarray(resize_longest(picture, _SIZE)) for picture in (content, *styles)]
    features = [_unit_features(_features(network, picture, layers)[layers[0]]) for picture in pictures]
    centers = _k_means(np.concatenate([values.reshape(-1, values.shape[-1]) for values in features]), count)
    masks = [_softmax(_SHARPNESS * values @ centers.T) for values in features]
    return Masks(masks[0], tuple(masks[1:]))


def regions_at_size(
    network: Network,
    mask: np.ndarray,
    layers: Sequence[str],
    shape: Sequence[int],
    padded_shape: Sequence[int] | None = None,
) -> Regions:
    """Resample a mask to a picture and to its layers.

    Args:
        network: the recognition network.
        layers: the layers whose positions need weights.
        mask: `[K, h, w]`.
        shape: height and width of the picture.
        padded_shape: height and width to which the picture is padded, if it is. The weights of the padding are 0.
    """
    height, width = shape[:2]

    def weights_at(extent: Any, padded_extent: Any) -> np.ndarray:
        weights = resample_masks(mask, *map(int, extent))
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
    """Let every region that covers less than 1 % of a style cover the whole style, so that it has statistics."""
    missing = mask.mean((1, 2), keepdims=True) < _MIN_SHARE
    return np.where(missing, np.float32(1), mask)


def resample_masks(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask `[K, h, w]`: linear interpolation to enlarge it, weighted averages over areas to shrink it."""
    vertical, horizontal = _linear(mask.shape[1], height), _linear(mask.shape[2], width)
    return np.einsum("yh,khw,xw->kyx", vertical, mask, horizontal, optimize=True).astype(np.float32)


def _linear(size: int, new_size: int) -> np.ndarray:
    """The weights `[new_size, size]` of linear resampling along one axis, with antialiasing.

    They are at least 0, each row adds up to 1, and every old position contributes to a new one.
    """
    radius = max(1, size / new_size)
    centers = (np.arange(new_size) + 0.5) * size / new_size - 0.5
    weights = np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(size)[None]) / radius)
    return weights / weights.sum(1, keepdims=True)


def _check_mask(name: str, mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask, np.float32)
    if mask.ndim not in (2, 3) or not mask.size:
        raise PictureError(f"the {name} mask is {list(mask.shape)}; expected [H, W], or [K, H, W] for K regions")
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise PictureError(f"the {name} mask has values from {mask.min()} to {mask.max()}; expected 0 to 1")
    if not mask.any():
        raise PictureError(f"the {name} mask is 0 everywhere; expected values above 0 in the region")
    return mask if mask.ndim == 3 else np.stack([mask, 1 - mask])


def _flat_colors(picture: np.ndarray) -> np.ndarray:
    """The frequent colors `[K, 3]` of a picture, the most frequent first, without those similar to an earlier one."""
    levels = np.rint(picture.reshape(-1, 3) * 255).astype(np.uint8)
    colors, counts = np.unique(levels, axis=0, return_counts=True)
    flat: list[np.ndarray] = []
    for color in colors[np.argsort(-counts, kind="stable")][: (counts >= _MIN_SHARE * len(levels)).sum()] / 255:
        if all(np.abs(color - other).max() > _SAME_COLOR for other in flat):
            flat.append(color)
    return np.array(flat, np.float32).reshape(-1, 3)


def _nearest_color(picture: np.ndarray, colors: np.ndarray, max_distance: float) -> np.ndarray:
    """A mask `[K, H, W]`: 1 for the nearest color of each pixel, if within the distance, and 0 for the others."""
    distances = np.stack([np.abs(picture - color).max(-1) for color in colors])
    nearest = distances.argmin(0)[None] == np.arange(len(colors))[:, None, None]
    return (nearest & (distances <= max_distance)).astype(np.float32)


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
