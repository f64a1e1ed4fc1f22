"""The convolutions with which a network optimizes pictures: on CPU, fast ones, except for small pictures."""

import jax

from jaxstyle.compilation import CachedFunction
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network

# The longest side in pixels up to which the compiler's convolutions take less time on CPU: programs of small pictures
# would compile for longer than they save.
DIRECT_SIZE = 128

_prepare = CachedFunction(Network.prepare, static_argnames=("layers",))


def prepare_network(network: Network, *configs: StyleConfig) -> Network:
    """Transform the network's kernels in advance on CPU, where that saves time.

    With settings, only the kernels that they need are transformed; without any, all of them.
    """
    if network.prepared or jax.default_backend() != "cpu":
        return network
    if configs and all(config.size <= DIRECT_SIZE for config in configs):
        return network.direct()
    layers = [layer for config in configs for layer in (*config.content_names, *config.style_names)]
    deepest = network.up_to(layers)[-1:] if layers else None  # one layer, so that similar settings share a program
    return _prepare(network, deepest)


def network_at(network: Network, size: int) -> Network:
    """The network with which to optimize pictures of a size, from `prepare_network`."""
    return network.direct() if network.prepared and size <= DIRECT_SIZE else network
