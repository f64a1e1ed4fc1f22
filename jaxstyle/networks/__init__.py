"""Recognition networks: frozen feature extractors with their own input normalisation.

`ARCHITECTURES` is the table of what exists; `Network` is an architecture with its parameters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from jaxstyle.errors import ConfigError
from jaxstyle.networks import vgg

POOLINGS = ("max", "avg")


@dataclass(frozen=True)
class Architecture:
    """A network's shape, without its parameters: the module for a pooling, and its layers in order of computation."""

    module: Callable[..., nn.Module]
    layers: tuple[str, ...]


ARCHITECTURES = {
    name: Architecture(module=partial(vgg.VGG, depths), layers=vgg.layer_names(depths))
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
    """

    parameters: dict[str, dict[str, jax.Array]]
    mean: jax.Array
    scale: jax.Array
    architecture: str = flax.struct.field(pytree_node=False)
    pooling: str = flax.struct.field(pytree_node=False, default="max")
    reverse_channels: bool = flax.struct.field(pytree_node=False, default=False)
    digest: str = flax.struct.field(pytree_node=False, default="")

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in the order of computation."""
        return ARCHITECTURES[self.architecture].layers

    def features(self, pictures: jax.Array, layers: Sequence[str]) -> dict[str, jax.Array]:
        """Activations of `layers` for pictures in [0, 1]; pure, and computed no deeper than the deepest layer.

        Args:
            pictures: `[H, W, 3]` or `[N, H, W, 3]` RGB.
            layers: names such as `relu4_2`; `conv4_2` is the value before the rectifier.

        Returns:
            `{layer: [h, w, C]}` or `{layer: [N, h, w, C]}`, in the order of `layers`.

        Raises:
            ConfigError: for a layer that the network does not have.
        """
        check_layers(self.architecture, layers)
        if self.reverse_channels:
            pictures = pictures[..., ::-1]
        inputs = (pictures - self.mean.reshape((1,) * (pictures.ndim - 1) + (3,))) * self.scale.reshape(
            (1,) * (pictures.ndim - 1) + (3,)
        )
        module = ARCHITECTURES[self.architecture].module(pooling=self.pooling)
        stack = inputs if inputs.ndim == 4 else inputs[None]
        found = module.apply({"params": self.parameters}, stack, tuple(layers))
        return {layer: found[layer] if inputs.ndim == 4 else found[layer][0] for layer in layers}


def check_layers(architecture: str, layers: Sequence[str]) -> None:
    """Raise ConfigError, naming the nearest layers, unless the architecture has every one of `layers`."""
    known = ARCHITECTURES[architecture].layers
    for layer in layers:
        if layer not in known:
            raise ConfigError(f"{architecture} has no layer {layer!r}; it has {', '.join(known)}")


@cache
def parameter_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by its name in a weights file: `{"conv1_1.kernel": (3, 3, 3, 64), ...}`."""
    module = ARCHITECTURES[architecture].module()
    deepest = (ARCHITECTURES[architecture].layers[-1],)
    picture = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    variables = jax.eval_shape(lambda key, x: module.init(key, x, deepest), jax.random.key(0), picture)
    return {
        f"{layer}.{name}": parameter.shape
        for layer, parameters in variables["params"].items()
        for name, parameter in parameters.items()
    }
