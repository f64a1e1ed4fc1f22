"""Recognition networks: frozen feature extractors with their own input normalisation.

`ARCHITECTURES` is the table of what exists; `Network` is an architecture with its parameters.
"""

import dataclasses
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from jaxstyle import conv
from jaxstyle.errors import ConfigError
from jaxstyle.networks import vgg

POOLINGS = ("max", "avg")


@dataclass(frozen=True)
class Architecture:
    """A network's shape.

    Attributes:
        module: the module for a pooling.
        layers: in the order of computation.
        parameters: the shape of each.
        extent_at: the height and width `[2]` of a layer's activations for those of a picture.
    """

    module: Callable[..., nn.Module]
    layers: tuple[str, ...]
    parameters: dict[str, tuple[int, ...]]
    extent_at: Callable[[str, jax.Array], jax.Array]


ARCHITECTURES = {
    name: Architecture(partial(vgg.VGG, depths), vgg.layer_names(depths), vgg.parameter_shapes(depths), vgg.extent_at)
    for name, depths in vgg.DEPTHS.items()
}


@flax.struct.dataclass
class Network:
    """A frozen recognition network: a pytree whose leaves are arrays and whose architecture is static.

    Pass it through `jit` as an argument; closed over, its weights become constants of the compiled program.

    Attributes:
        parameters: `{layer: {"kernel": [3, 3, I, O], "bias": [O]}}`.
        mean, scale: `[3]`, in the network's channel order; the network sees `scale * (picture - mean)`.
        architecture: a key of `ARCHITECTURES`.
        pooling: "max", or "avg" (rescaled).
        reverse_channels: whether the network was trained on BGR.
        digest: SHA-256 of the weights file, or "" for parameters made in memory.
        prepared: `{layer: {"kernel": conv.Prepared}}` once `prepare` has run, else empty.
    """

    parameters: dict[str, dict[str, jax.Array]]
    mean: jax.Array
    scale: jax.Array
    architecture: str = flax.struct.field(pytree_node=False)
    pooling: str = flax.struct.field(pytree_node=False, default="max")
    reverse_channels: bool = flax.struct.field(pytree_node=False, default=False)
    digest: str = flax.struct.field(pytree_node=False, default="")
    prepared: dict[str, dict[str, conv.Prepared]] = flax.struct.field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in the order of computation."""
        return ARCHITECTURES[self.architecture].layers

    def features(
        self, pictures: jax.Array, layers: Sequence[str], *, extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations of `layers` for pictures in [0, 1]; pure, and computed no deeper than the deepest layer.

        Args:
            pictures: `[H, W, 3]` or `[N, H, W, 3]` RGB.
            layers: names such as `relu4_2`; `conv4_2` is the value before the rectifier.
            extent: `[2]` integers, the height and width of what counts, in the upper left of pictures that were padded
                to a common shape. What counts is then seen exactly as if it were alone.

        Returns:
            `{layer: [h, w, C]}` or `{layer: [N, h, w, C]}`, in the order of `layers`; 0 beyond `extent_at` of a layer.

        Raises:
            ConfigError: for a layer that the network does not have.
        """
        check_layers(self.architecture, layers)
        if not layers:
            return {}
        if self.reverse_channels:
            pictures = pictures[..., ::-1]
        mean, scale = (jnp.broadcast_to(value, pictures.shape) for value in (self.mean, self.scale))
        inputs = (pictures - mean) * scale
        module = ARCHITECTURES[self.architecture].module(pooling=self.pooling)
        stack = inputs if inputs.ndim == 4 else inputs[None]
        variables: dict[str, Any] = {"params": self.parameters, "prepared": self.prepared}
        found: Any = module.apply(variables, stack, tuple(layers), extent)
        return {layer: found[layer] if inputs.ndim == 4 else found[layer][0] for layer in layers}

    def extent_at(self, layer: str, extent: jax.Array) -> jax.Array:
        """How much of a layer's activations counts, `[2]`, where that much of the picture does."""
        return ARCHITECTURES[self.architecture].extent_at(layer, extent)

    def prepare(self) -> "Network":
        """The same network with its kernels transformed in advance, for many evaluations with frozen parameters.

        On CPU this takes five times the memory of the parameters and saves that work in every evaluation; it does
        nothing for the other backends.
        """
        kernels = {layer: parameters["kernel"] for layer, parameters in self.parameters.items()}
        prepared = {layer: {"kernel": conv.prepare(kernel)} for layer, kernel in kernels.items()}
        return dataclasses.replace(self, prepared=prepared)


def check_layers(architecture: str, layers: Sequence[str]) -> None:
    """Raise ConfigError, naming the nearest layers, unless the architecture has every one of `layers`."""
    known = ARCHITECTURES[architecture].layers
    for layer in layers:
        if layer not in known:
            nearest = ", ".join(difflib.get_close_matches(layer, known, n=3, cutoff=0))
            raise ConfigError(f"{architecture} has no layer {layer!r}; the nearest are {nearest}")


def parameter_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by its name in a weights file: `{"conv1_1.kernel": (3, 3, 3, 64), ...}`."""
    return ARCHITECTURES[architecture].parameters
