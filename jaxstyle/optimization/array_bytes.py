"""The memory of arrays: of trees, of a solver's state, of activations, and of a style's statistics."""

from collections.abc import Sequence
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.networks import ARCHITECTURES, Network, dtype_of
from jaxstyle.optimization import solver
from jaxstyle.optimization.pyramid import schedule


def activation_bytes(network: Network, layers: Sequence[str], height: int, width: int) -> int:
    """Memory of the activations of these layers for a picture of this shape."""
    channels, shape = ARCHITECTURES[network.architecture].channels, np.array([height, width])
    values = sum(channels[layer] * int(network.extent_at(layer, shape).prod()) for layer in layers)
    return dtype_of(network.precision).itemsize * values


def tree_bytes(tree: object) -> int:
    """Memory of all arrays of a tree, or of what has their shapes and types."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@cache
def state_bytes(optimizer: str, height: int, width: int) -> int:
    """Memory of the state of the solver for a picture of this shape."""
    picture = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    return tree_bytes(jax.eval_shape(partial(solver.init, optimizer=optimizer), picture))


def statistics_bytes(network: Network, config: StyleConfig) -> int:
    """Memory of the statistics of a style at all sizes, which is that of Gram matrices for most representations."""
    channels = ARCHITECTURES[network.architecture].channels
    return 4 * len(schedule(config, 1, 1)) * sum(channels[layer] ** 2 for layer in config.style_names)
