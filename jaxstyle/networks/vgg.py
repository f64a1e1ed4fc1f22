"""The convolutional layers of VGG-16 and VGG-19, configurations D and E of Simonyan and Zisserman (arXiv 1409.1556)."""

import functools
from collections.abc import Sequence
from itertools import product
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.networks.graph import Convolve
from jaxstyle.networks.operations import Convolution, ReceptiveField, ReLU, zero_outside

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}

# Average pooling gives smaller activations than max pooling, with which the networks were trained, so the average of
# each block is multiplied by a factor. With these factors, the mean activation after each pool is within 10 % of that
# of max pooling in both networks, over eight photographs and paintings at 256 pixels. Measured factors
# (`scripts/weights/reference_values.py --gain`, geometric means): 1.31, 1.61, 1.60, 1.93, 2.07 for VGG-16 and 1.32,
# 1.63, 1.35, 2.04, 1.95 for VGG-19. (A factor of 2 for all, as in style-transfer-pytorch, ends 2.7 times too high.)
AVERAGE_GAIN = (1.3, 1.6, 1.5, 2.0, 2.0)


class VGG(nn.Module):
    """VGG without its fully connected layers, computed up to the deepest requested layer."""

    depths: tuple[int, ...]
    pooling: str = "max"

    @nn.compact
    def __call__(
        self, inputs: jax.Array, layers: Sequence[str], extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations `{layer: [N, h, w, C]}` of normalized pictures `[N, H, W, 3]`; see `Network.features`."""
        requested, activations, x, rectified = set(layers), {}, zero_outside(inputs, extent), False
        for name in layer_names(self.depths):
            if name.startswith("conv"):
                rectified = name not in requested  # the values before the rectifier are not needed
                operation = Convolution(WIDTHS[int(name[4]) - 1], size=3, padding=1)
                x = zero_outside(Convolve(operation, ReLU() if rectified else None, name=name)(x), extent)
            elif name.startswith("relu"):
                x = x if rectified else nn.relu(x)
            elif self.pooling == "max":
                x = max_pool(x)
            else:
                x = AVERAGE_GAIN[int(name[4]) - 1] * mean_pool(x)
            if name.startswith("pool") and extent is not None:
                extent = extent // 2
                x = zero_outside(x, extent)  # drops windows that are only half inside
            if name in requested:
                activations[name] = x
            if len(activations) == len(requested):
                break
        return activations


def _windows(inputs: jax.Array) -> jax.Array:
    """The 2x2 windows of `[N, H, W, C]` as `[N, H/2, 2, W/2, 2, C]`, without an odd last row or column."""
    count, height, width, channels = inputs.shape
    whole = inputs[:, : height // 2 * 2, : width // 2 * 2]
    return whole.reshape(count, height // 2, 2, width // 2, 2, channels)


@jax.custom_vjp
def max_pool(inputs: jax.Array) -> jax.Array:
    """The maximum of each 2x2 window of `[N, H, W, C]`, without an odd last row or column.

    Equal maxima share the gradient. Both passes are elementwise; the gradient of the compiler's windowed maximum is a
    scatter, which is far slower on CPU.
    """
    windows = _windows(inputs)
    return functools.reduce(jnp.maximum, [windows[:, :, row, :, column] for row, column in product((0, 1), repeat=2)])


def _max_pool_forward(inputs: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    result = max_pool(inputs)
    return result, (inputs, result)


def _max_pool_backward(residuals: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array]:
    inputs, result = residuals
    highest = _windows(inputs) == result[:, :, None, :, None]
    share = (cotangent / highest.sum((2, 4)).astype(cotangent.dtype))[:, :, None, :, None]
    gradient = jnp.where(highest, share, 0)
    shape = (inputs.shape[0], result.shape[1] * 2, result.shape[2] * 2, inputs.shape[3])
    odd = [(0, whole - even) for whole, even in zip(inputs.shape, shape, strict=True)]
    return (jnp.pad(gradient.reshape(shape), odd),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def mean_pool(inputs: jax.Array) -> jax.Array:
    """The mean of each 2x2 window of `[N, H, W, C]`, without an odd last row or column."""
    return _windows(inputs).mean((2, 4))


def extent_at(layer: str, extent: Any) -> Any:
    """The height and width `[2]` of a layer's activations for a picture of this height and width."""
    pools = int(layer[4]) - (not layer.startswith("pool"))
    return extent // 2**pools


def receptive_field(depths: Sequence[int], layer: str) -> ReceptiveField:
    """The pixels that a position of the layer depends on."""
    fields = {"conv": ReceptiveField(1, 1, 1), "relu": ReceptiveField(), "pool": ReceptiveField(2, 0, 1)}
    names = layer_names(depths)
    field = ReceptiveField()
    for name in names[: names.index(layer) + 1]:
        field = fields[name[:4]].of(field)
    return field


def layer_names(depths: Sequence[int]) -> tuple[str, ...]:
    """The names of all layers in the order of computation: `conv1_1, relu1_1, ..., pool5`."""
    names = []
    for block, depth in enumerate(depths, 1):
        for index, kind in product(range(1, depth + 1), ("conv", "relu")):
            names.append(f"{kind}{block}_{index}")
        names.append(f"pool{block}")
    return tuple(names)


def parameter_shapes(depths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes by name, as `{"conv1_1.kernel": (3, 3, 3, 64), ...}`. Tracing the module for them would take a second."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for block, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        for index in range(1, depth + 1):
            shapes |= {f"conv{block}_{index}.kernel": (3, 3, inputs, width), f"conv{block}_{index}.bias": (width,)}
            inputs = width
    return shapes
