"""Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308): transforms of kernels, windows and products.

A 4x4 tile of the result is computed from a 6x6 window of the picture with 36 products for each pair of channels,
instead of 144.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# F(4, 3) on the points 0, 1, -1, 2, -2 and infinity, in the notation of Lavin and Gray:
# result = AT [(G kernel) * (BT window)]. BT and AT are functions below, because most of their entries are 0 or 1, and
# both points of a pair share their terms.
TILE = 4
WINDOW = TILE + 2
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24

# With fewer tiles than this, products with a kernel in swapped order are faster if the kernel is the first factor.
FEW_TILES = 128

# The six rows `[6, I, O]` of a transformed kernel, as separate arrays: the compiler would copy slices of a larger one.
Transformed = tuple[jax.Array, ...]


def transform_kernel(kernel: jax.Array) -> Transformed:
    """G kernel G^T of `[3, 3, I, O]`, in float32."""
    # Row by row: a single product would be in memory together with the rows that it is split into.
    rows = np.kron(G, G).astype(np.float32).reshape(WINDOW, WINDOW, 9)
    flat = kernel.astype(jnp.float32).reshape(9, -1)
    products = (jnp.matmul(row, flat, precision=lax.Precision.HIGHEST) for row in rows)
    return tuple(product.reshape(WINDOW, *kernel.shape[2:]) for product in products)


def convolve_strip(strip: jax.Array, transformed: Transformed, *, turn: bool = False) -> jax.Array:
    """`[n, 4 r + 2, 4 t + 2, I]` with a transformed kernel gives `[n, 4 r, 4 t, O]`.

    With `turn`, the kernel is turned by 180 degrees and its channels are swapped, as the gradient needs it: `O`
    channels give `I`. That is the same as turning each window and each tile of the result, so that both directions
    share one transformed kernel.

    Each of the six rows of transforms depends on the strip alone and fits the cache of a core, so cores compute them in
    parallel.

    The code uses `lax`, which traces faster than `jnp`, and few changes of shape, because half of the compilation time
    is proportional to the number of operations.
    """
    count, down, across, channels = strip.shape[0], strip.shape[1] // TILE, strip.shape[2] // TILE, strip.shape[3]
    tiles = count * down * across
    order, contracted = (-1, 2) if turn else (1, 1)
    kernel_first = turn and tiles < FEW_TILES
    rows = []
    for row, kernel in zip(_transform_window(_positions(strip, axis=1)[::order]), transformed, strict=True):
        # With the new axis any earlier, the compiler would compute the row again for every use of it.
        points = [lax.expand_dims(x, (0,)) for x in _transform_window(_positions(row, axis=2)[::order])]
        windows = lax.reshape(lax.concatenate(points, 0), (WINDOW, tiles, channels))
        if kernel_first:
            products = lax.dot_general(kernel, windows, (((contracted,), (2,)), ((0,), (0,))))
            products = lax.reshape(products, (*products.shape[:2], count, down, 1, across, 1))
        else:
            products = lax.dot_general(windows, kernel, (((2,), (contracted,)), ((0,), (0,))))
            products = lax.reshape(products, (WINDOW, count, down, 1, across, 1, products.shape[-1]))
        columns = [lax.slice_in_dim(products, i, i + 1) for i in range(WINDOW)]
        rows.append(lax.concatenate(_transform_products(columns)[::order], 5 + kernel_first))
    result = lax.squeeze(lax.concatenate(_transform_products(rows)[::order], 3 + kernel_first), (0,))
    if kernel_first:
        result = lax.transpose(result, (1, 2, 3, 4, 5, 0))
    return lax.reshape(result, (count, down * TILE, across * TILE, result.shape[-1]))


def _positions(x: jax.Array, axis: int) -> list[jax.Array]:
    """For each of the six positions in a window along an axis, the values at that position of all tiles."""
    tiles = x.shape[axis] // TILE
    return [lax.slice_in_dim(x, i, i + TILE * tiles - 3, TILE, axis) for i in range(WINDOW)]


def _transform_window(x: Sequence[jax.Array]) -> list[jax.Array]:
    """BT times the values at the six positions of a window."""
    ones, minus_ones = _sum_and_difference(_plus(x[4], -4, x[2]), _plus(x[3], -4, x[1]))
    twos, minus_twos = _sum_and_difference(lax.sub(x[4], x[2]), _times(2, lax.sub(x[3], x[1])))
    zeros, infinities = (lax.add(_plus(_times(4, x[i]), -5, x[i + 2]), x[i + 4]) for i in (0, 1))
    return [zeros, ones, minus_ones, twos, minus_twos, infinities]


def _transform_products(x: Sequence[jax.Array]) -> list[jax.Array]:
    """AT times the products at the six points."""
    (even, odd), (even_twos, odd_twos) = _sum_and_difference(x[1], x[2]), _sum_and_difference(x[3], x[4])
    return [
        lax.add(x[0], lax.add(even, even_twos)),
        _plus(odd, 2, odd_twos),
        _plus(even, 4, even_twos),
        lax.add(_plus(odd, 8, odd_twos), x[5]),
    ]


def _sum_and_difference(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.add(x, y), lax.sub(x, y)


def _plus(x: jax.Array, factor: float, y: jax.Array) -> jax.Array:
    return lax.add(x, _times(factor, y))


def _times(factor: float, x: jax.Array) -> jax.Array:
    return lax.mul(x, np.float32(factor))
