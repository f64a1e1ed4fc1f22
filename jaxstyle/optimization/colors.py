"""Colors: matching those of a picture to a style, and keeping the content's own in the result.

Both ways to keep them are of Gatys et al., "Preserving Color in Neural Artistic Style Transfer" (arXiv 1606.05897).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.styles import Style, StyleStatistics, first_and_second_moments, matrix_root, split_alpha

_FLOOR = 1e-5  # added to color variances, so that pictures of a single color can be matched too
# Largest factor by which matching stretches colors. Files of 8 bits have noise of about a level, rounding and JPEG's
# blocks: 5 levels are hard to see, 29 are not. Most pairs of photographs and paintings need less.
_MAX_GAIN = 5.0
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # Y of YIQ, as in the paper, from sRGB values

Array = TypeVar("Array", np.ndarray, jax.Array)


def pictures_to_optimize(
    config: StyleConfig, content: np.ndarray, styles: Sequence[np.ndarray | Style]
) -> tuple[np.ndarray, list[np.ndarray | Style]]:
    """The content and the styles in the colors in which the optimization compares them, for `config.colors`.

    For "content", the styles are recolored to the content's mean and covariance of colors, in part if it has a share
    below 1. For "luminance", all are gray, and the luminance of the styles has the content's mean and deviation.

    Args:
        config: the settings.
        content: from `check_content`.
        styles: from `check_style`.

    Raises:
        ConfigError: for a measured style, whose colors cannot be changed.
    """
    shares = dict(config.colors)
    if "luminance" not in shares and not shares.get("content"):
        return content, list(styles)
    pictures = [style for style in styles if not isinstance(style, Style)]
    if len(pictures) < len(styles):
        raise ConfigError("the content keeps its colors, and those of a measured style are fixed; give its picture")
    if "luminance" in shares:
        content, pictures = _gray(content), [_gray(style) for style in pictures]
    share = shares.get("content", 1.0)
    return content, [_recolored(style, content, share) for style in pictures]


def with_kept_chroma(config: StyleConfig, picture: np.ndarray, content: np.ndarray) -> np.ndarray:
    """A result `[h, w, 3]` with the content's chroma if `config.colors` is "luminance"; else unchanged.

    The chroma is the difference of a color from the gray of its luminance. Where the color would leave [0, 1], its
    luminance is clipped, not its chroma.

    Args:
        config: the settings.
        picture: the optimized picture; only its luminance counts.
        content: `[H, W, 3]` or `[H, W, 4]`, in its own colors.
    """
    if "luminance" not in dict(config.colors):
        return picture
    resized = resize(content[..., :3], *picture.shape[:2])
    chroma = resized - _luminance(resized)
    luminance = np.clip(_luminance(picture), -chroma.min(-1, keepdims=True), 1 - chroma.max(-1, keepdims=True))
    return (luminance + chroma).clip(0, 1)


def in_compared_colors(config: StyleConfig, picture: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 3]` to start from; gray if `config.colors` is "luminance", as content and styles are then."""
    return _gray(picture) if "luminance" in dict(config.colors) else picture


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
    return _match_moments(picture, (style.mean, style.second), weights)


def _match_moments(picture: Array, target: Any, weights: Any) -> Array:
    colors = picture.reshape(-1, 3)
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


def numpy_of(array: np.ndarray | jax.Array) -> Any:
    """`numpy` for NumPy arrays, `jax.numpy` for JAX arrays."""
    return np if isinstance(array, np.ndarray) else jnp


def _gray(picture: np.ndarray) -> np.ndarray:
    """The luminance of a picture `[H, W, 3]` or `[H, W, 4]` in all colors; alpha stays."""
    color, alpha = split_alpha(picture)
    gray = np.repeat(_luminance(color), 3, -1)
    return gray if alpha is None else np.dstack([gray, alpha])


def _luminance(picture: np.ndarray) -> np.ndarray:
    """`[H, W, 1]`."""
    return (picture @ _LUMINANCE)[..., None]


def _recolored(style: np.ndarray, content: np.ndarray, share: float) -> np.ndarray:
    """A style picture whose visible pixels are matched to those of the content; in part, for a share below 1."""
    color, alpha = split_alpha(style)
    own_color, own_alpha = split_alpha(content)
    moments = first_and_second_moments(own_color.astype(np.float64), own_alpha)
    mixed = color + np.float32(share) * (_match_moments(color, moments, alpha) - color)
    return mixed if alpha is None else np.dstack([mixed, alpha])


def _with_floor(covariance: Array) -> Array:
    return covariance + _FLOOR * numpy_of(covariance).eye(3)


def _upper_bound(first: Array, second: Array) -> Array:
    """A symmetric matrix that is at least both: A plus the negative part of A - B; exactly A where A >= B."""
    negative_part: Any = _negative_part_without_derivative if isinstance(first, np.ndarray) else _negative_part
    with jax.default_matmul_precision("highest"):
        return first + negative_part(first - second)


def _transport(covariance: Array, target: Array) -> Array:
    """The symmetric matrix T, `[3, 3]`, with T C T = W for covariances C and W.

    T = C^-1/2 (C^1/2 W C^1/2)^1/2 C^-1/2.
    """
    numpy = numpy_of(covariance)
    root_of: Any = _root_in_numpy if numpy is np else matrix_root
    with jax.default_matmul_precision("highest"):
        root = root_of(covariance)
        inverse = numpy.linalg.inv(root)
        return inverse @ root_of(root @ target @ root) @ inverse


def _negative_part_without_derivative(matrix: Array) -> Array:
    """The symmetric matrix with the same eigenvectors and max(0, -a) for each eigenvalue a."""
    numpy = numpy_of(matrix)
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


def _root_in_numpy(matrix: np.ndarray) -> np.ndarray:
    """The square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))[None]) @ vectors.T
