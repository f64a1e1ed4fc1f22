"""What the layers of a network do to activations `[N, H, W, C]`, and to their height and width."""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.networks import convolution as conv


@dataclass(frozen=True)
class Convolution:
    """A convolution with bias, of `width` channels, in windows of `size` by `size`, zeros around the picture."""

    width: int
    size: int
    stride: int = 1
    padding: int = 0

    def extent(self, extent: Any) -> Any:
        """The height and width of the result for those of the inputs: a number, or an array of them."""
        return (extent + 2 * self.padding - self.size) // self.stride + 1

    def __call__(
        self,
        inputs: jax.Array,
        kernel: jax.Array,
        bias: jax.Array,
        prepared: conv.Prepared | None = None,
        *,
        rectify: bool = False,
    ) -> jax.Array:
        """`[N, H, W, I]` with `[size, size, I, width]` and `[width]` gives `[N, h, w, width]`; see `conv.conv3x3`."""
        if (self.size, self.stride, self.padding) == (3, 1, 1):
            return conv.conv3x3(inputs, kernel, prepared, bias=bias, rectify=rectify)
        if self.size == self.stride == 1:
            found = inputs @ kernel[0, 0].astype(inputs.dtype)
        else:
            found = conv.direct(inputs, kernel, self.stride, self.padding)
        found = found + bias.astype(inputs.dtype).reshape(1, 1, 1, -1)
        return jax.nn.relu(found) if rectify else found


@dataclass(frozen=True)
class Pool:
    """The maximum or mean of what every window of `size` by `size` holds of the picture.

    With `ceil` windows may end beyond the picture, otherwise what fills no whole window is left out.
    """

    size: int
    stride: int
    padding: int = 0
    ceil: bool = False

    def extent(self, extent: Any) -> Any:
        """The height and width of the result for those of the inputs: a number, or an array of them."""
        more = self.stride - 1 if self.ceil else 0
        return (extent + 2 * self.padding - self.size + more) // self.stride + 1

    def maximum(self, inputs: jax.Array) -> jax.Array:
        """Of values from 0 up, which zeros around the picture leave as they are."""
        return self._reduce(jnp.maximum, inputs)

    def mean(self, inputs: jax.Array, extent: jax.Array | None = None) -> jax.Array:
        """Of what lies inside the picture; that has this height and width `[2]`, with zeros beyond."""
        height, width = inputs.shape[1:3] if extent is None else extent
        down = self._count(inputs.shape[1], height).reshape(1, -1, 1, 1)
        across = self._count(inputs.shape[2], width).reshape(1, 1, -1, 1)
        return self._reduce(operator.add, inputs) / (down * across).astype(inputs.dtype)

    def _reduce(self, combine: Callable[[jax.Array, jax.Array], jax.Array], inputs: jax.Array) -> jax.Array:
        """Rows, then columns. (The gradient of the compiler's windowed maximum is ten times slower on CPU.)"""
        for axis in (1, 2):
            span = (self.extent(inputs.shape[axis]) - 1) * self.stride + 1
            around = [(0, 0)] * inputs.ndim
            around[axis] = (self.padding, max(0, span + self.size - 1 - self.padding - inputs.shape[axis]))
            padded = jnp.pad(inputs, around)
            parts = [lax.slice_in_dim(padded, i, i + span, self.stride, axis) for i in range(self.size)]
            inputs = functools.reduce(combine, parts)
        return inputs

    def _count(self, length: int, inside: int | jax.Array) -> jax.Array:
        """How many of the first `inside` positions each window holds along an axis; 1 for those that hold none."""
        begin = jnp.arange(self.extent(length)) * self.stride - self.padding
        return jnp.maximum(jnp.minimum(begin + self.size, inside) - jnp.maximum(begin, 0), 1)


@dataclass(frozen=True)
class Elementwise:
    """What leaves the height and width as they are."""

    def extent(self, extent: Any) -> Any:
        """The height and width of the result: the same."""
        return extent


@dataclass(frozen=True)
class ReLU(Elementwise):
    """Zero for what is below."""

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """max(x, 0)."""
        return jax.nn.relu(inputs)


@dataclass(frozen=True)
class LocalResponseNorm(Elementwise):
    """Local response normalization across channels (Krizhevsky et al. 2012, section 3.3), as Caffe scales it."""

    size: int = 5
    alpha: float = 1e-4

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """x_c / (1 + alpha / size * sum of x_d^2)^(3/4), d being the `size` channels around c."""
        reach = self.size // 2
        squares = jnp.pad(inputs**2, [(0, 0)] * 3 + [(reach, reach)])
        sums = sum(lax.slice_in_dim(squares, i, i + inputs.shape[-1], axis=3) for i in range(self.size))
        scale = 1 + self.alpha / self.size * sums
        return inputs * lax.rsqrt(scale) * lax.rsqrt(lax.sqrt(scale))


@dataclass(frozen=True)
class Concatenate(Elementwise):
    """The activations of several layers, joined along their channels."""

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """The inputs, which are joined already."""
        return inputs


Operation = Convolution | Pool | ReLU | LocalResponseNorm | Concatenate


def zero_outside(x: jax.Array, extent: jax.Array | None) -> jax.Array:
    """`[N, H, W, C]` with zeros beyond the extent: the zeros with which a convolution pads a picture of that size."""
    if extent is None:
        return x
    counts = [lax.broadcasted_iota(jnp.int32, x.shape, axis + 1) < extent[axis] for axis in (0, 1)]
    return jnp.where(counts[0] & counts[1], x, 0)
