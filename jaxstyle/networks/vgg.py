"""The convolutional part of VGG-16 and VGG-19, configurations D and E of Simonyan and Zisserman (arXiv 1409.1556)."""

import functools
from collections.abc import Sequence
from itertools import product

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle import conv

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}

# A mean over a window is smaller than its maximum, and a network trained with maxima goes quiet under means, so each
# block's mean is multiplied by its factor. With these the mean activation after every pool is, over eight photographs
# and paintings at 256 pixels, within 10 % of what it is under maxima in both networks. Measured by
# `scripts/reference_values.py --gain`: geometric means 1.31, 1.61, 1.60, 1.93, 2.07 for VGG-16 and 1.32, 1.63, 1.35,
# 2.04, 1.95 for VGG-19. (One factor of 2 for all, as style-transfer-pytorch has it, ends 2.7 times too loud.)
AVERAGE_GAIN = (1.3, 1.6, 1.5, 2.0, 2.0)


class Conv3x3(nn.Module):
    """A 3x3 convolution with bias: parameters `kernel` `[3, 3, I, O]` and `bias` `[O]`.

    The collection "prepared", where there is one, holds the kernel transformed in advance.
    """

    width: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """`[N, H, W, I]` to `[N, H, W, width]`."""
        kernel = self.param("kernel", nn.initializers.he_normal(), (3, 3, inputs.shape[-1], self.width))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.width,))
        prepared: conv.Prepared | None = self.get_variable("prepared", "kernel")
        return conv.conv3x3(inputs, kernel, prepared) + bias.astype(inputs.dtype).reshape(1, 1, 1, -1)


class VGG(nn.Module):
    """VGG without its fully connected end, computed no deeper than the deepest layer asked for."""

    depths: tuple[int, ...]
    pooling: str = "max"

    @nn.compact
    def __call__(
        self, inputs: jax.Array, layers: Sequence[str], extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations `{layer: [N, h, w, C]}` of normalised pictures `[N, H, W, 3]`; see `Network.features`."""
        wanted, found, x = set(layers), {}, _cut(inputs, extent)
        for name in layer_names(self.depths):
            if name.startswith("conv"):
                x = _cut(Conv3x3(WIDTHS[int(name[4]) - 1], name=name)(x), extent)
            elif name.startswith("relu"):
                x = nn.relu(x)
            elif self.pooling == "max":
                x = functools.reduce(jnp.maximum, _quarters(x))
            else:
                x = AVERAGE_GAIN[int(name[4]) - 1] / 4 * functools.reduce(jnp.add, _quarters(x))
            if name.startswith("pool") and extent is not None:
                extent = extent // 2
                x = _cut(x, extent)  # a window that is only half inside is left out
            if name in wanted:
                found[name] = x
            if len(found) == len(wanted):
                break
        return found


def _cut(x: jax.Array, extent: jax.Array | None) -> jax.Array:
    """`[N, H, W, C]` with zeros beyond the extent: the zeros with which a convolution pads a picture of that size."""
    if extent is None:
        return x
    counts = [lax.broadcasted_iota(jnp.int32, x.shape, axis + 1) < extent[axis] for axis in (0, 1)]
    return jnp.where(counts[0] & counts[1], x, 0)


def _quarters(inputs: jax.Array) -> list[jax.Array]:
    """The four pixels of every 2x2 window of `[N, H, W, C]`, an odd last row or column left out.

    Pooling these is elementwise and so is its gradient; that of a windowed maximum scatters, far slower on CPU.
    """
    _, height, width, _ = inputs.shape
    whole = inputs[:, : height // 2 * 2, : width // 2 * 2]
    return [whole[:, row::2, column::2] for row, column in product((0, 1), repeat=2)]


def extent_at(layer: str, extent: jax.Array) -> jax.Array:
    """The height and width `[2]` of a layer's activations for those of a picture."""
    pools = int(layer[4]) - (not layer.startswith("pool"))
    return extent // 2**pools


def layer_names(depths: Sequence[int]) -> tuple[str, ...]:
    """All layers in the order of computation: `conv1_1, relu1_1, ..., pool5`."""
    names = []
    for block, depth in enumerate(depths, 1):
        for index, kind in product(range(1, depth + 1), ("conv", "relu")):
            names.append(f"{kind}{block}_{index}")
        names.append(f"pool{block}")
    return tuple(names)


def parameter_shapes(depths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes by name, as `{"conv1_1.kernel": (3, 3, 3, 64), ...}`; tracing the module for them would take a second."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for block, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        for index in range(1, depth + 1):
            shapes |= {f"conv{block}_{index}.kernel": (3, 3, inputs, width), f"conv{block}_{index}.bias": (width,)}
            inputs = width
    return shapes
