"""`stylize` with a single layer of the network, which compiles in a second, and helpers for its tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import jax
import numpy as np

from jaxstyle import stylize
from jaxstyle.config import StyleConfig
from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.networks.architectures import _graph
from jaxstyle.networks.graph import PICTURE, chain
from jaxstyle.networks.operations import Convolution, ReLU
from jaxstyle.optimization import Objective, content_targets, make_objective
from jaxstyle.styles import blend_statistics, measure_statistics
from jaxstyle.stylize import Stylized

# Adam, because programs of L-BFGS, which the tests of what depends on the optimizer name, take longer to compile.
QUICK = StyleConfig(
    size=64, steps=6, optimizer="adam", content_layers=(("relu1_1", 1.0),), style_layers=(("relu1_1", 1.0),)
)

FIRST_LAYER, _CHANNELS = "first-layer", 16
_TABLE = chain(PICTURE, {"conv1_1": Convolution(_CHANNELS, 3, padding=1), "relu1_1": ReLU()})


def run(network: Network, content: np.ndarray, style: Any, **options: Any) -> Stylized:
    """`stylize` with the network's first layer and, by default, the settings QUICK."""
    return stylize(content, style, network=first_layer(network), **{"config": QUICK} | options)


def first_layer(network: Network) -> Network:
    """A network of a quarter of the channels of VGG's first layer; its activations are conv1_1 and relu1_1.

    Programs that are compiled quickly run slowly: with all 64 channels, tests would spend a third of their time there.
    Until the end of the test's module, the architecture is in the table.
    """
    ARCHITECTURES.setdefault(FIRST_LAYER, _graph(_TABLE, ("relu1_1",), ("relu1_1",), ("relu1_1",)))
    arrays = {name: np.asarray(array)[..., :_CHANNELS] for name, array in network.parameters["conv1_1"].items()}
    return network.replace(parameters={"conv1_1": jax.device_put(arrays)}, architecture=FIRST_LAYER)


def objective_of(
    network: Network, config: StyleConfig, content: np.ndarray, styles: Sequence[np.ndarray], extent: Any = None
) -> Objective:
    """The objective for pictures at their current size, with the styles blended as in the settings."""
    measured = [measure_statistics(network, style, config.style_names, config.style_representation) for style in styles]
    statistics = blend_statistics(measured, config.style_blend)
    targets = content_targets(network, content, config.content_names, extent=extent)
    return make_objective(config, targets, statistics, extent=extent)


_open_lists: list[list[str]] = []


@contextmanager
def compilations() -> Iterator[list[str]]:
    """The names of the events that JAX reports when it traces or compiles anything."""
    _listen()
    events: list[str] = []
    _open_lists.append(events)
    try:
        yield events
    finally:
        _open_lists[:] = [other for other in _open_lists if other is not events]


@cache
def _listen() -> None:
    """Listen from now on: not every version of JAX can remove a listener."""

    def listen(event: str, duration: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            for events in _open_lists:
                events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)


def random_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)
