"""EfficientNet-Lite0 against values from PyTorch (scripts/weights/efficientnet_values.py) and its paper."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.weights import load_network

NAME = "efficientnet-lite0"
DATA = Path(__file__).parents[1] / "data" / "efficientnet.npz"
# Tan and Le, arXiv 1905.11946, table 1: the width of each stage's blocks, how many there are, and, for 224 pixels, the
# side that they work on, which is that of the stage before.
TABLE_1 = ((16, 1, 112), (24, 2, 112), (40, 2, 56), (80, 3, 28), (112, 3, 14), (192, 4, 14), (320, 1, 7))


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(DATA) as data:
        return dict(data)


@pytest.fixture(scope="module")
def efficientnet() -> Network:
    return load_network(NAME)


@partial(jax.jit, static_argnames="layers")
def features(
    network: Network, pictures: jax.Array, layers: tuple[str, ...], extent: jax.Array | None = None
) -> dict[str, jax.Array]:
    return network.features(pictures, layers, extent=extent)


def picked(values: jax.Array, reference: dict[str, np.ndarray]) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    return flat[(reference["fractions"] * flat.size).astype(np.int64)]


class TestAgainstPyTorch:
    def test_features_of_every_layer(self, efficientnet: Network, reference: dict[str, np.ndarray]) -> None:
        """Within the rounding of the largest kernels to float16."""
        assert tuple(reference["layers"]) == efficientnet.layers
        found = features(efficientnet, jnp.float32(reference["picture"] / 255), efficientnet.layers)
        for index, layer in enumerate(efficientnet.layers):
            assert found[layer].shape == tuple(reference["shapes"][index]), layer
            error = np.abs(picked(found[layer], reference) - reference["entries"][index]).max()
            assert error < 2e-3 * reference["largest"][index], layer
            assert np.linalg.norm(found[layer]) == pytest.approx(reference["norms"][index], rel=2e-3), layer

    def test_gradient(self, efficientnet: Network, reference: dict[str, np.ndarray]) -> None:
        @jax.jit
        def gradient(network: Network, picture: jax.Array) -> jax.Array:
            return jax.grad(lambda x: jnp.sum(network.features(x, (layer,))[layer] ** 2) / 2)(picture)

        layer, expected = "block5c/output", reference["gradient"]
        difference = picked(gradient(efficientnet, jnp.float32(reference["picture"] / 255)), reference) - expected
        assert np.sqrt(np.mean(difference**2)) < 2e-2 * np.sqrt(np.mean(expected**2))


class TestTable:
    def test_stages_are_the_papers(self) -> None:
        architecture = ARCHITECTURES[NAME]
        for stage, (width, repeats, side) in enumerate(TABLE_1, 1):
            blocks = [layer.removesuffix("/output") for layer in architecture.stages if f"block{stage}" in layer]
            assert blocks == [f"block{stage}{letter}" for letter in "abcd"[:repeats]]
            assert {architecture.channels[f"{block}/output"] for block in blocks} == {width}
            before = architecture.layers[architecture.layers.index(f"{blocks[0]}/depthwise") - 1]
            assert architecture.extent_at(before, 224) == side
        assert (architecture.channels["stem/relu"], architecture.channels["head/relu"]) == (32, 1280)
        assert architecture.extent_at("head/relu", 224) == 7

    def test_count_of_parameters(self) -> None:
        """4,652,008 in the package's module, with the classifier and two numbers of normalization for each bias."""
        parameters = ARCHITECTURES[NAME].parameters
        biases = sum(shape[0] for name, shape in parameters.items() if name.endswith(".bias"))
        count = sum(int(np.prod(shape)) for shape in parameters.values()) + biases
        assert count + (1280 + 1) * 1000 == 4_652_008

    @pytest.mark.parametrize("side", [32, 33, 47, 224])
    def test_every_stride_of_2_halves_and_rounds_down(self, side: int) -> None:
        layers = ("stem/relu", "block2b/output", "block3b/output", "block5c/output", "head/relu")
        assert [ARCHITECTURES[NAME].extent_at(layer, side) for layer in layers] == [side // 2**n for n in range(1, 6)]


class TestRectifiers:
    def test_layers_asked_for_change_no_others(self, efficientnet: Network, photo: np.ndarray) -> None:
        """A convolution whose result is asked for is rectified by itself, otherwise together with its rectifier."""
        layers = ("block2a/depthwise", "block2a/relu_depthwise", "block2b/output")
        both, one = features(efficientnet, photo, layers), features(efficientnet, photo, layers[2:])
        assert both[layers[0]].min() < 0 and both[layers[0]].max() > 6
        np.testing.assert_allclose(both[layers[1]], np.clip(both[layers[0]], 0, 6), atol=2e-5)
        np.testing.assert_allclose(both[layers[2]], one[layers[2]], atol=1e-4)

    def test_block_outputs_are_not_rectified(self, efficientnet: Network, photo: np.ndarray) -> None:
        layers = ("block2a/output", "block2b/project", "block2b/output")
        activations = features(efficientnet, photo, layers)
        first, projected, second = (activations[layer] for layer in layers)
        assert projected.min() < 0 and second.max() > 6
        np.testing.assert_allclose(second, first + projected, atol=1e-5)


@pytest.mark.parametrize("sides", [(71, 88), (66, 95)])
def test_a_padded_picture_is_seen_as_if_alone(efficientnet: Network, photo: np.ndarray, sides: tuple[int, int]) -> None:
    """Whatever fills the padding, for sides that leave something over at some stride and others that do not."""
    layers = ("stem/conv", "block1a/output", "block2a/relu_depthwise", "block3a/expand", "block3b/output")
    picture, extent = photo[: sides[0], : sides[1]], np.array(sides)
    padded = np.pad(picture, ((0, 96 - sides[0]), (0, 112 - sides[1]), (0, 0)), constant_values=0.7)
    alone, seen = features(efficientnet, picture, layers), features(efficientnet, padded, layers, extent)
    for layer in layers:
        height, width = efficientnet.extent_at(layer, extent)
        assert alone[layer].shape[:2] == (height, width)
        expected = np.zeros(seen[layer].shape)
        expected[:height, :width] = alone[layer]
        np.testing.assert_allclose(seen[layer], expected, atol=1e-5 * np.abs(expected).max(), err_msg=layer)


def test_average_pooling_changes_nothing(efficientnet: Network) -> None:
    """There are no pools."""
    mean = load_network(NAME, pooling="avg")
    picture = jnp.float32(np.random.default_rng(0).random((32, 40, 3)))
    expected, found = (features(network, picture, ("block2a/output",)) for network in (efficientnet, mean))
    np.testing.assert_array_equal(found["block2a/output"], expected["block2a/output"])
