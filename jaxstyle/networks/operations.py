"""Operations of layers: what they compute, and the height, width, channels and parameters that follow.

Activations are `[N, H, W, C]`. All sizes are numbers, or arrays of them where a docstring says so.
"""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.networks import convolution as conv
from jaxstyle.networks.depthwise import depthwise
from jaxstyle.networks.winograd import Transformed


@dataclass(frozen=True)
class ReceptiveField:
    """The inputs that position i depends on, along both axes: those from `stride i - before` to `stride i + after`."""

    stride: int = 1
    before: int = 0
    after: int = 0

    def of(self, inputs: "ReceptiveField") -> "ReceptiveField":
        """The receptive field in what the inputs themselves depend on."""
        return ReceptiveField(
            self.stride * inputs.stride,
            self.before * inputs.stride + inputs.before,
            self.after * inputs.stride + inputs.after,
        )


class Operation:
    """Base class with the defaults: one input, no parameters, and the same height, width and channels as the input."""

    __call__: Callable[..., jax.Array]

    @property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field in the inputs: the same position."""
        return ReceptiveField()

    def extent(self, extent: Any) -> Any:
        """The height and width of the result for those of the inputs: a number, or an array of numbers."""
        return extent

    def channels(self, *inputs: int) -> int:
        """The channels of the result for the channels of all inputs."""
        return inputs[0]

    def parameters(self, channels: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters by name, for an input with this number of channels."""
        return {}


@dataclass(frozen=True)
class ReLU(Operation):
    """The rectifier; with a ceiling of 6, ReLU6 (Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10")."""

    ceiling: float | None = None

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """max(x, 0), or min(max(x, 0), ceiling)."""
        return conv.rectified(inputs, self.ceiling)


@dataclass(frozen=True)
class Convolution(Operation):
    """A convolution with bias and zero padding.

    Attributes:
        width: the number of output channels.
        size: height and width of the kernel.
        stride: vertical and horizontal.
        padding: zeros on all sides, or a pair: above and to the left, below and to the right.
        depthwise: whether each channel is convolved by itself; the input has `width` channels then.
    """

    width: int
    size: int
    stride: int = 1
    padding: int | tuple[int, int] = 0
    depthwise: bool = False

    @property
    def around(self) -> tuple[int, int]:
        """The zeros above and to the left, and those below and to the right."""
        return self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)

    @property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field in the inputs: the kernel."""
        return ReceptiveField(self.stride, self.around[0], self.size - 1 - self.around[0])

    def extent(self, extent: Any) -> Any:
        """The height and width of the result for those of the inputs: a number, or an array of numbers."""
        return (extent + sum(self.around) - self.size) // self.stride + 1

    def channels(self, *inputs: int) -> int:
        """The width."""
        return self.width

    def parameters(self, channels: int) -> dict[str, tuple[int, ...]]:
        """`kernel` `[size, size, channels or 1, width]` and `bias` `[width]`."""
        return {"kernel": (self.size, self.size, 1 if self.depthwise else channels, self.width), "bias": (self.width,)}

    def __call__(
        self,
        inputs: jax.Array,
        kernel: jax.Array,
        bias: jax.Array,
        prepared: Transformed | None = None,
        *,
        rectifier: ReLU | None = None,
    ) -> jax.Array:
        """`[N, H, W, I]` to `[N, h, w, width]`, followed by the rectifier, if any; `prepared` as in `conv.conv3x3`."""
        if (self.size, self.stride, self.around, self.depthwise) == (3, 1, (1, 1), False):
            result = conv.conv3x3(inputs, kernel, prepared, bias=bias, rectify=rectifier == ReLU())
            return result if rectifier in (None, ReLU()) else rectifier(result)
        if self.depthwise:
            result = depthwise(inputs, kernel, self.stride, self.around)
        elif self.size == self.stride == 1:
            result = inputs @ kernel[0, 0].astype(inputs.dtype)
        else:
            result = conv.direct(inputs, kernel, self.stride, self.around)
        result = result + bias.astype(inputs.dtype).reshape(1, 1, 1, -1)
        return rectifier(result) if rectifier else result


@dataclass(frozen=True)
class Pool(Operation):
    """The maximum or mean of the pixels in each window of `size` by `size`, without the padding.

    With `ceil`, the last windows may reach beyond the padded picture. Otherwise rows and columns that do not fill a
    window are dropped.
    """

    size: int
    stride: int
    padding: int = 0
    ceil: bool = False

    @property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field in the inputs: the window."""
        return ReceptiveField(self.stride, self.padding, self.size - 1 - self.padding)

    def extent(self, extent: Any) -> Any:
        """The height and width of the result for those of the inputs: a number, or an array of them."""
        more = self.stride - 1 if self.ceil else 0
        return (extent + 2 * self.padding - self.size + more) // self.stride + 1

    def maximum(self, inputs: jax.Array) -> jax.Array:
        """The maximum of non-negative values, which zeros around the picture do not change."""
        return self._reduce(jnp.maximum, inputs)

    def mean(self, inputs: jax.Array, extent: jax.Array | None = None) -> jax.Array:
        """The mean of the positions inside the picture, of this height and width `[2]`; beyond it, inputs are 0."""
        height, width = inputs.shape[1:3] if extent is None else extent
        down = self._count(inputs.shape[1], height).reshape(1, -1, 1, 1)
        across = self._count(inputs.shape[2], width).reshape(1, 1, -1, 1)
        return self._reduce(operator.add, inputs) / (down * across).astype(inputs.dtype)

    def _reduce(self, combine: Callable[[jax.Array, jax.Array], jax.Array], inputs: jax.Array) -> jax.Array:
        """Rows, then columns. The gradient of the compiler's windowed maximum is ten times slower on CPU."""
        for axis in (1, 2):
            span = (self.extent(inputs.shape[axis]) - 1) * self.stride + 1
            around = [(0, 0)] * inputs.ndim
            around[axis] = (self.padding, max(0, span + self.size - 1 - self.padding - inputs.shape[axis]))
            padded = jnp.pad(inputs, around)
            shifted = [lax.slice_in_dim(padded, i, i + span, self.stride, axis) for i in range(self.size)]
            inputs = functools.reduce(combine, shifted)
        return inputs

    def _count(self, length: int, inside: int | jax.Array) -> jax.Array:
        """For each window along an axis, how many of the first `inside` positions it holds, at least 1."""
        begin = jnp.arange(self.extent(length)) * self.stride - self.padding
        return jnp.maximum(jnp.minimum(begin + self.size, inside) - jnp.maximum(begin, 0), 1)


@dataclass(frozen=True)
class LocalResponseNorm(Operation):
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
class Concatenate(Operation):
    """The activations of several layers, concatenated along their channels; of one layer, the same activations."""

    def channels(self, *inputs: int) -> int:
        """The sum of the channels."""
        return sum(inputs)

    def __call__(self, *inputs: jax.Array) -> jax.Array:
        """`[N, H, W, C1]`, `[N, H, W, C2]`, ... to `[N, H, W, C1 + C2 + ...]`."""
        return jnp.concatenate(inputs, axis=-1) if len(inputs) > 1 else inputs[0]


@dataclass(frozen=True)
class Add(Operation):
    """The sum of the activations of several layers: a residual connection (He et al., arXiv 1512.03385)."""

    def __call__(self, *inputs: jax.Array) -> jax.Array:
        """`[N, H, W, C]` from inputs of this shape."""
        return functools.reduce(operator.add, inputs)


def zero_outside(x: jax.Array, extent: jax.Array | None) -> jax.Array:
    """`[N, H, W, C]` with zeros beyond the extent `[2]`, as a convolution pads a picture of that height and width."""
    if extent is None:
        return x
    counts = [lax.broadcasted_iota(jnp.int32, x.shape, axis + 1) < extent[axis] for axis in (0, 1)]
    return jnp.where(counts[0] & counts[1], x, 0)
