"""The convolutions with which a network optimizes pictures: on CPU, fast ones, except for one small picture."""

import jax

from jaxstyle.compilation import CachedFunction
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network

# The longest side in pixels up to which a single run uses the compiler's convolutions on CPU: with fast ones, its
# program would compile for longer than its steps save. Batches use fast ones at any size.
DIRECT_SIZE = 128

_prepare = CachedFunction(Network.prepare, static_argnames=("layers",))


def prepare_network(network: Network, *configs: StyleConfig) -> Network:
    """Transform the network's kernels in advance on CPU, where that saves time.

    With settings, only the kernels that they need are transformed; without any, all of them.
    """
    if network.prepared or jax.default_backend() != "cpu":
        return network
    layers = [layer for config in configs for layer in (*config.content_names, *config.style_names)]
    deepest = network.up_to(layers)[-1:] if layers else None  # one layer, so that similar settings share a program
    return _prepare(network, deepest)


def prepare_for_one(network: Network, config: StyleConfig) -> Network:
    """`prepare_network` for a single run."""
    if network.prepared or jax.default_backend() != "cpu" or config.size > DIRECT_SIZE:
        return prepare_network(network, config)
    return network.direct()


def network_at(network: Network, size: int) -> Network:
    """The network with which a single run optimizes its picture at a size, from `prepare_for_one`."""
    return network.direct() if network.prepared and size <= DIRECT_SIZE else network
