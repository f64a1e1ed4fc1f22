"""Grain: fine detail beyond even gradients, of brightness and of chroma, and how far a picture has more than a style.

Statistics of features allow for more of it than a style has: a fine mesh or colored specks hardly change them. A mesh
shows in the mean of the detail, specks, which are few and strong, in its mean square.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.styles.positions import nonzero

# From RGB to Y, Cb and Cr (ITU-R BT.601), without offset.
_OPPONENTS = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_SMOOTHING = 0.5 / 255  # below about this difference, grain counts by its square
_AIM = 0.9  # of the style's grain: where the other terms balance this one, a result has about a tenth more
_FLOOR = 0.5 / 255  # added to both, because the logarithm of a style without grain is infinite


def measure_grain(picture: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """The grain of a picture: the mean absolute Laplacians of its luma and of its chroma, and their mean squares.

    Absolute values x are smoothed to sqrt(x^2 + e^2) - e, where e is half a level of 8 bits. Beyond the border, and
    where the weights are 0, a picture is continued by its nearest pixels.

    Args:
        picture: `[H, W, 3]`.
        weights: w >= 0 for each position, `[H, W]`.

    Returns:
        `[4]` float32: the means of luma and chroma, then the mean squares of luma and chroma.
    """
    sums, total = grain_sums(picture, jnp.ones(picture.shape[:2]) if weights is None else weights)
    return sums / nonzero(total)


def grain_sums(picture: jax.Array, weights: jax.Array, counted: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """The sums over positions whose quotient is `measure_grain`, `[2]` and `[]`.

    With `counted`, 1 or 0 for each position, those of a part of the positions; the others are still their neighbors.
    """
    channels = jnp.einsum("hwc,oc->hwo", picture, _OPPONENTS, precision=jax.lax.Precision.HIGHEST)
    inside = (weights > 0).astype(channels.dtype)[..., None]
    rows = (channels[1:] - channels[:-1]) * inside[1:] * inside[:-1]
    columns = (channels[:, 1:] - channels[:, :-1]) * inside[:, 1:] * inside[:, :-1]
    laplacian = _change(rows, axis=0) + _change(columns, axis=1)
    squares = laplacian**2
    absolute = squares / (jnp.sqrt(squares + _SMOOTHING**2) + _SMOOTHING)  # sqrt(x^2 + e^2) - e, exactly 0 for 0
    weights = weights if counted is None else weights * counted
    both = jnp.stack([absolute, squares])
    sums = jnp.einsum("phwo,hw->po", both, weights, precision=jax.lax.Precision.HIGHEST)
    return jnp.stack([sums[:, 0], sums[:, 1:].mean(-1)], -1).reshape(4), weights.sum()


def _change(differences: jax.Array, axis: int) -> jax.Array:
    """At each pixel, the difference to the next one less that from the one before; at the border, one of them is 0."""
    after, before = [(0, 0)] * 3, [(0, 0)] * 3
    after[axis], before[axis] = (0, 1), (1, 0)
    return jnp.pad(differences, after) - jnp.pad(differences, before)


def grain_excess(value: jax.Array, target: jax.Array) -> jax.Array:
    """How much more grain a picture has than nine tenths of a style's.

    For brightness and for chroma, max(0, log(m / 0.9 t))^2 + max(0, log(r / 0.9 s))^2, where m and r are the mean and
    the root mean square of the picture's grain, and t and s those of the style's; then the mean of both. It is 0 if the
    picture has no more of any, and 2 for e times as much of all.

    Args:
        value: from `measure_grain`, `[..., 4]`.
        target: that of the style, `[..., 4]`.

    Returns:
        `[...]`.
    """
    target = jnp.maximum(target, 0)  # blends with negative shares may have less than none
    means = jnp.log((value[..., :2] + _FLOOR) / (_AIM * target[..., :2] + _FLOOR))
    roots = jnp.log((value[..., 2:] + _FLOOR**2) / (_AIM**2 * target[..., 2:] + _FLOOR**2)) / 2
    return (jnp.maximum(means, 0) ** 2 + jnp.maximum(roots, 0) ** 2).mean(-1)
