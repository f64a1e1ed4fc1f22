"""Predicted memory, compared with the memory analysis of the compiler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.quick import objective_of, random_picture

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization import device_memory, max_batch_size, predict_bytes, solver

CONFIG = StyleConfig(content_layers=(("relu2_2", 1.0),), style_layers=(("relu1_1", 1.0), ("relu2_2", 1.0)))


def compiled_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    objective = objective_of(network, config, random_picture(height, width), [random_picture(height, width, 1)])
    state = solver.init(random_picture(height, width), optimizer=config.optimizer)
    compiled = solver.run.jitted.lower(network, objective, state, jnp.int32(1), optimizer=config.optimizer).compile()
    analysis = compiled.memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam"}, {"style_representation": "shifted"}])
def test_prediction_is_close_to_the_memory_analysis(network: Network, changes: dict[str, str]) -> None:
    config = StyleConfig(**vars(CONFIG) | changes)
    predicted = predict_bytes(network, config, 120, 160) - predict_bytes(network, config, 16, 16)
    expected = compiled_bytes(network, config, 120, 160) - compiled_bytes(network, config, 16, 16)
    assert 0.75 * expected < predicted < 1.4 * expected


def test_memory_is_linear_in_the_batch_size_and_the_pixels_of_a_picture(network: Network) -> None:
    one, two, large = (
        predict_bytes(network, CONFIG, *shape, batch_size=batch_size)
        for shape, batch_size in (((64, 80), 1), ((64, 80), 2), ((128, 80), 1))
    )
    assert two - one == pytest.approx(large - one, rel=1e-3)
    weights = sum(np.prod(leaf.shape) * 4 for leaf in jax.tree.leaves(network))
    assert one - (two - one) == weights


def test_max_batch_size_is_the_largest_that_fits(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StyleConfig(**vars(CONFIG) | {"size": 100})
    for batch_size in (1, 5, 9):
        needed = predict_bytes(network, config, 100, 100, batch_size=batch_size)
        monkeypatch.setattr("jaxstyle.optimization.memory.device_memory", lambda needed=needed: (needed + 1000) / 0.8)
        assert max_batch_size(network, config, limit=64) == batch_size
    assert max_batch_size(network, config, limit=4) == 4
    monkeypatch.setattr("jaxstyle.optimization.memory.device_memory", lambda: 0)
    assert max_batch_size(network, config, limit=64) == 1


def test_device_memory() -> None:
    assert device_memory() > 2**28
