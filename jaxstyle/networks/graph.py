"""A recognition network as a table of layers, which determines parameters, sizes and activations.

A new network is a module with its table, such as `efficientnet`, and an entry in `architectures.ARCHITECTURES`. Pools
need inputs that are not negative.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax

from jaxstyle.networks.operations import Convolution, Operation, Pool, ReceptiveField, ReLU, zero_outside
from jaxstyle.networks.winograd import Transformed

PICTURE = "picture"


@dataclass(frozen=True)
class Layer:
    """An operation on the activations of earlier layers, or on the `PICTURE`."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]


Table = tuple[Layer, ...]


def chain(source: str, operations: Mapping[str, Operation]) -> Table:
    """Layers in a row: the input of the first is `source`, the input of each other is the one before it."""
    sources = (source, *operations)
    return tuple(Layer(name, operations[name], (before,)) for name, before in zip(operations, sources, strict=False))


def channels(table: Table) -> dict[str, int]:
    """The channels of every layer's activations, in the order of computation."""
    widths = {PICTURE: 3}
    for layer in table:
        widths[layer.name] = layer.operation.channels(*(widths[name] for name in layer.inputs))
    return {layer.name: widths[layer.name] for layer in table}


def parameter_shapes(table: Table) -> dict[str, tuple[int, ...]]:
    """Shapes by name in the order of computation, as `{"conv1.kernel": (11, 11, 3, 64), "conv1.bias": (64,), ...}`."""
    widths = {PICTURE: 3} | channels(table)
    return {
        f"{layer.name}.{name}": shape
        for layer in table
        for name, shape in layer.operation.parameters(widths[layer.inputs[0]]).items()
    }


def extent_at(table: Table, layer: str, extent: Any) -> Any:
    """The height and width of a layer's activations for those of a picture: a number, or an array of numbers."""
    extents = {PICTURE: extent}
    for step in needed(table, (layer,)):
        extents[step.name] = step.operation.extent(extents[step.inputs[0]])
    return extents[layer]


def receptive_field(table: Table, layer: str) -> ReceptiveField:
    """The pixels that a position of the layer depends on."""
    fields = {PICTURE: ReceptiveField()}
    for step in needed(table, (layer,)):
        inputs = [step.operation.receptive_field.of(fields[name]) for name in step.inputs]
        before, after = max(field.before for field in inputs), max(field.after for field in inputs)
        fields[step.name] = ReceptiveField(inputs[0].stride, before, after)
    return fields[layer]


def needed(table: Table, layers: Sequence[str]) -> Table:
    """The layers of the table that `layers` depend on, including themselves."""
    names = set(layers)
    for layer in reversed(table):
        if layer.name in names:
            names.update(layer.inputs)
    return tuple(layer for layer in table if layer.name in names)


def fused_rectifiers(table: Table, layers: Sequence[str]) -> dict[str, ReLU]:
    """The rectifiers that can be computed together with a convolution, by the convolution's name.

    Nothing else may use the result of the convolution.

    Args:
        table: the layers to compute.
        layers: those of them whose activations are requested.
    """
    uses = Counter(layers) + Counter(name for layer in table for name in layer.inputs)
    convolutions = {layer.name for layer in table if isinstance(layer.operation, Convolution)}
    return {
        layer.inputs[0]: layer.operation
        for layer in table
        if isinstance(layer.operation, ReLU) and layer.inputs[0] in convolutions and uses[layer.inputs[0]] == 1
    }


class Convolve(nn.Module):
    """A convolution with its parameters, and the rectifier after it, if any.

    The optional collection "prepared" holds 3x3 kernels transformed in advance.
    """

    operation: Convolution
    rectifier: ReLU | None = None

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """`[N, H, W, I]` to `[N, h, w, O]`."""
        shapes = self.operation.parameters(inputs.shape[-1])
        kernel = self.param("kernel", nn.initializers.he_normal(), shapes["kernel"])
        bias = self.param("bias", nn.initializers.zeros_init(), shapes["bias"])
        prepared: Transformed | None = self.get_variable("prepared", "kernel")
        return self.operation(inputs, kernel, bias, prepared, rectifier=self.rectifier)


class Graph(nn.Module):
    """The network of a table. Only layers that the requested ones depend on are computed."""

    table: Table
    pooling: str = "max"

    @nn.compact
    def __call__(
        self, inputs: jax.Array, layers: Sequence[str], extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations `{layer: [N, h, w, C]}` of normalized pictures `[N, H, W, 3]`; see `Network.features`."""
        table = needed(self.table, layers)
        rectifiers = fused_rectifiers(table, layers)
        activations, extents = {PICTURE: zero_outside(inputs, extent)}, {PICTURE: extent}
        for layer in table:
            name, operation, first = layer.name, layer.operation, layer.inputs[0]
            sources, before = [activations[source] for source in layer.inputs], extents[first]
            extents[name] = before if before is None else operation.extent(before)
            match operation:
                case Convolution():
                    x = Convolve(operation, rectifiers.get(name), name=name)(*sources)
                    x = zero_outside(x, extents[name])
                case Pool():
                    x = operation.maximum(*sources) if self.pooling == "max" else operation.mean(sources[0], before)
                    x = zero_outside(x, extents[name])  # removes windows that a picture without padding does not have
                case ReLU() if first in rectifiers:
                    x = activations[first]  # computed with the convolution
                case _:
                    x = operation(*sources)
            activations[name] = x
        return {name: activations[name] for name in layers}
