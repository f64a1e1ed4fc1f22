"""A recognition network as a table of layers, from which all the rest follows: parameters, sizes and activations.

Every convolution in a table is followed by its rectifier, and pools take values from 0 up.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.errors import PictureError
from jaxstyle.networks import convolution as conv
from jaxstyle.networks.operations import Convolution, Operation, Pool, ReLU, zero_outside

PICTURE = "picture"


@dataclass(frozen=True)
class Layer:
    """An operation on the activations of earlier layers joined along their channels, or on the `PICTURE`."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]


Table = tuple[Layer, ...]


def chain(source: str, operations: Mapping[str, Operation]) -> Table:
    """Layers of which the first works on `source`, and each other on the one before."""
    before = (source, *operations)
    return tuple(Layer(name, operations[name], (each,)) for name, each in zip(operations, before, strict=False))


def channels(table: Table) -> dict[str, int]:
    """The channels of every layer's activations, in the order of computation."""
    found = {PICTURE: 3}
    for layer in table:
        joined = sum(found[name] for name in layer.inputs)
        found[layer.name] = layer.operation.width if isinstance(layer.operation, Convolution) else joined
    return {layer.name: found[layer.name] for layer in table}


def parameter_shapes(table: Table) -> dict[str, tuple[int, ...]]:
    """Shapes by name in the order of computation, as `{"conv1.kernel": (11, 11, 3, 64), "conv1.bias": (64,), ...}`."""
    widths = {PICTURE: 3} | channels(table)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in table:
        if isinstance(layer.operation, Convolution):
            size, (source,) = layer.operation.size, layer.inputs
            shapes[f"{layer.name}.kernel"] = (size, size, widths[source], layer.operation.width)
            shapes[f"{layer.name}.bias"] = (layer.operation.width,)
    return shapes


def extent_at(table: Table, layer: str, extent: Any) -> Any:
    """The height and width of a layer's activations for those of a picture: a number, or an array of them."""
    found = {PICTURE: extent}
    for step in needed(table, (layer,)):
        found[step.name] = step.operation.extent(found[step.inputs[0]])
    return found[layer]


def needed(table: Table, layers: Sequence[str]) -> Table:
    """Those layers of the table that `layers` depend on, and themselves."""
    names = set(layers)
    for layer in reversed(table):
        if layer.name in names:
            names.update(layer.inputs)
    return tuple(layer for layer in table if layer.name in names)


class Convolve(nn.Module):
    """A convolution with its parameters: `kernel` `[size, size, I, O]` and `bias` `[O]`.

    The collection "prepared", where there is one, holds a 3x3 kernel transformed in advance.
    """

    operation: Convolution
    rectify: bool

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """`[N, H, W, I]` to `[N, h, w, O]`, after the rectifier if it is asked for."""
        size, width = self.operation.size, self.operation.width
        kernel = self.param("kernel", nn.initializers.he_normal(), (size, size, inputs.shape[-1], width))
        bias = self.param("bias", nn.initializers.zeros_init(), (width,))
        prepared: conv.Prepared | None = self.get_variable("prepared", "kernel")
        return self.operation(inputs, kernel, bias, prepared, rectify=self.rectify)


class Graph(nn.Module):
    """The network of a table, of which only the layers are computed that those asked for depend on."""

    table: Table
    pooling: str = "max"

    @nn.compact
    def __call__(
        self, inputs: jax.Array, layers: Sequence[str], extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations `{layer: [N, h, w, C]}` of normalized pictures `[N, H, W, 3]`; see `Network.features`."""
        _check_size(self.table, layers, *inputs.shape[1:3])
        found, extents = {PICTURE: zero_outside(inputs, extent)}, {PICTURE: extent}
        for layer in needed(self.table, layers):
            name, operation, (first, *_) = layer.name, layer.operation, layer.inputs
            x, before = jnp.concatenate([found[source] for source in layer.inputs], axis=-1), extents[first]
            extents[name] = before if before is None else operation.extent(before)
            match operation:
                case Convolution():
                    rectify = name not in layers  # then what is not rectified has no use
                    x = zero_outside(Convolve(operation, rectify, name=name)(x), extents[name])
                case Pool():
                    x = operation.maximum(x) if self.pooling == "max" else operation.mean(x, before)
                    x = zero_outside(x, extents[name])  # without windows beyond those of the picture alone
                case ReLU() if first not in layers:
                    pass  # its convolution did it
                case _:
                    x = operation(x)
            found[name] = x
        return {name: found[name] for name in layers}


def _check_size(table: Table, layers: Sequence[str], height: int, width: int) -> None:
    """Raise PictureError unless every layer has a position."""
    for layer in layers:
        if extent_at(table, layer, min(height, width)) < 1:
            least = next(side for side in itertools.count(1) if extent_at(table, layer, side) > 0)
            raise PictureError(
                f"a picture of {width} x {height} pixels is too small for the layer {layer}; "
                f"expected at least {least} on the shorter side"
            )
