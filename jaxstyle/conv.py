"""The 3x3 convolution that every VGG layer is made of, fast on each backend.

On GPUs and TPUs this is the compiler's own convolution. On CPU it is Winograd's F(4x4, 3x3) (Lavin and Gray,
arXiv 1509.09308): a 4x4 tile of the result costs 36 products for each pair of channels instead of 144. The picture is
worked through in strips of tile rows whose transforms stay in cache; without the strips the wide, shallow layers would
spend more time moving their transforms through memory than they save.

Conventions: pictures `[N, H, W, C]`, kernels `[3, 3, I, O]`, stride 1, zero padding 1.
"""

from collections.abc import Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Winograd's F(4, 3) on the points 0, 1, -1, 2, -2 and infinity, in the notation of Lavin and Gray:
# result = AT [(G kernel) * (BT tile)].
TILE = 4
WINDOW = TILE + 2
BT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
AT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

# A strip's transforms hold STRIP floats or so (a few MB: a share of the last cache), but never fewer than
# MIN_TILES tiles, below which the matrix products are too thin to run at speed.
STRIP = 600_000
MIN_TILES = 128

# With fewer channels than this on either side (the picture's own three) the transforms cost more than they save.
MIN_CHANNELS = 16


@flax.struct.dataclass
class Prepared:
    """A kernel transformed once for many convolutions: `[36, I, O]`, and `[36, O, I]` for the gradient."""

    forward: jax.Array
    backward: jax.Array


def prepare(kernel: jax.Array) -> Prepared:
    """Transform a kernel `[3, 3, I, O]` for `conv3x3`, which otherwise does it at every call."""
    return Prepared(forward=_transform_kernel(kernel), backward=_transform_kernel(_transposed(kernel)))


def conv3x3(inputs: jax.Array, kernel: jax.Array, prepared: Prepared | None = None) -> jax.Array:
    """3x3 convolution: `[N, H, W, I]` with a kernel `[3, 3, I, O]` gives `[N, H, W, O]`.

    Args:
        inputs: any float dtype; any size from one pixel up.
        kernel: weights, correlated (not flipped), as in every deep-learning framework.
        prepared: `prepare(kernel)`, for callers that convolve with one kernel many times.

    Returns:
        The convolution in the dtype of `inputs`, within 1e-4 of the direct one relative to its largest value.
    """
    if min(kernel.shape[2:]) < MIN_CHANNELS:
        return direct(inputs, kernel)
    return lax.platform_dependent(
        inputs, kernel, prepared, cpu=_winograd, default=lambda x, kernel, _: direct(x, kernel)
    )


def direct(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """The compiler's own convolution; arguments and result as `conv3x3`."""
    return lax.conv_general_dilated(
        inputs, kernel.astype(inputs.dtype), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _transposed(kernel: jax.Array) -> jax.Array:
    """The kernel of the gradient: turned by 180 degrees, its channels swapped."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


@jax.custom_vjp
def _winograd(inputs: jax.Array, kernel: jax.Array, prepared: Prepared | None) -> jax.Array:
    return _convolve(inputs, prepared.forward if prepared else _transform_kernel(kernel))


def _winograd_forward(inputs: jax.Array, kernel: jax.Array, prepared: Prepared | None) -> tuple[jax.Array, Any]:
    return _winograd(inputs, kernel, prepared), (inputs, kernel, prepared)


def _winograd_backward(residuals: Any, cotangent: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
    inputs, kernel, prepared = residuals
    backward = prepared.backward if prepared else _transform_kernel(_transposed(kernel))
    # Weights are frozen nearly always: the compiler drops this product when nobody asks for it.
    (kernel_gradient,) = jax.linear_transpose(lambda k: direct(inputs, k), kernel)(cotangent)
    return _convolve(cotangent, backward), kernel_gradient, jax.tree.map(jnp.zeros_like, prepared)


_winograd.defvjp(_winograd_forward, _winograd_backward)


def _transform_kernel(kernel: jax.Array) -> jax.Array:
    matrix = np.kron(G, G).astype(np.float32)
    transformed = jnp.matmul(matrix, kernel.astype(jnp.float32).reshape(9, -1), precision=lax.Precision.HIGHEST)
    return transformed.reshape(WINDOW**2, *kernel.shape[2:])


@jax.jit  # layers of one shape are traced once
def _convolve(inputs: jax.Array, transformed: jax.Array) -> jax.Array:
    """Winograd convolution with a transformed kernel `[36, I, O]`, strip by strip."""
    count, height, width, channels = inputs.shape
    tiles_down, tiles_across = -(-height // TILE), -(-width // TILE)
    tiles = max(MIN_TILES, STRIP // (WINDOW**2 * channels))
    rows = min(tiles_down, max(1, round(tiles / tiles_across)))  # tile rows in a strip
    strips = -(-tiles_down // rows)
    bottom, right = strips * rows * TILE + 1 - height, tiles_across * TILE + 1 - width
    padded = jnp.pad(inputs.astype(jnp.float32), ((0, 0), (1, bottom), (1, right), (0, 0)))

    def strip(index: jax.Array) -> jax.Array:
        start = (index // strips, index % strips * rows * TILE, 0, 0)
        window = lax.dynamic_slice(padded, start, (1, rows * TILE + 2, *padded.shape[2:]))
        return _convolve_strip(window[0], transformed)

    result = lax.map(strip, jnp.arange(count * strips))
    result = result.reshape(count, strips * rows * TILE, tiles_across * TILE, -1)
    return result[:, :height, :width].astype(inputs.dtype)


def _convolve_strip(strip: jax.Array, transformed: jax.Array) -> jax.Array:
    """`[4 r + 2, 4 t + 2, I]` with a kernel `[36, I, O]` gives `[4 r, 4 t, O]`."""
    down, across, channels = (strip.shape[0] - 2) // TILE, (strip.shape[1] - 2) // TILE, strip.shape[2]
    rows = _combine(BT, [strip[i : i + TILE * down - 3 : TILE] for i in range(WINDOW)], axis=0)
    tiles = _combine(BT, [rows[:, :, j : j + TILE * across - 3 : TILE] for j in range(WINDOW)], axis=1)
    products = tiles.reshape(WINDOW**2, down * across, channels) @ transformed
    products = products.reshape(WINDOW, WINDOW, down, across, -1)
    rows = _combine(AT, list(products), axis=2)  # [WINDOW, down, TILE, across, O]
    return _combine(AT, list(rows), axis=3).reshape(down * TILE, across * TILE, -1)


def _combine(matrix: np.ndarray, parts: Sequence[jax.Array], *, axis: int) -> jax.Array:
    """Stack the products of a small constant matrix with a vector of arrays, as sums: most entries are 0 or 1."""
    sums = []
    for row in matrix.tolist():
        terms = [part if factor == 1 else factor * part for factor, part in zip(row, parts, strict=True) if factor]
        sums.append(sum(terms[1:], terms[0]))
    return jnp.stack(sums, axis)
