"""Gram matrices of features and color distributions of pictures, as pure functions of arrays.

Both ignore where in the picture a feature or color is. They are means over positions, so they do not depend on the
picture's size. Features are `[..., H, W, C]` of any float dtype; statistics are accumulated in float32.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.styles.positions import nonzero


def gram_matrix(features: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Gram matrix of a layer's features, G_ij = 1/M sum_x F_i(x) F_j(x) (Gatys et al., arXiv 1508.06576, eq. 3).

    The paper's G is the sum over the M = H W positions; the mean makes pictures of different sizes comparable.

    Args:
        features: F, `[..., H, W, C]`.
        weights: w >= 0 for each position, `[..., H, W]`, such as a mask. The result is then
            `sum w F_i F_j / sum w`, or 0 if all weights are 0.

    Returns:
        `[..., C, C]` float32, symmetric and positive semidefinite.
    """
    if weights is None:
        flat = features.reshape(*features.shape[:-3], -1, features.shape[-1])
        return square(flat) / flat.shape[-2]
    products, total = sum_products(features, weights)
    return products / nonzero(total)[..., None, None]


def sum_products(features: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The sums whose quotient is the weighted Gram matrix: `sum w F_i F_j`, `[..., C, C]`, and `sum w`, `[...]`."""
    flat = features.reshape(*features.shape[:-3], -1, features.shape[-1])
    # Sum the weights after rounding to the features' dtype, so that equal weights give the unweighted mean.
    weights = weights.reshape(*weights.shape[:-2], -1).astype(flat.dtype)
    return _weighted_square(flat, weights), weights.sum(-1, dtype=jnp.float32)


@jax.custom_vjp
def square(flat: jax.Array) -> jax.Array:
    """X^T X. Its gradient X (A + A^T) takes one matrix product; differentiating each factor would take two."""
    return _product(flat, flat)


def _square_backward(flat: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    symmetric = (cotangent + cotangent.mT).astype(flat.dtype)
    return (jnp.matmul(flat, symmetric, precision=lax.Precision.HIGHEST, preferred_element_type=flat.dtype),)


square.defvjp(lambda flat: (square(flat), flat), _square_backward)


@jax.custom_vjp
def _weighted_square(flat: jax.Array, weights: jax.Array) -> jax.Array:
    """X^T diag(w) X. As for `square`, its gradient takes one matrix product."""
    return _product(flat, flat * weights[..., None])


def _weighted_square_backward(
    residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    flat, weights = residuals
    (unweighted,) = _square_backward(flat, cotangent)
    return unweighted * weights[..., None], (flat * unweighted).sum(-1) / 2


_weighted_square.defvjp(
    lambda flat, weights: (_weighted_square(flat, weights), (flat, weights)), _weighted_square_backward
)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.einsum(
        "...mi,...mj->...ij", left, right, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )


# Directions in the color cube: its edges, face diagonals and space diagonals, one of each opposite pair.
_AXES = np.array([axis for axis in product((-1, 0, 1), repeat=3) if axis > (0, 0, 0)], np.float32)
_LOWEST, _HIGHEST = np.minimum(_AXES, 0).sum(1), np.maximum(_AXES, 0).sum(1)  # the cube's extent along each
_HARMONICS = 8
# Coefficients of u, u^3, u^5, ...: the least-squares fit of -sin(pi u), which is cos(pi t) for u = t - 1/2.
_COSINE = (-3.14159265, 5.16771274, -2.55016339, 0.599259434, -0.0821254443, 0.00732651956, -0.000418003109)


def color_moments(picture: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """The distribution of a picture's colors, as cosine moments of its projections on 13 directions.

    Colors are projected on each direction a, and scaled so that t = 0 and t = 1 are the ends of the color cube. The
    k-th moment is the mean of cos(pi k t). For two pictures, the difference of these moments divided by k is the k-th
    sine coefficient of the difference of their cumulative distributions along a. `color_distance` is therefore a sliced
    Cramer distance. It is cheap and smooth, and the moments are means over positions.

    Args:
        picture: `[..., H, W, 3]` in [0, 1]; colors slightly outside this range are reflected into it.
        weights: w >= 0 for each position, `[..., H, W]`.

    Returns:
        `[..., 13, 8]` float32, by direction and harmonic.
    """
    if weights is None:
        shares = jnp.full(picture.shape[:-1], 1 / (picture.shape[-3] * picture.shape[-2]), jnp.float32)
    else:
        total = weights.astype(jnp.float32).sum((-2, -1), keepdims=True)
        shares = weights.astype(jnp.float32) / nonzero(total)
    return sum_color_moments(picture, shares)


def sum_color_moments(picture: jax.Array, weights: jax.Array) -> jax.Array:
    """The sums over positions, `[..., 13, 8]`, of which `color_moments` are the means, with weights `[..., H, W]`."""
    colors = picture.reshape(*picture.shape[:-3], -1, 3).astype(jnp.float32)
    weights = weights.reshape(*weights.shape[:-2], -1)
    projections = jnp.einsum("ac,...mc->...am", _AXES, colors, precision=lax.Precision.HIGHEST)
    scale, offset = _broadcast((_HIGHEST - _LOWEST)[:, None], projections), _broadcast(_LOWEST[:, None], projections)
    # Chebyshev's recurrence, cos(k x) = 2 cos(x) cos((k - 1) x) - cos((k - 2) x), replaces all cosines but the first.
    first = _cosine((projections - offset) / scale)
    previous, current, moments = jnp.ones_like(first), first, []
    for _ in range(_HARMONICS):
        moments.append(jnp.einsum("...am,...m->...a", current, weights, precision=lax.Precision.HIGHEST))
        previous, current = current, 2 * first * current - previous
    return jnp.stack(moments, -1)


def _cosine(t: jax.Array) -> jax.Array:
    """cos(pi t) for t from -0.3 to 1.3, within 1e-6; t outside this range is clipped to it.

    A polynomial, because the compiler recomputes it for every harmonic: with `jnp.cos` that took twenty times as long.
    """
    u = jnp.clip(t, -0.3, 1.3) - 0.5
    square, value = u * u, jnp.full_like(u, _COSINE[-1])
    for coefficient in _COSINE[-2::-1]:
        value = value * square + coefficient
    return value * u


def color_distance(moments: jax.Array, target: jax.Array) -> jax.Array:
    """Sliced Cramer distance between two color distributions.

    This is the mean over directions of the integral of the squared difference of their cumulative distributions, up to
    the highest harmonic of `color_moments`.

    Args:
        moments: from `color_moments`, `[..., 13, 8]`.
        target: from `color_moments`, `[..., 13, 8]`.

    Returns:
        `[...]` from 0 to 1.
    """
    harmonics = np.pi * np.arange(1, _HARMONICS + 1, dtype=np.float32)
    return 2 * (((moments - target) / _broadcast(harmonics, moments)) ** 2).sum(-1).mean(-1)


def _broadcast(array: np.ndarray, like: jax.Array) -> np.ndarray:
    """Prepend axes up to the rank of `like`, because some programs turn implicit rank promotion into an error."""
    return array.reshape((1,) * (like.ndim - array.ndim) + array.shape)
