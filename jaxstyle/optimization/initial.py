"""Initial pictures: the recolored content, noise, the style picture, a given picture, or a mixture of these."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.config import Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.optimization.colors import match_colors, numpy_of
from jaxstyle.styles import Style, StyleStatistics, resample_masks

# Mean and standard deviation of uniform noise in [0, 1], to which pink noise is scaled.
_MEAN, _DEVIATION = 1 / 2, 1 / 12**0.5
Array = TypeVar("Array", np.ndarray, jax.Array)


def make_initial_picture(
    shares: Weighted,
    content: np.ndarray,
    statistics: StyleStatistics,
    *,
    style: np.ndarray | Style | None = None,
    picture: np.ndarray | None = None,
    seed: int = 0,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Make the initial picture of an optimization, in NumPy, so that nothing has to be compiled.

    Args:
        shares: what to mix and in which proportions; see `StyleConfig.init`.
        content: `[H, W, 3]` in [0, 1].
        statistics: the style's statistics, to whose colors the content is matched.
        style: `[h, w, 3]` in [0, 1], resized to the shape of the content; needed only if it has a share.
        picture: the same.
        seed: the seed of the noise.
        mask: the content's mask `[K, h, w]`, if the statistics are those of K regions.

    Returns:
        `[H, W, 3]` float32 in [0, 1].

    Raises:
        ConfigError: if "style" or "picture" has a share, but that picture is missing.
    """
    if picture is None and dict(shares).get("picture"):
        raise ConfigError("init has 'picture', but no picture was given; pass initial_picture=, a picture [h, w, 3]")
    if not isinstance(style, np.ndarray) and dict(shares).get("style"):
        raise ConfigError("init has 'style', but a measured style has no picture; choose another init")
    height, width = content.shape[:2]
    makers: dict[str, Callable[[], np.ndarray]] = {
        "content": lambda: _match_regions(content, statistics, mask),
        "noise": lambda: np.random.default_rng(seed).uniform(size=content.shape),
        "pink": lambda: pink_noise(np.random.default_rng(seed).standard_normal(content.shape)),
        "style": lambda: resize(np.asarray(style)[..., :3], height, width),
        "picture": lambda: resize(np.asarray(picture), height, width),
    }
    return np.asarray(weighted_mean(shares, makers), np.float32)


def weighted_mean(shares: Weighted, makers: Mapping[str, Callable[[], Any]]) -> Any:
    """The weighted mean of the results of the named makers; makers without a share are not called."""
    total = sum(share for _, share in shares)
    first, *others = [share / total * makers[name]() for name, share in shares if share]
    return sum(others, first)


def pink_noise(white: Array) -> Array:
    """Filter white noise `[H, W, 3]` to pink noise, whose amplitude at frequency f is proportional to 1/f.

    Photographs have such a spectrum (Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", 1987). The result has the mean and standard deviation of uniform noise in [0, 1],
    and is then clipped to that range. For a JAX array this is a pure function.
    """
    fft = numpy_of(white).fft
    height, width = white.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = np.divide(1, frequency, out=np.zeros_like(frequency), where=frequency > 0).astype(white.dtype)
    noise = fft.irfft2(fft.rfft2(white, axes=(0, 1)) * amplitude[..., None], s=(height, width), axes=(0, 1))
    return (_MEAN + _DEVIATION * noise / noise.std()).clip(0, 1)


def _match_regions(picture: np.ndarray, style: StyleStatistics, mask: np.ndarray | None) -> np.ndarray:
    """`match_colors` in every region; pixels outside all regions do not change."""
    if mask is None:
        return match_colors(picture, style)
    regions = resample_masks(mask, picture.shape[0], picture.shape[1])
    outside = np.maximum(0, 1 - regions.sum(0))
    total = outside[..., None] * picture
    for region, weights in enumerate(regions):
        if weights.any():
            region_style = jax.tree.map(lambda values, region=region: values[region], style)
            total = total + weights[..., None] * match_colors(picture, region_style, weights)
    return total / (regions.sum(0) + outside)[..., None]
