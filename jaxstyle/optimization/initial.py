"""Initial pictures: the recolored content, noise, the style picture, a given picture, or a mixture of these."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.styles import Style, StyleStatistics, first_and_second_moments, resample_masks

# Mean and standard deviation of uniform noise in [0, 1], to which pink noise is scaled.
_MEAN, _DEVIATION = 1 / 2, 1 / 12**0.5
_FLOOR = 1e-5  # added to color variances, so that pictures of a single color can be matched too
# Largest factor by which matching stretches colors. Files of 8 bits have noise of about a level, rounding and JPEG's
# blocks: 5 levels are hard to see, 29 are not. Most pairs of photographs and paintings need less.
_MAX_GAIN = 5.0
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
    fft = _numpy_of(white).fft
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


def match_colors(picture: Array, style: StyleStatistics, weights: Any = None) -> Array:
    """Recolor a picture `[H, W, 3]` to the mean and covariance of the style's colors.

    This is the linear map that does so with the smallest change of colors: the Monge-Kantorovich map between two normal
    distributions (Pitie and Kokaram, "The linear Monge-Kantorovitch linear color mapping", 2007). The result is clipped
    to [0, 1].

    No difference of colors is stretched more than 5 times, because the chroma of a nearly gray picture is mostly noise:
    in every direction, the picture's standard deviation counts as at least a fifth of the style's.

    A NumPy array gives a NumPy array. For a JAX array this is a pure function of the picture and the style. With
    weights `[H, W]`, not all 0, the mean and covariance of the picture are weighted.
    """
    colors = picture.reshape(-1, 3)
    target: Any = style.mean, style.second
    if isinstance(picture, np.ndarray):
        colors, target = jax.tree.map(np.float64, (colors, target))  # NumPy sums a column without pairwise summation
    mean, _ = first_and_second_moments(colors, weights)
    # From centered colors, because the difference of moments is too inexact for the covariance of a gray photograph.
    centered = colors - mean[None]
    covariance = _with_floor(first_and_second_moments(centered, weights)[1])
    target_covariance = _with_floor(target[1] - target[0][:, None] * target[0][None])
    # For C >= W / g^2, the map T = C^-1 # W (geometric mean) is at most (W / g^2)^-1 # W = g: # is monotone.
    matrix = _transport(_upper_bound(covariance, target_covariance / _MAX_GAIN**2), target_covariance)
    return (centered @ matrix + target[0][None]).clip(0, 1).reshape(picture.shape).astype(picture.dtype)


def _numpy_of(array: np.ndarray | jax.Array) -> Any:
    """`numpy` for NumPy arrays, `jax.numpy` for JAX arrays."""
    return np if isinstance(array, np.ndarray) else jnp


def _with_floor(covariance: Array) -> Array:
    return covariance + _FLOOR * _numpy_of(covariance).eye(3)


def _upper_bound(first: Array, second: Array) -> Array:
    """A symmetric matrix that is at least both: A plus the negative part of A - B; exactly A where A >= B."""
    negative_part: Any = _negative_part_without_derivative if isinstance(first, np.ndarray) else _negative_part
    with jax.default_matmul_precision("highest"):
        return first + negative_part(first - second)


def _transport(covariance: Array, target: Array) -> Array:
    """The symmetric matrix T, `[3, 3]`, with T C T = W for covariances C and W.

    T = C^-1/2 (C^1/2 W C^1/2)^1/2 C^-1/2.
    """
    numpy = _numpy_of(covariance)
    root_of: Any = _root_without_derivative if numpy is np else _root
    with jax.default_matmul_precision("highest"):
        root = root_of(covariance)
        inverse = numpy.linalg.inv(root)
        return inverse @ root_of(root @ target @ root) @ inverse


def _negative_part_without_derivative(matrix: Array) -> Array:
    """The symmetric matrix with the same eigenvectors and max(0, -a) for each eigenvalue a."""
    numpy = _numpy_of(matrix)
    values, vectors = numpy.linalg.eigh(matrix)
    return (vectors * numpy.maximum(-values, 0)[None]) @ vectors.T


_negative_part = jax.custom_jvp(_negative_part_without_derivative)


@_negative_part.defjvp
def _negative_part_derivative(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """From divided differences of max(0, -a) = (|a| - a) / 2, also for equal eigenvalues a and b.

    They are ((a + b) / (|a| + |b|) - 1) / 2.
    """
    (matrix,), (tangent,) = primals, tangents
    values, vectors = jnp.linalg.eigh(matrix)
    sums, magnitudes = (v[:, None] + v[None] for v in (values, jnp.abs(values)))
    factors = (sums / jnp.where(magnitudes > 0, magnitudes, 1) - 1) / 2
    return _negative_part(matrix), vectors @ (factors * (vectors.T @ tangent @ vectors)) @ vectors.T


def _root_without_derivative(matrix: Array) -> Array:
    """The square root of a symmetric positive semidefinite matrix."""
    numpy = _numpy_of(matrix)
    values, vectors = numpy.linalg.eigh(matrix)
    return (vectors * numpy.sqrt(numpy.maximum(values, 0))[None]) @ vectors.T


_root = jax.custom_jvp(_root_without_derivative)


@_root.defjvp
def _root_derivative(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """From Sylvester's equation, because eigenvectors have no derivative if eigenvalues are equal, as for grays."""
    (matrix,), (tangent,) = primals, tangents
    root = _root(matrix)
    values, vectors = jnp.linalg.eigh(root)
    sums = jnp.maximum(values[:, None] + values[None], _FLOOR)
    return root, vectors @ ((vectors.T @ tangent @ vectors) / sums) @ vectors.T
