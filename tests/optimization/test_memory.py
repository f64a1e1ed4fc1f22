"""Predicted memory against the compiler's own account of the program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.quick import objective_of, random_picture

from jaxstyle.config import StyleConfig
from jaxstyle.networks.network import Network
from jaxstyle.optimization import solver
from jaxstyle.optimization.memory import device_memory, max_batch_size, predict_bytes

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
    predicted = predict_bytes(network, config, 120, 160) - predict_bytes(network, config, 16, 16)
    expected = compiled_bytes(network, config, 120, 160) - compiled_bytes(network, config, 16, 16)
    assert 0.75 * expected < predicted < 1.4 * expected


def test_bytes_grow_with_lanes_and_pixels_and_begin_with_the_network(network: Network) -> None:
    one, two, large = (
        predict_bytes(network, CONFIG, *shape, batch_size=batch_size)
        for shape, batch_size in (((64, 80), 1), ((64, 80), 2), ((128, 80), 1))
    )
    assert two - one == pytest.approx(large - one, rel=1e-3)
    weights = sum(np.prod(leaf.shape) * 4 for leaf in jax.tree.leaves(network))
    assert one - (two - one) == weights


def test_lanes_that_fit_are_as_many_as_fit(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StyleConfig(**vars(CONFIG) | {"size": 100})
    for batch_size in (1, 5, 9):
        needed = predict_bytes(network, config, 100, 100, batch_size=batch_size)
        monkeypatch.setattr("jaxstyle.optimization.memory.device_memory", lambda needed=needed: (needed + 1000) / 0.8)
        assert max_batch_size(network, config, limit=64) == batch_size
    assert max_batch_size(network, config, most=4) == 4
    monkeypatch.setattr("jaxstyle.optimization.memory.device_memory", lambda: 0)
    assert max_batch_size(network, config, limit=64) == 1


def test_the_device_has_memory() -> None:
    assert device_memory() > 2**28
