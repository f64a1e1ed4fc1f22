"""Regions: which parts of a content take the style of which parts of the style, from masks or from deep features.

A mask is `[K, H, W]`: how much each position belongs to each of K regions, from 0 to 1. Region k of a content goes
with region k of its style. Masks are NumPy arrays of any height and width, brought to the positions of every layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax.struct
import jax.numpy as jnp
import numpy as np

from jaxstyle.compilation.cached import CachedFunction
from jaxstyle.config import MAX_REGIONS
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images.resizing import resize_longest
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.networks.network import Network

_SIZE = 256  # longest side at which regions are looked for
_LEAST = 0.01  # share of a picture below which a region, or a color of a mask, counts as missing there
_APART = 48 / 255  # colors of a mask that are no farther from each other are the same
_SHARPNESS = 20.0  # of the assignment, by the cosine between features
_BLUR = 3  # positions over which features are averaged
_ROUNDS = 30  # of k-means, which settles sooner
_TINY = 1e-12

_features = CachedFunction(Network.features, static_argnames=("layers",))


@flax.struct.dataclass
class Regions:
    """The regions of a picture at one size, as weights over positions.

    Attributes:
        picture: over its pixels, `[K, H, W]`.
        layers: over the positions of each layer, `[K, h, w]`.
        shares: of the picture, `[K]`, adding up to 1.
    """

    picture: Any
    layers: dict[str, Any]
    shares: Any


@dataclass(frozen=True, eq=False)
class Masks:
    """Where the regions of a content and of each of its styles are: masks `[K, H, W]`."""

    content: np.ndarray
    styles: tuple[np.ndarray, ...]


def check_masks(content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Masks as they are given, `[H, W]` for one region and the rest, or `[K, H, W]`, for a content and `count` styles.

    Raises:
        PictureError: for a mask of another shape, with values beyond 0 to 1 or 0 everywhere, or of other regions.
        ConfigError: if there are not as many masks as styles.
    """
    if len(styles) != count:
        raise ConfigError(f"there are {len(styles)} style masks for {count} style pictures; expected one for each")
    masks = Masks(_checked("content", content), tuple(_checked("style", style) for style in styles))
    for style in masks.styles:
        if len(style) != len(masks.content):
            raise PictureError(
                f"the style mask has {len(style)} regions and the content mask {len(masks.content)}; expected as many"
            )
    return masks


def masks_from_colors(content: np.ndarray, styles: Sequence[np.ndarray]) -> Masks:
    """Masks that are told by pictures of flat colors, `[H, W, 3]`: a region for each color of the content's.

    A color counts if it fills 1 % of the picture; the rest, soft edges for example, belongs to the nearest. In the
    styles' pictures, what has none of these colors belongs to no region.

    Raises:
        ConfigError: naming the picture, for one color or too many, or if one of a style has none of the content's.
    """
    colors = _flat_colors(content)
    if not 2 <= len(colors) <= MAX_REGIONS:
        raise ConfigError(
            f"the content mask has {len(colors)} flat colors; expected 2 to {MAX_REGIONS}, one for each region"
        )
    masks = Masks(_nearest(content, colors, np.inf), tuple(_nearest(style, colors, _APART) for style in styles))
    if any(not mask.any() for mask in masks.styles):
        raise ConfigError("a style mask has none of the content mask's colors; expected the same ones in both")
    return masks


def find_masks(network: Network, content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Masks of `count` regions that are alike in a content and its styles, found by their deep features.

    The features are those of the network's usual content layer, blurred, less their mean in each picture, because a
    painting's differ from a photograph's everywhere, and of length 1. All pictures' together are put into groups by
    k-means; a position belongs to each as the softmax of its cosines with their centers says. The same pictures give
    the same masks.
    """
    network, layers = network.direct(), ARCHITECTURES[network.architecture].content_layers
    pictures = [jnp.asarray(resize_longest(picture, _SIZE)) for picture in (content, *styles)]
    found = [_directions(_features(network.direct(), picture, layers)[layers[0]]) for picture in pictures]
    centers = _k_means(np.concatenate([each.reshape(-1, each.shape[-1]) for each in found]), count)
    masks = [_softmax(_SHARPNESS * directions @ centers.T) for directions in found]
    return Masks(masks[0], tuple(masks[1:]))


def regions_at_size(
    network: Network, mask: np.ndarray, layers: Sequence[str], shape: Sequence[int], frame: Sequence[int] | None = None
) -> Regions:
    """The regions of a picture of this height and width; they are 0 beyond it in a frame of another."""
    height, width = shape[:2]

    def weights(inside: Any, outside: Any) -> np.ndarray:
        there = resample_masks(mask, *map(int, inside))
        rest = [(0, int(whole) - side) for whole, side in zip(outside, there.shape[1:], strict=True)]
        return np.pad(there, ((0, 0), *rest))

    extents = [np.array([height, width]), np.array(frame or (height, width))]
    totals = mask.mean((1, 2))
    return Regions(
        picture=weights(*extents),
        layers={layer: weights(*(network.extent_at(layer, extent) for extent in extents)) for layer in layers},
        shares=totals / totals.sum(),
    )


def fill_missing_regions(mask: np.ndarray) -> np.ndarray:
    """A style's mask in which a region that it hardly has is the whole of it, so that there is something to aim at."""
    missing = mask.mean((1, 2), keepdims=True) < _LEAST
    return np.where(missing, np.float32(1), mask)


def resample_masks(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask `[K, h, w]` at another height and width: linear on the way up, averages over areas on the way down."""
    down, across = _linear(mask.shape[1], height), _linear(mask.shape[2], width)
    return np.einsum("yh,khw,xw->kyx", down, mask, across, optimize=True).astype(np.float32)


def _linear(size: int, wanted: int) -> np.ndarray:
    """`[wanted, size]`: weights that are 0 or more, with every old position in some new one, adding up to 1."""
    reach = max(1, size / wanted)
    centers = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    weights = np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(size)[None]) / reach)
    return weights / weights.sum(1, keepdims=True)


def _checked(name: str, mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask, np.float32)
    if mask.ndim not in (2, 3) or not mask.size:
        raise PictureError(f"the {name} mask is {list(mask.shape)}; expected [H, W], or [K, H, W] for K regions")
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise PictureError(f"the {name} mask's values go from {mask.min()} to {mask.max()}; expected 0 to 1")
    if not mask.any():
        raise PictureError(f"the {name} mask is 0 everywhere; expected positions above 0: mark some")
    return mask if mask.ndim == 3 else np.stack([mask, 1 - mask])


def _flat_colors(picture: np.ndarray) -> np.ndarray:
    """The colors `[K, 3]` that fill much of a picture, the most frequent first, those near to these left out."""
    levels = np.rint(picture.reshape(-1, 3) * 255).astype(np.uint8)
    colors, counts = np.unique(levels, axis=0, return_counts=True)
    flat: list[np.ndarray] = []
    for color in colors[np.argsort(-counts, kind="stable")][: (counts >= _LEAST * len(levels)).sum()] / 255:
        if all(np.abs(color - other).max() > _APART for other in flat):
            flat.append(color)
    return np.array(flat, np.float32).reshape(-1, 3)


def _nearest(picture: np.ndarray, colors: np.ndarray, farthest: float) -> np.ndarray:
    """`[K, H, W]`: 1 for the nearest of the colors, if it is no farther than that, and 0 for the others."""
    distances = np.stack([np.abs(picture - color).max(-1) for color in colors])
    nearest = distances.argmin(0)[None] == np.arange(len(colors))[:, None, None]
    return (nearest & (distances <= farthest)).astype(np.float32)


def _directions(features: Any) -> np.ndarray:
    """Features `[H, W, C]`, blurred, less their mean, and of length 1."""
    planes = np.moveaxis(np.asarray(features, np.float32), -1, 0)
    _, height, width = planes.shape
    coarse = resample_masks(planes, -(-height // _BLUR), -(-width // _BLUR))
    values = np.moveaxis(resample_masks(coarse, height, width), 0, -1)
    values = values - values.mean((0, 1))
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), _TINY)


def _k_means(points: np.ndarray, count: int) -> np.ndarray:
    """Centers `[count, C]` of groups of points of length 1; the first ones are points that are far from each other."""
    centers = points[:1]
    for _ in range(count - 1):
        farthest = (points @ centers.T).max(1).argmin()
        centers = np.concatenate([centers, points[farthest, None]])
    for _ in range(_ROUNDS):
        nearest = (points @ centers.T).argmax(1)
        groups = [points[nearest == group] for group in range(count)]
        means = [group.mean(0) if len(group) else center for group, center in zip(groups, centers, strict=True)]
        centers = means / np.maximum(np.linalg.norm(means, axis=-1, keepdims=True), _TINY)
    return centers


def _softmax(values: np.ndarray) -> np.ndarray:
    """Over the last axis, which comes first in the result; float32."""
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.moveaxis(powers / powers.sum(-1, keepdims=True), -1, 0).astype(np.float32)
