"""Networks with random weights."""

import jax
import numpy as np
import pytest

from jaxstyle.errors import ConfigError
from jaxstyle.networks import random_network
from jaxstyle.weights import load_network


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "googlenet-caffe"])
def test_kernels_are_normal_with_variance_2_over_fan_in(name: str) -> None:
    for layer, parameters in random_network(name, seed=5).parameters.items():
        kernel = np.asarray(parameters["kernel"], float) * np.sqrt(np.prod(parameters["kernel"].shape[:-1]) / 2)
        tolerance = 6 / np.sqrt(kernel.size)
        assert abs(kernel.mean()) < tolerance and abs(kernel.var() - 1) < 1.5 * tolerance, layer
        fourth = np.square(np.square(kernel)).mean()
        assert abs(fourth - 3) < 10 * tolerance and not np.asarray(parameters["bias"]).any(), layer


def test_variance_is_preserved() -> None:
    """This is the purpose of the variance 2 / fan-in: the mean square is about the same before and after a layer."""
    network, picture = random_network("vgg16"), np.random.default_rng(0).random((64, 64, 3), np.float32)
    layers = ("relu1_1", "relu1_2", "pool1", "relu2_1")
    values = jax.device_get(jax.jit(lambda network, picture: network.features(picture, layers))(network, picture))
    inputs = (picture - np.asarray(network.mean)) * np.asarray(network.scale)
    squares = {"picture": np.mean(inputs**2)} | {layer: np.mean(value**2) for layer, value in values.items()}
    for before, after in (("picture", "relu1_1"), ("relu1_1", "relu1_2"), ("pool1", "relu2_1")):
        assert 0.6 < squares[after] / squares[before] < 1.6


def test_seed_determines_the_network() -> None:
    first, again, other = (random_network("alexnet", seed=seed) for seed in (0, 0, 1))
    assert jax.tree.all(jax.tree.map(np.array_equal, first, again))
    assert not np.array_equal(first.parameters["conv1"]["kernel"], other.parameters["conv1"]["kernel"])
    assert first.digest == again.digest != other.digest


def test_load_by_name() -> None:
    named, expected = load_network("random:alexnet", pooling="avg"), random_network("alexnet", pooling="avg")
    assert jax.tree.structure(named) == jax.tree.structure(expected)
    assert jax.tree.all(jax.tree.map(np.array_equal, named, expected))


def test_invalid_arguments() -> None:
    with pytest.raises(ConfigError, match="'resnet'; expected one of vgg16, vgg19, alexnet, googlenet"):
        load_network("random:resnet")
    with pytest.raises(ConfigError, match="'resnet'; expected one of vgg16, vgg19, alexnet, googlenet"):
        random_network("resnet")
    with pytest.raises(ConfigError, match="'median'; expected one of max, avg"):
        random_network("alexnet", pooling="median")
    assert random_network("alexnet", pooling="avg").pooling == "avg"
