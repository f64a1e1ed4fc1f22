"""Recognition networks: frozen feature extractors with their own input normalization.

`ARCHITECTURES` is the table of what exists; `Network` is an architecture with its parameters.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import ConfigError
from jaxstyle.networks import convolution as conv
from jaxstyle.networks.architectures import ARCHITECTURES, check_layers, parameter_shapes
from jaxstyle.networks.precision import dtype_of, matmul_precision, resolve_precision

POOLINGS = ("max", "avg")


# The mean and deviation of ImageNet's pixels.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@flax.struct.dataclass
class Network:
    """A frozen recognition network: a pytree whose leaves are arrays and whose architecture is static.

    Pass it through `jit` as an argument; closed over, its weights become constants of the compiled program.

    Attributes:
        parameters: `{layer: {"kernel": [h, w, I, O], "bias": [O]}}`.
        mean, scale: `[3]`, in the network's channel order; the network sees `scale * (picture - mean)`.
        architecture: a key of `ARCHITECTURES`.
        pooling: "max", or "avg" (in a VGG rescaled).
        reverse_channels: whether the network was trained on BGR.
        digest: SHA-256 of the weights file, or what tells parameters made in memory from others.
        precision: "float32"; "tensorfloat32", whose products of float32 have 10 bits where a GPU is faster at those; or
            "bfloat16", for activations that take half the memory and their products.
        prepared: `{layer: {"kernel": conv.Prepared}}` for 3x3 kernels once `prepare` has run, else empty.
    """

    parameters: dict[str, dict[str, jax.Array]]
    mean: jax.Array
    scale: jax.Array
    architecture: str = flax.struct.field(pytree_node=False)
    pooling: str = flax.struct.field(pytree_node=False, default="max")
    reverse_channels: bool = flax.struct.field(pytree_node=False, default=False)
    digest: str = flax.struct.field(pytree_node=False, default="")
    precision: str = flax.struct.field(pytree_node=False, default="float32")
    prepared: dict[str, dict[str, conv.Prepared]] = flax.struct.field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in the order of computation."""
        return ARCHITECTURES[self.architecture].layers

    def up_to(self, layers: Sequence[str]) -> tuple[str, ...]:
        """The layers down to the deepest of these, which are computed for them."""
        return self.layers[: 1 + max(map(self.layers.index, layers))]

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
            They are float32, or bfloat16 with that precision.

        Raises:
            ConfigError: for a layer that the network does not have.
            PictureError: for pictures so small that a layer of AlexNet or GoogLeNet has no position.
        """
        check_layers(self.architecture, layers)
        if not layers:
            return {}
        if self.reverse_channels:
            pictures = pictures[..., ::-1]
        mean, scale = (jnp.broadcast_to(value, pictures.shape) for value in (self.mean, self.scale))
        inputs = ((pictures - mean) * scale).astype(dtype_of(self.precision))
        module = ARCHITECTURES[self.architecture].module(pooling=self.pooling)
        stack = inputs if inputs.ndim == 4 else inputs[None]
        variables: dict[str, Any] = {"params": self.parameters, "prepared": self.prepared}
        with jax.default_matmul_precision(matmul_precision(self.precision)):
            found: Any = module.apply(variables, stack, tuple(layers), extent)
        return {layer: found[layer] if inputs.ndim == 4 else found[layer][0] for layer in layers}

    def extent_at(self, layer: str, extent: Any) -> Any:
        """How much of a layer's activations counts, `[2]`, where that much of the picture does."""
        return ARCHITECTURES[self.architecture].extent_at(layer, extent)

    def prepare(self, layers: Sequence[str] | None = None) -> "Network":
        """The same network with its 3x3 kernels transformed in advance, for many evaluations with frozen parameters.

        On CPU this takes eight times the memory of those kernels and saves that work in every evaluation; it does
        nothing for the other backends. With `layers`, only what is computed for them is transformed.
        """
        needed = self.layers if layers is None else self.up_to(layers)
        kernels = {layer: given["kernel"] for layer, given in self.parameters.items() if layer in needed}
        prepared = {
            layer: {"kernel": conv.prepare(kernel)} for layer, kernel in kernels.items() if kernel.shape[:2] == (3, 3)
        }
        return dataclasses.replace(self, prepared=prepared)

    def direct(self) -> "Network":
        """The same network with the compiler's convolutions: for a pass that is made once; see `conv.DIRECT`."""
        return dataclasses.replace(self, prepared={layer: {"kernel": conv.DIRECT} for layer in self.parameters})


def random_network(architecture: str, *, seed: int = 0, pooling: str = "max", precision: str = "auto") -> Network:
    """A network that has learned nothing: kernels are normal, of variance 2 / (h w I) (He et al., arXiv 1502.01852).

    Biases are 0. It takes RGB standardized by the mean and deviation of ImageNet. The same seed gives the same network.

    Raises:
        ConfigError: for an unknown architecture, pooling or precision.
    """
    if architecture not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {architecture!r}; expected one of {', '.join(ARCHITECTURES)}")
    random = np.random.default_rng(seed)
    parameters = {
        name: math.sqrt(2 / math.prod(shape[:-1])) * random.standard_normal(shape, np.float32)
        if name.endswith(".kernel")
        else np.zeros(shape, np.float32)
        for name, shape in parameter_shapes(architecture).items()
    }
    options: dict[str, Any] = {"pooling": pooling, "precision": precision, "digest": f"random-{seed}"}
    return make_network(architecture, parameters, _MEAN, 1 / _DEVIATION, **options)


def make_network(
    architecture: str,
    parameters: Mapping[str, np.ndarray],
    mean: Sequence[float] | np.ndarray,
    scale: Sequence[float] | np.ndarray,
    *,
    pooling: str,
    digest: str,
    reverse_channels: bool = False,
    precision: str = "auto",
) -> Network:
    """A network of float32 parameters by their names in `parameter_shapes`; the rest as in `Network`.

    Raises:
        ConfigError: for an unknown pooling or precision.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"unknown pooling {pooling!r}; expected one of {', '.join(POOLINGS)}")
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in parameters.items():
        layer, parameter = name.rsplit(".", 1)
        layers.setdefault(layer, {})[parameter] = array
    return Network(
        parameters=jax.device_put(layers),
        mean=jax.device_put(np.array(mean, np.float32)),
        scale=jax.device_put(np.array(scale, np.float32)),
        architecture=architecture,
        pooling=pooling,
        reverse_channels=reverse_channels,
        digest=digest,
        precision=resolve_precision(precision),
    )
