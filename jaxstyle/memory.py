"""How much memory a stylisation takes, known before it runs, and how much there is."""

import os
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle import solver
from jaxstyle.config import StyleConfig
from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.networks.precision import dtype_of

# What a step holds at its peak, relative to the activations of all layers, of which a convolution and its rectifier
# share one: those, and what a convolution needs meanwhile. Fitted to the compiler's own account of `solver.run` on CPU,
# from 96 x 128 to 384 x 512 pixels, alone and in a batch of 4, with either optimizer, where it is within 15 %.
_PEAK = 0.75
# What else the style layers hold, relative to their activations, fitted likewise: for shifts, and for each more region.
_SHIFTED, _REGION = 5, 1
_SHARE = 0.8  # of a device's memory that is ours to fill


def bytes_needed(network: Network, config: StyleConfig, height: int, width: int, *, lanes: int = 1) -> int:
    """Predicted peak memory of optimising pictures of this shape, `lanes` of them in one program."""
    return _bytes(network) + lanes * _lane_bytes(network, config, height, width)


def lanes_that_fit(network: Network, config: StyleConfig, *, most: int) -> int:
    """How many square pictures at full size fit the first local device at once, from 1 to `most`."""
    free = _SHARE * device_bytes() - _bytes(network)
    return max(1, min(most, int(free / _lane_bytes(network, config, config.size, config.size))))


def device_bytes() -> int:
    """Bytes that the first local device has, or the machine where it computes on its own processor."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _lane_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    """Of one picture."""
    channels, shape = ARCHITECTURES[network.architecture].channels, np.array([height, width])
    below = network.up_to((*config.content_names, *config.style_names))

    def activations(layers: Sequence[str]) -> int:
        values = sum(channels[layer] * int(network.extent_at(layer, shape).prod()) for layer in layers)
        return dtype_of(network.precision).itemsize * values

    shifted = config.style_representation == "shifted"
    copies = _SHIFTED * config.regions if shifted else _REGION * (config.regions - 1)
    picture = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    state = jax.eval_shape(partial(solver.init, optimizer=config.optimizer), picture)
    return round(_PEAK * activations(below) + copies * activations(config.style_names) + _bytes(state))


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
