"""The depthwise convolution, in which every channel has a kernel of its own, as a sum of shifted pictures.

A compiler's grouped convolution, and above all its gradient, is slow on CPU, where this sum of products is a single
loop over the picture.
"""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

Padding = tuple[int, int]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(inputs: jax.Array, kernel: jax.Array, stride: int = 1, padding: Padding = (1, 1)) -> jax.Array:
    """Convolve every channel by itself (Howard et al., arXiv 1704.04861, section 3.1).

    Args:
        inputs: `[N, H, W, C]` of any float dtype; sums are float32.
        kernel: `[size, size, 1, C]`, correlated (not flipped).
        stride: from one window to the next, along both axes.
        padding: zeros before and after the picture, along both axes.

    Returns:
        `[N, h, w, C]` in the dtype of `inputs`.
    """
    return _correlate(inputs, kernel, stride, padding)


def _correlate(inputs: jax.Array, kernel: jax.Array, stride: int, padding: Padding) -> jax.Array:
    padded = jnp.pad(inputs, [(0, 0), padding, padding, (0, 0)])
    return _shifted_sum(padded, kernel, stride).astype(inputs.dtype)


def _forward(
    inputs: jax.Array, kernel: jax.Array, stride: int, padding: Padding
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _correlate(inputs, kernel, stride, padding), (inputs, kernel)


def _backward(
    stride: int, padding: Padding, residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradient of the inputs: the kernel, turned by 180 degrees, over the cotangent with zeros between positions.

    Weights are frozen nearly always: the compiler drops their gradient when nobody asks for it.
    """
    inputs, kernel = residuals
    reach, (before, _) = kernel.shape[0] - 1, padding
    zeros = [(0, 0, 0)] * 4  # before, after, between
    for axis in (1, 2):
        span = (cotangent.shape[axis] - 1) * stride + 1
        zeros[axis] = (reach - before, inputs.shape[axis] + before - span, stride - 1)
    spread = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), zeros)
    # Without the barrier the compiler computes the cotangent anew for every entry of the kernel.
    spread = lax.platform_dependent(spread, cpu=lax.optimization_barrier, default=lambda spread: spread)
    of_inputs = _shifted_sum(spread, kernel[::-1, ::-1], 1).astype(inputs.dtype)
    of_kernel = jax.linear_transpose(lambda kernel: _correlate(inputs, kernel, stride, padding), kernel)
    return of_inputs, *of_kernel(cotangent)


def _shifted_sum(padded: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """For every entry of the kernel, what it meets in the padded picture, times the entry: the sum, in float32."""
    size, weights = kernel.shape[0], kernel.astype(jnp.float32)
    height, width = ((length - size) // stride * stride + 1 for length in padded.shape[1:3])
    total = jnp.zeros((), jnp.float32)
    for row, column in product(range(size), repeat=2):
        end = (padded.shape[0], row + height, column + width, padded.shape[3])
        window = lax.slice(padded, (0, row, column, 0), end, (1, stride, stride, 1)).astype(jnp.float32)
        total = total + window * weights[row, column].reshape(1, 1, 1, -1)
    return total


depthwise.defvjp(_forward, _backward)
