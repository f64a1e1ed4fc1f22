"""The 3x3 convolution that every VGG layer is made of."""

import jax
from jax import lax


def conv3x3(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """3x3 convolution, stride 1, zero padding 1: `[N, H, W, I]` with a kernel `[3, 3, I, O]` gives `[N, H, W, O]`."""
    return lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
