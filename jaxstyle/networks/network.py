"""`Network`: an architecture with its parameters and its input normalization."""

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.arguments import check_choice, check_seed, check_type
from jaxstyle.compilation import register_output
from jaxstyle.errors import PictureError
from jaxstyle.networks import convolution
from jaxstyle.networks.architectures import ARCHITECTURES, check_layers, parameter_shapes
from jaxstyle.networks.operations import ReceptiveField
from jaxstyle.networks.precision import dtype_of, matmul_precision, resolve_precision
from jaxstyle.networks.winograd import Transformed, transform_kernel

POOLINGS = ("max", "avg")

# Mean and standard deviation of the pixels of ImageNet.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@register_output
@flax.struct.dataclass
class Network:
    """A recognition network with frozen parameters, as a pytree: arrays are leaves, the architecture is static.

    Pass it to compiled functions as an argument. The weights of a network that a function closes over become constants
    of the compiled program.

    Attributes:
        parameters: `{layer: {"kernel": [h, w, I, O], "bias": [O]}}`.
        mean: `[3]`, in the network's channel order; see `scale`.
        scale: `[3]`, in the network's channel order. The input of the network is `scale * (picture - mean)`.
        architecture: a key of `ARCHITECTURES`.
        pooling: "max" or "avg". VGG rescales average pooling, see `vgg.AVERAGE_GAIN`.
        reverse_channels: whether the network expects BGR.
        digest: SHA-256 of the weights file, or another identifier of parameters that come from no file.
        precision: "float32"; "tensorfloat32", which rounds the factors of float32 products to 10 bits on GPUs that
            multiply those faster; or "bfloat16", for activations of half the size and their products.
        prepared: `{layer: {"kernel": Transformed}}` for 3x3 kernels after `prepare`, otherwise empty.
    """

    parameters: dict[str, dict[str, jax.Array]]
    mean: jax.Array
    scale: jax.Array
    architecture: str = flax.struct.field(pytree_node=False)
    pooling: str = flax.struct.field(pytree_node=False, default="max")
    reverse_channels: bool = flax.struct.field(pytree_node=False, default=False)
    digest: str = flax.struct.field(pytree_node=False, default="")
    precision: str = flax.struct.field(pytree_node=False, default="float32")
    prepared: dict[str, dict[str, Transformed]] = flax.struct.field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in the order of computation."""
        return ARCHITECTURES[self.architecture].layers

    def up_to(self, layers: Sequence[str]) -> tuple[str, ...]:
        """All layers up to the deepest of `layers`: the ones that `features` computes."""
        return self.layers[: 1 + max(map(self.layers.index, layers))]

    def features(
        self, pictures: jax.Array, layers: Sequence[str], *, extent: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Activations of `layers` for pictures in [0, 1]. A pure function, computed up to the deepest layer.

        Args:
            pictures: `[H, W, 3]` or `[N, H, W, 3]` RGB, of any float dtype.
            layers: names such as `relu4_2`; `conv4_2` is the value before the rectifier.
            extent: `[2]` integers, the valid height and width of pictures padded at the bottom and right to a common
                shape. Activations of valid positions are those of the picture without padding.

        Returns:
            `{layer: [h, w, C]}` or `{layer: [N, h, w, C]}`, in the order of `layers`, float32 or bfloat16 according to
            `precision`. Positions beyond `extent_at(layer, extent)` are 0.

        Raises:
            ConfigError: for a layer that the network does not have.
            PictureError: for arrays of another shape or dtype, or so small that a layer would have no positions.
        """
        check_layers(self.architecture, layers)
        if not layers:
            return {}
        self._check_pictures(pictures, layers)
        if self.reverse_channels:
            pictures = pictures[..., ::-1]
        mean, scale = (jnp.broadcast_to(value, pictures.shape) for value in (self.mean, self.scale))
        inputs = ((pictures - mean) * scale).astype(dtype_of(self.precision))
        module = ARCHITECTURES[self.architecture].module(pooling=self.pooling)
        stack = inputs if inputs.ndim == 4 else inputs[None]
        variables: dict[str, Any] = {"params": self.parameters, "prepared": self.prepared}
        with jax.default_matmul_precision(matmul_precision(self.precision)):
            activations: Any = module.apply(variables, stack, tuple(layers), extent)
        return {layer: activations[layer] if inputs.ndim == 4 else activations[layer][0] for layer in layers}

    def _check_pictures(self, pictures: jax.Array, layers: Sequence[str]) -> None:
        """Raise PictureError unless these are pictures in which every layer has a position."""
        if pictures.ndim not in (3, 4) or pictures.shape[-1] != 3 or not jnp.issubdtype(pictures.dtype, jnp.floating):
            found = f"a picture is {pictures.dtype} {list(pictures.shape)}"
            raise PictureError(f"{found}; expected floats [H, W, 3] or [N, H, W, 3] in [0, 1]")
        height, width = pictures.shape[-3:-1]
        for layer in layers:
            if self.extent_at(layer, min(height, width)) < 1:
                least = next(side for side in itertools.count(1) if self.extent_at(layer, side) > 0)
                raise PictureError(
                    f"a picture of {width} x {height} pixels is too small for the layer {layer}; "
                    f"expected at least {least} on the shorter side"
                )

    def in_order(self, layers: Collection[str]) -> tuple[str, ...]:
        """These layers in the order of computation, the shallowest first."""
        return tuple(layer for layer in self.layers if layer in layers)

    def extent_at(self, layer: str, extent: Any) -> Any:
        """The valid height and width `[2]` of a layer's activations for a picture with this valid height and width."""
        return ARCHITECTURES[self.architecture].extent_at(layer, extent)

    def receptive_field(self, layer: str) -> ReceptiveField:
        """The pixels that a position of the layer depends on, without those beyond the picture."""
        return ARCHITECTURES[self.architecture].receptive_field(layer)

    def prepare(self, layers: Sequence[str] | None = None) -> "Network":
        """The same network with 3x3 kernels transformed in advance, for many evaluations with frozen parameters.

        On CPU this takes four times the memory of the kernels and saves their transformation in every evaluation.
        Other backends do not use it. With `layers`, only kernels up to the deepest of these are transformed.
        """
        computed = self.layers if layers is None else self.up_to(layers)
        kernels = {layer: arrays["kernel"] for layer, arrays in self.parameters.items() if layer in computed}
        prepared = {
            layer: {"kernel": transform_kernel(kernel)}
            for layer, kernel in kernels.items()
            if convolution.can_prepare(kernel)
        }
        return dataclasses.replace(self, prepared=prepared)

    def direct(self) -> "Network":
        """The same network with the compiler's convolutions, for single evaluations; see `convolution.DIRECT`."""
        return dataclasses.replace(self, prepared={layer: {"kernel": convolution.DIRECT} for layer in self.parameters})


def check_network(network: Any) -> None:
    """Raise ConfigError for an argument `network` that is no `Network`, such as the name of one."""
    name = network if isinstance(network, str) else "vgg19"
    check_type("network", network, Network, f"a Network: load_network({name!r})")


def random_network(architecture: str, *, seed: int = 0, pooling: str = "max", precision: str = "auto") -> Network:
    """An untrained network: kernels are normal with variance 2 / (h w I) (He et al., arXiv 1502.01852), biases 0.

    Its input is RGB standardized by the mean and standard deviation of ImageNet. The same seed gives the same network.

    Raises:
        ConfigError: for an unknown architecture, pooling or precision, or a seed that is none.
    """
    check_seed(seed)
    check_choice("architecture", architecture, ARCHITECTURES)
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
    """A network from float32 parameters, named as in `parameter_shapes`. Other arguments are attributes of `Network`.

    Raises:
        ConfigError: for an unknown pooling or precision.
    """
    check_choice("pooling", pooling, POOLINGS)
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
