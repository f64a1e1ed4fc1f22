"""Style statistics: what is kept of a layer's features when their arrangement is forgotten. Arrays in, arrays out.

Features are `[..., H, W, C]`; statistics are means over positions, so they do not depend on the picture's size, and
are accumulated in float32 whatever the dtype of the features.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def gram_matrix(features: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Gram matrix of a layer's features, G_ij = 1/M sum_x F_i(x) F_j(x) (Gatys et al., arXiv 1508.06576, eq. 3).

    The paper's G is the sum over the M = H W positions; the mean makes pictures of different sizes comparable.

    Args:
        features: F, `[..., H, W, C]`.
        weights: w >= 0 over the positions, `[..., H, W]`: a mask, for example. The result is then
            `sum w F_i F_j / sum w`, and 0 where all of w is 0.

    Returns:
        `[..., C, C]` float32, symmetric and positive semidefinite.
    """
    flat = features.reshape(*features.shape[:-3], -1, features.shape[-1])
    if weights is None:
        return _square(flat) / flat.shape[-2]
    # The total is that of the weights as rounded, so that all of one weight are as good as none.
    weights = weights.reshape(*weights.shape[:-2], -1).astype(flat.dtype)
    total = weights.sum(-1, dtype=jnp.float32)[..., None, None]
    return _product(flat, flat * weights[..., None]) / jnp.where(total > 0, total, 1)


@jax.custom_vjp
def _square(flat: jax.Array) -> jax.Array:
    """X^T X, whose gradient X (A + A^T) is one product; differentiating its two factors apart would take two."""
    return _product(flat, flat)


def _square_backward(flat: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    symmetric = (cotangent + cotangent.mT).astype(flat.dtype)
    return (jnp.matmul(flat, symmetric, precision=lax.Precision.HIGHEST, preferred_element_type=flat.dtype),)


_square.defvjp(lambda flat: (_square(flat), flat), _square_backward)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    return jnp.einsum(
        "...mi,...mj->...ij", left, right, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )


# Directions of the color cube: its edges, face diagonals and space diagonals, one of each opposite pair.
_AXES = np.array([axis for axis in product((-1, 0, 1), repeat=3) if axis > (0, 0, 0)], np.float32)
_LOWEST, _HIGHEST = np.minimum(_AXES, 0).sum(1), np.maximum(_AXES, 0).sum(1)
_HARMONICS = 8
_COSINE = (-3.14159265, 5.16771274, -2.55016339, 0.599259434, -0.0821254443, 0.00732651956, -0.000418003109)


def color_moments(picture: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """The distribution of a picture's colors, as cosine moments of its projections on 13 directions.

    For a direction a, with t in [0, 1] where a color's projection falls between the cube's ends, the k-th moment is
    the mean of cos(pi k t). The differences of two pictures' moments divided by k are the sine coefficients of the
    difference of their cumulative distributions along a, so that `color_distance` is a sliced Cramer distance, which
    is cheap, smooth, and like all statistics here a mean over positions.

    Args:
        picture: `[..., H, W, 3]` in [0, 1]; colors somewhat outside are folded back.
        weights: w >= 0 over the positions, `[..., H, W]`.

    Returns:
        `[..., 13, 8]` float32: directions by harmonics.
    """
    colors = picture.reshape(*picture.shape[:-3], -1, 3).astype(jnp.float32)
    if weights is None:
        shares = jnp.full(colors.shape[:-1], 1 / colors.shape[-2], jnp.float32)
    else:
        shares = weights.reshape(*weights.shape[:-2], -1).astype(jnp.float32)
        total = shares.sum(-1, keepdims=True)
        shares = shares / jnp.where(total > 0, total, 1)
    along = jnp.einsum("ac,...mc->...am", _AXES, colors, precision=lax.Precision.HIGHEST)
    places = (along - _broadcast(_LOWEST[:, None], along)) / _broadcast((_HIGHEST - _LOWEST)[:, None], along)
    # Chebyshev's recurrence, cos(k x) = 2 cos(x) cos((k - 1) x) - cos((k - 2) x), spares all cosines but the first.
    first = _cosine(places)
    before, now, moments = jnp.ones_like(first), first, []
    for _ in range(_HARMONICS):
        moments.append(jnp.einsum("...am,...m->...a", now, shares, precision=lax.Precision.HIGHEST))
        before, now = now, 2 * first * now - before
    return jnp.stack(moments, -1)


def _cosine(t: jax.Array) -> jax.Array:
    """cos(pi t) for t from -0.3 to 1.3, within 1e-6; beyond, its value at the nearer end.

    A polynomial, because the compiler evaluates it anew in every harmonic's sum: with its own cosine that took twenty
    times as long. The coefficients are the least-squares fit of -sin(pi u), u = t - 1/2.
    """
    u = jnp.clip(t, -0.3, 1.3) - 0.5
    square, value = u * u, jnp.full_like(u, _COSINE[-1])
    for coefficient in _COSINE[-2::-1]:
        value = value * square + coefficient
    return value * u


def color_distance(moments: jax.Array, target: jax.Array) -> jax.Array:
    """Sliced Cramer distance between two color distributions: the mean over directions of the integral of the
    squared difference of their cumulative distributions, as far as `color_moments` resolves it.

    Args:
        moments, target: `[..., 13, 8]`.

    Returns:
        `[...]`, at least 0, and at most 1.
    """
    harmonics = np.pi * np.arange(1, _HARMONICS + 1, dtype=np.float32)
    return 2 * (((moments - target) / _broadcast(harmonics, moments)) ** 2).sum(-1).mean(-1)


def _broadcast(row: np.ndarray, like: jax.Array) -> np.ndarray:
    """An array with as many dimensions as `like`: implicit rank promotion is an error in strict programs."""
    return row.reshape((1,) * (like.ndim - row.ndim) + row.shape)
