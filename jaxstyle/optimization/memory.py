"""The memory that a stylization needs, predicted before it runs, and the memory that there is."""

import os
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.networks import ARCHITECTURES, Network, dtype_of
from jaxstyle.optimization import solver

# Peak memory of a step relative to the activations of all layers (a convolution and its rectifier share one array).
# Fitted to the compiler's own account of `solver.run` on CPU, from 96 x 128 to 384 x 512 pixels, alone and in a batch
# of 4, with either optimizer; within 15 % there.
_PEAK = 0.75
# Additional memory relative to the activations of the style layers, fitted likewise: for the "shifted" representation,
# and for each region after the first.
_SHIFTED, _REGION = 5, 1
_USABLE = 0.8  # share of a device's memory that may be filled


def predict_bytes(network: Network, config: StyleConfig, height: int, width: int, *, batch_size: int = 1) -> int:
    """Predicted peak memory, in bytes, for optimizing a batch of pictures of this shape in one program."""
    return _tree_bytes(network) + batch_size * _picture_bytes(network, config, height, width)


def max_batch_size(network: Network, config: StyleConfig, *, limit: int) -> int:
    """The number of square pictures at full size that fit the first local device at once, from 1 to `limit`."""
    free = _USABLE * device_memory() - _tree_bytes(network)
    return max(1, min(limit, int(free / _picture_bytes(network, config, config.size, config.size))))


def device_memory() -> int:
    """Memory of the first local device in bytes; of the machine if that device is its CPU."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _picture_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    """Memory for each picture of a batch."""
    channels, shape = ARCHITECTURES[network.architecture].channels, np.array([height, width])
    computed = network.up_to((*config.content_names, *config.style_names))

    def activations(layers: Sequence[str]) -> int:
        values = sum(channels[layer] * int(network.extent_at(layer, shape).prod()) for layer in layers)
        return dtype_of(network.precision).itemsize * values

    shifted = config.style_representation == "shifted"
    copies = _SHIFTED * config.regions if shifted else _REGION * (config.regions - 1)
    picture = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    state = jax.eval_shape(partial(solver.init, optimizer=config.optimizer), picture)
    return round(_PEAK * activations(computed) + copies * activations(config.style_names) + _tree_bytes(state))


def _tree_bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
