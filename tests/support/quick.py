"""The main path with one layer of the network, which compiles in a second, and what tests of it have in common."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from jaxstyle import stylize
from jaxstyle.config import StyleConfig
from jaxstyle.networks.network import Network
from jaxstyle.optimization.objective import Objective, content_targets, make_objective
from jaxstyle.styles.measured import blend_statistics, measure_statistics
from jaxstyle.stylize import Stylized

QUICK = StyleConfig(size=64, steps=6, content_layers=(("relu1_1", 1.0),), style_layers=(("relu1_1", 1.0),))


def run(network: Network, content: np.ndarray, style: Any, **options: Any) -> Stylized:
    """`stylize` with the settings QUICK, unless others are given, and the network's first layer."""
    first = network.replace(parameters={"conv1_1": network.parameters["conv1_1"]})
    return stylize(content, style, network=first, **{"config": QUICK} | options)


def objective_of(
    network: Network, config: StyleConfig, content: np.ndarray, styles: Sequence[np.ndarray], extent: Any = None
) -> Objective:
    """The objective of pictures as they are, with styles blended as the settings say."""
    contents, layers = (tuple(layer for layer, _ in layers) for layers in (config.content_layers, config.style_layers))
    measured = [measure_statistics(network, style, layers, config.style_representation) for style in styles]
    statistics = blend_statistics(measured, config.style_blend)
    return make_objective(config, content_targets(network, content, contents, extent=extent), statistics, extent=extent)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """The names of the events by which JAX tells that it traces or compiles anything."""
    seen: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def random_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)
