"""Where the optimisation begins: the content in the style's colours, noise white or pink, the style, any picture, or a
blend.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.regions import resample
from jaxstyle.styles import Style, StyleStatistics, colour_mean

# Of white noise, uniform in [0, 1], and of pink noise too.
_MEAN, _SPREAD = 1 / 2, 1 / 12**0.5
_FLOOR = 1e-5  # of a colour variance, so that pictures of one colour can be matched too
Array = TypeVar("Array", np.ndarray, jax.Array)


def starting_picture(
    shares: Weighted,
    content: np.ndarray,
    statistics: StyleStatistics,
    *,
    style: np.ndarray | Style | None = None,
    picture: np.ndarray | None = None,
    seed: int = 0,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """A weighted mean of starting points, `[H, W, 3]` in [0, 1] like the content; in NumPy, which compiles nothing.

    Args:
        shares: `StyleConfig.init`.
        content: `[H, W, 3]`.
        statistics: of the style, whose colours the content takes on.
        style, picture: `[h, w, 3]`, stretched to the content's size; needed only when they have a share.
        seed: of the noise.
        mask: of the content, `[K, h, w]`, if the statistics are those of regions.

    Raises:
        ConfigError: if "style" or "picture" has a share and there is none.
    """
    if picture is None and dict(shares).get("picture"):
        raise ConfigError("init has 'picture', but there is none; expected start=, a picture [h, w, 3]")
    if not isinstance(style, np.ndarray) and dict(shares).get("style"):
        raise ConfigError("init has 'style', but of a measured style there is no picture; start from something else")
    height, width = content.shape[:2]
    makers: dict[str, Callable[[], np.ndarray]] = {
        "content": lambda: _match_regions(content, statistics, mask),
        "noise": lambda: np.random.default_rng(seed).uniform(size=content.shape),
        "pink": lambda: pink_noise(np.random.default_rng(seed).standard_normal(content.shape)),
        "style": lambda: resize(np.asarray(style), height, width),
        "picture": lambda: resize(np.asarray(picture), height, width),
    }
    return np.asarray(mix(shares, makers), np.float32)


def mix(shares: Weighted, makers: Mapping[str, Callable[[], Any]]) -> Any:
    """The weighted mean of what the named makers make; nothing is made that has no share."""
    total = sum(share for _, share in shares)
    first, *others = [share / total * makers[start]() for start, share in shares if share]
    return sum(others, first)


def pink_noise(white: Array) -> Array:
    """Noise `[H, W, 3]` whose amplitudes fall with the frequency f as 1/f, as those of photographs do (Field,
    "Relations between the statistics of natural images and the response properties of cortical cells", 1987).

    It is made of white noise of the same shape, and has the mean and the standard deviation of uniform noise in [0, 1],
    but for what is clipped to that range. Of a JAX array this is a pure function.
    """
    fft = _numpy_of(white).fft
    height, width = white.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = np.divide(1, frequency, out=np.zeros_like(frequency), where=frequency > 0).astype(white.dtype)
    noise = fft.irfft2(fft.rfft2(white, axes=(0, 1)) * amplitude[..., None], s=(height, width), axes=(0, 1))
    return (_MEAN + _SPREAD * noise / noise.std()).clip(0, 1)


def _match_regions(picture: np.ndarray, style: StyleStatistics, mask: np.ndarray | None) -> np.ndarray:
    """`match_colours` in every region; what is in none keeps its colours."""
    if mask is None:
        return match_colours(picture, style)
    regions = resample(mask, picture.shape[0], picture.shape[1])
    rest = np.maximum(0, 1 - regions.sum(0))
    total = rest[..., None] * picture
    for region, weights in enumerate(regions):
        if weights.any():
            own = jax.tree.map(lambda values, region=region: values[region], style)
            total = total + weights[..., None] * match_colours(picture, own, weights)
    return total / (regions.sum(0) + rest)[..., None]


def match_colours(picture: Array, style: StyleStatistics, weights: Any = None) -> Array:
    """Recolour a picture `[H, W, 3]` so that its mean colour and covariance are the style's.

    Of all linear maps that do so this one moves the colours least: the Monge-Kantorovich map between two normal
    distributions (Pitie and Kokaram, "The linear Monge-Kantorovitch linear colour mapping", 2007). Clipped to [0, 1].
    A NumPy array stays one; of a JAX array this is a pure function, and so it is of the style. With weights `[H, W]`,
    not all 0, those are the mean and covariance of that part of the picture.
    """
    colours = picture.reshape(-1, 3)
    wanted: Any = style.mean, style.second
    if isinstance(picture, np.ndarray):
        colours, wanted = jax.tree.map(np.float64, (colours, wanted))  # NumPy adds up a column one by one
    mean, _ = colour_mean(colours, weights)
    # Of centred colours, because a grey photograph's covariance is too small to be left over by a difference.
    centred = colours - mean[None]
    covariance = _with_floor(colour_mean(centred, weights)[1])
    map_ = _transport(covariance, _with_floor(wanted[1] - wanted[0][:, None] * wanted[0][None]))
    return (centred @ map_ + wanted[0][None]).clip(0, 1).reshape(picture.shape).astype(picture.dtype)


def _numpy_of(array: np.ndarray | jax.Array) -> Any:
    """NumPy for its own arrays, and JAX's for JAX's."""
    return np if isinstance(array, np.ndarray) else jnp


def _with_floor(covariance: Array) -> Array:
    return covariance + _FLOOR * _numpy_of(covariance).eye(3)


def _transport(covariance: Array, wanted: Array) -> Array:
    """The symmetric `[3, 3]` T with T C T = W, by C^-1/2 (C^1/2 W C^1/2)^1/2 C^-1/2."""
    numpy = _numpy_of(covariance)
    root_of: Any = _root_without_derivative if numpy is np else _root
    with jax.default_matmul_precision("highest"):
        root = root_of(covariance)
        inverse = numpy.linalg.inv(root)
        return inverse @ root_of(root @ wanted @ root) @ inverse


def _root_without_derivative(matrix: Array) -> Array:
    """The square root of a symmetric positive semidefinite matrix."""
    numpy = _numpy_of(matrix)
    values, vectors = numpy.linalg.eigh(matrix)
    return (vectors * numpy.sqrt(numpy.maximum(values, 0))[None]) @ vectors.T


_root = jax.custom_jvp(_root_without_derivative)


@_root.defjvp
def _root_derivative(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The root's own, by Sylvester's equation; that of the eigenvectors does not exist for greys, say."""
    (matrix,), (tangent,) = primals, tangents
    root = _root(matrix)
    values, vectors = jnp.linalg.eigh(root)
    sums = jnp.maximum(values[:, None] + values[None], _FLOOR)
    return root, vectors @ ((vectors.T @ tangent @ vectors) / sums) @ vectors.T
