"""Predicted memory against the compiler's own account of the program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import objective_of, random_picture

from jaxstyle import Network, StyleConfig, solver
from jaxstyle.memory import bytes_needed, device_bytes, lanes_that_fit

CONFIG = StyleConfig(content_layers=(("relu2_2", 1.0),), style_layers=(("relu1_1", 1.0), ("relu2_2", 1.0)))


def compiled_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    objective = objective_of(network, config, random_picture(height, width), [random_picture(height, width, 1)])
    state = solver.init(random_picture(height, width), optimizer=config.optimizer)
    compiled = solver.run.jitted.lower(network, objective, state, jnp.int32(1), optimizer=config.optimizer).compile()
    found = compiled.memory_analysis()
    return found.temp_size_in_bytes + found.output_size_in_bytes


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam"}, {"style_representation": "shifted"}])
def test_prediction_is_near_the_compiler_s_account(network: Network, changes: dict[str, str]) -> None:
    config = StyleConfig(**vars(CONFIG) | changes)
    predicted = bytes_needed(network, config, 120, 160) - bytes_needed(network, config, 16, 16)
    expected = compiled_bytes(network, config, 120, 160) - compiled_bytes(network, config, 16, 16)
    assert 0.75 * expected < predicted < 1.4 * expected


def test_bytes_grow_with_lanes_and_pixels_and_begin_with_the_network(network: Network) -> None:
    one, two, large = (
        bytes_needed(network, CONFIG, *shape, lanes=lanes)
        for shape, lanes in (((64, 80), 1), ((64, 80), 2), ((128, 80), 1))
    )
    assert two - one == pytest.approx(large - one, rel=1e-3)
    weights = sum(np.prod(leaf.shape) * 4 for leaf in jax.tree.leaves(network))
    assert one - (two - one) == weights


def test_lanes_that_fit_are_as_many_as_fit(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StyleConfig(**vars(CONFIG) | {"size": 100})
    for lanes in (1, 5, 9):
        needed = bytes_needed(network, config, 100, 100, lanes=lanes)
        monkeypatch.setattr("jaxstyle.memory.device_bytes", lambda needed=needed: (needed + 1000) / 0.8)
        assert lanes_that_fit(network, config, most=64) == lanes
    assert lanes_that_fit(network, config, most=4) == 4
    monkeypatch.setattr("jaxstyle.memory.device_bytes", lambda: 0)
    assert lanes_that_fit(network, config, most=64) == 1


def test_the_device_has_memory() -> None:
    assert device_bytes() > 2**28
