"""AlexNet and GoogLeNet against values from torchvision (scripts/weights/torchvision_values.py)."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import foreign

from jaxstyle import weights
from jaxstyle.config import PARTITIONS, StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import ARCHITECTURES, Network, convolution, random_network, resolve_layers
from jaxstyle.styles import Style, check_compatible, load_style, measure_statistics, save_style

NAMES = ("alexnet", "googlenet", "googlenet-caffe")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "data" / "torchvision.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def converted(reference: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    """The networks of torchvision, converted from PyTorch files."""
    folder, networks = tmp_path_factory.mktemp("converted"), {}
    for name in ("alexnet", "googlenet"):
        foreign.write_torch_state(folder / "w.pth", foreign.torchvision_state(reference, name))
        weights.convert(folder / "w.pth", folder / name)
        networks[name] = weights.load_network(folder / name)
    return networks


def features(network: Network, pictures: Any, layers: tuple[str, ...], extent: Any = None) -> dict[str, np.ndarray]:
    """In NumPy, because every slice of an array of JAX would be compiled."""
    return jax.device_get(compiled_features(network, pictures, layers, extent))


@partial(jax.jit, static_argnames="layers")
def compiled_features(network: Network, pictures: Any, layers: tuple[str, ...], extent: Any) -> dict[str, jax.Array]:
    return network.features(pictures, layers, extent=extent)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def layer_name(module: str) -> str:
    """The layer with the same activations as a module of torchvision."""
    if module.startswith("features."):
        kinds = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5"
        return kinds.split()[int(module.removeprefix("features."))]
    if module.startswith("maxpool"):
        return f"pool{module[-1]}/3x3_s2"
    if module.startswith("conv"):
        return {"conv1": "conv1/relu_7x7", "conv2": "conv2/relu_3x3_reduce", "conv3": "conv2/relu_3x3"}[module]
    block, _, branch = module.partition(".")
    names = {
        "": "output",
        "branch1": "relu_1x1",
        "branch2.0": "relu_3x3_reduce",
        "branch2.1": "relu_3x3",
        "branch3.0": "relu_5x5_reduce",
        "branch3.1": "relu_5x5",
        "branch4.0": "pool",
        "branch4.1": "relu_pool_proj",
    }
    return f"{block.replace('inception', 'inception_')}/{names[branch]}"


def picked(values: jax.Array, reference: dict[str, np.ndarray]) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    return flat[(reference["fractions"] * flat.size).astype(np.int64)]


class TestAgainstTorchvision:
    @pytest.mark.parametrize("name", ["alexnet", "googlenet"])
    def test_features_of_every_module(
        self, name: str, converted: dict[str, Network], reference: dict[str, np.ndarray]
    ) -> None:
        modules, entries, norms = (reference[f"{name}.{kind}"] for kind in ("layers", "entries", "norms"))
        layers = tuple(layer_name(str(module)) for module in modules)
        assert len(set(layers)) == len(layers) == {"alexnet": 13, "googlenet": 2 + 3 + 2 + 9 * 8}[name]
        activations = features(converted[name], jnp.float32(reference["picture"] / 255), layers)
        for layer, values, norm in zip(layers, entries, norms, strict=True):
            error = np.linalg.norm(picked(activations[layer], reference) - values) / np.linalg.norm(values)
            assert error < 1e-4, layer
            assert np.linalg.norm(activations[layer]) == pytest.approx(norm, rel=1e-4), layer

    @pytest.mark.parametrize(("name", "layer"), [("alexnet", "relu4"), ("googlenet", "inception_4a/output")])
    def test_gradients(
        self, name: str, layer: str, converted: dict[str, Network], reference: dict[str, np.ndarray]
    ) -> None:
        @jax.jit
        def gradient(network: Network, picture: jax.Array) -> jax.Array:
            return jax.grad(lambda x: jnp.sum(network.features(x, (layer,))[layer] ** 2) / 2)(picture)

        expected = reference[f"{name}.gradient"]
        actual = picked(gradient(converted[name], jnp.float32(reference["picture"] / 255)), reference)
        module = {"relu4": "features.9"}.get(layer, "inception4a")
        assert layer_name(module) == layer
        difference, scale = np.abs(actual - expected), np.sqrt(np.mean(expected**2))
        # Some entries differ: near ties, rounding changes which input of a rectifier or maximum gets the gradient.
        assert np.quantile(difference, 0.9) < 1e-4 * scale and difference.max() < 2e-2 * scale


PADDED = {
    "alexnet": ("conv1", "relu1", "pool1", "conv2", "pool2", "relu3", "pool5"),
    "googlenet": ("conv1/7x7_s2", "pool1/3x3_s2", "conv2/relu_3x3", "inception_3a/pool", "inception_3b/output"),
    "googlenet-caffe": ("pool1/norm1", "conv2/norm2", "inception_3a/5x5", "inception_3a/relu_pool_proj"),
}


@pytest.mark.parametrize(
    ("name", "pooling"), [("alexnet", "max"), ("alexnet", "avg"), ("googlenet", "max"), ("googlenet-caffe", "avg")]
)
def test_padding_does_not_change_valid_positions(name: str, pooling: str, photo: np.ndarray) -> None:
    """The padding is not 0. One of the sides leaves a remainder at the first pool, and the other does not."""
    network = random_network(name, seed=1, pooling=pooling)
    parameters = {
        layer: {"kernel": arrays["kernel"], "bias": np.full(arrays["bias"].shape, 0.1, np.float32)}
        for layer, arrays in network.parameters.items()
    }
    network, layers = network.replace(parameters=parameters), PADDED[name]
    height, width = 71, 88
    picture, extent = photo[:height, :width], np.array([height, width])
    padded = np.pad(picture, ((0, 25), (0, 24), (0, 0)), constant_values=0.7)
    unpadded_features = features(network, picture, layers)
    padded_features = features(network, padded, layers, extent)
    for layer in layers:
        valid = tuple(network.extent_at(layer, extent))
        values, expected = padded_features[layer], np.zeros(padded_features[layer].shape)
        assert unpadded_features[layer].shape[:2] == valid and unpadded_features[layer].std() > 0
        expected[: valid[0], : valid[1]] = unpadded_features[layer]
        np.testing.assert_allclose(values, expected, atol=1e-5 * np.abs(expected).max(), err_msg=layer)
        assert not values[valid[0] :].any() and not values[:, valid[1] :].any()


# Numbers of parameters of complete networks, according to torchvision and Caffe, and of their fully connected layers.
# torchvision's GoogLeNet has two parameters of batch normalization in place of each bias.
COMPLETE = {"alexnet": 61_100_840, "googlenet": 6_624_904, "googlenet-caffe": 6_998_552}
FULLY_CONNECTED = {
    "alexnet": (256 * 36 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000,
    "googlenet": (1024 + 1) * 1000,
    "googlenet-caffe": (1024 + 1) * 1000,
}


class TestTables:
    @pytest.mark.parametrize("name", NAMES)
    def test_count_of_parameters(self, name: str) -> None:
        parameters = ARCHITECTURES[name].parameters
        count = sum(int(np.prod(shape)) for shape in parameters.values())
        if name == "googlenet":
            count += sum(shape[0] for parameter, shape in parameters.items() if parameter.endswith(".bias"))
        assert count + FULLY_CONNECTED[name] == COMPLETE[name]

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_channels_and_extents_equal_those_of_activations(self, name: str) -> None:
        architecture, network = ARCHITECTURES[name], random_network(name)
        picture = jax.ShapeDtypeStruct((97, 150, 3), jnp.float32)
        shapes = jax.eval_shape(lambda n, x: n.features(x, n.layers), network, picture)
        assert set(shapes) == set(architecture.layers) and network.layers == architecture.layers
        for layer, value in shapes.items():
            assert value.shape == (*architecture.extent_at(layer, np.array([97, 150])), architecture.channels[layer])

    @pytest.mark.parametrize("name", NAMES)
    def test_module_declares_the_same_parameters(self, name: str) -> None:
        architecture = ARCHITECTURES[name]
        picture = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
        init = partial(architecture.module().init, layers=architecture.layers[-1:])
        params = jax.eval_shape(init, jax.random.key(0), picture)["params"]
        shapes = {f"{layer}.{kind}": value.shape for layer, kinds in params.items() for kind, value in kinds.items()}
        assert shapes == architecture.parameters and list(architecture.parameters) == [
            f"{layer}.{kind}" for layer in architecture.layers if layer in params for kind in ("kernel", "bias")
        ]

    def test_layers_in_order_of_computation(self) -> None:
        layers = ARCHITECTURES["googlenet-caffe"].layers
        assert layers[:5] == ("conv1/7x7_s2", "conv1/relu_7x7", "pool1/3x3_s2", "pool1/norm1", "conv2/3x3_reduce")
        assert layers[-2:] == ("inception_5b/relu_pool_proj", "inception_5b/output")
        assert set(layers) - set(ARCHITECTURES["googlenet"].layers) == {"pool1/norm1", "conv2/norm2"}

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_layer_names_have_only_simple_characters(self, name: str) -> None:
        assert all(re.fullmatch(r"[a-z0-9_/]+", layer) for layer in ARCHITECTURES[name].layers)

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_default_layers_exist(self, name: str) -> None:
        architecture = ARCHITECTURES[name]
        assert {*architecture.content_layers, *architecture.style_layers} <= set(architecture.layers)

    @pytest.mark.parametrize("name", ARCHITECTURES)
    @pytest.mark.parametrize("partition", PARTITIONS)
    def test_layers_of_partitions_exist(self, name: str, partition: str) -> None:
        config = resolve_layers(StyleConfig(content_layers=partition, style_layers=partition), name)
        assert set(config.content_names) | set(config.style_names) <= set(ARCHITECTURES[name].layers)

    def test_partitions_of_vgg(self) -> None:
        def style(partition: str) -> dict[str, float]:
            return resolve_layers(StyleConfig(style_layers=partition), "vgg16").weights_of("style_layers")

        relus = [f"relu{block}_{i}" for block, depth in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, depth + 1)]
        assert list(style("all")) == relus == list(style("shallow")) + list(style("deep"))
        assert style("default") == dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), 1.0)
        assert style("falling") == {layer: 2.0 ** (13 - depth) for depth, layer in enumerate(relus, 1)}
        assert style("rising") == {layer: 2.0 ** (depth - 1) for depth, layer in enumerate(relus, 1)}


class TestFeatures:
    def test_other_layers_are_not_computed(self) -> None:
        network = random_network("googlenet")
        names = ("conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3", "inception_3a/5x5_reduce", "inception_3a/5x5")
        branch = network.replace(parameters={name: network.parameters[name] for name in names})
        requested = ("inception_3a/relu_5x5", "conv1/7x7_s2", "inception_3a/relu_5x5")
        found: list[str] = []
        jax.eval_shape(lambda picture: found.extend(branch.features(picture, requested)), noise(32, 32, 3))
        assert tuple(found) == requested[:2]
        with pytest.raises(Exception, match="inception_3a/1x1"):
            features(branch, noise(32, 32, 3), ("inception_3a/1x1",))

    @pytest.mark.parametrize("name", ["alexnet", "googlenet-caffe"])
    def test_stacks_and_vmap_agree_with_single_pictures(self, name: str) -> None:
        network, stack, layers = random_network(name), noise(3, 40, 47, 3), ARCHITECTURES[name].style_layers[1:3]
        mapped = jax.jit(jax.vmap(lambda net, x: net.features(x, layers), in_axes=(None, 0)))
        single = [features(network, picture, layers) for picture in stack]
        for activations in (features(network, stack, layers), mapped(network, stack)):
            for layer in layers:
                expected = np.stack([values[layer] for values in single])
                np.testing.assert_allclose(activations[layer], expected, atol=1e-5 * np.abs(expected).max())

    def test_requesting_a_convolution_does_not_change_later_layers(self) -> None:
        network, picture = random_network("alexnet"), noise(33, 40, 3)
        both, one = features(network, picture, ("conv1", "relu1", "pool1")), features(network, picture, ("pool1",))
        assert (both["conv1"] < 0).any()
        np.testing.assert_array_equal(both["relu1"], np.maximum(both["conv1"], 0))
        np.testing.assert_allclose(both["pool1"], one["pool1"], atol=1e-6)

    def test_only_3x3_kernels_are_prepared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(convolution, "MIN_CHANNELS", 16)
        network, picture = random_network("alexnet"), noise(40, 47, 3)
        network = network.replace(parameters={name: network.parameters[name] for name in ("conv1", "conv2", "conv3")})
        prepared = network.prepare()
        assert set(prepared.prepared) == {"conv3"} == set(network.prepare(["conv3", "conv1"]).prepared)
        assert not network.prepare(["conv2"]).prepared
        expected, actual = (jax.jit(lambda n, x: n.features(x, ("conv3",)))(n, picture) for n in (network, prepared))
        scale = np.abs(expected["conv3"]).max()
        np.testing.assert_allclose(actual["conv3"], expected["conv3"], atol=1e-5 * scale)

    @pytest.mark.parametrize(
        ("name", "layer", "min_side"),
        [
            ("alexnet", "pool2", 31),
            ("googlenet", "pool3/3x3_s2", 15),
            ("googlenet-caffe", "inception_5a/output", 31),
            ("vgg16", "relu3_1", 4),
        ],
    )
    def test_smallest_picture(self, name: str, layer: str, min_side: int) -> None:
        network = random_network(name)
        shapes = jax.eval_shape(lambda x: network.features(x, (layer,)), noise(min_side, min_side + 9, 3))
        assert shapes[layer].shape[0] == 1
        with pytest.raises(PictureError) as caught:
            network.features(noise(min_side + 9, min_side - 1, 3), (layer,))
        assert str(caught.value) == (
            f"a picture of {min_side - 1} x {min_side + 9} pixels is too small for the layer {layer}; "
            f"expected at least {min_side} on the shorter side"
        )

    def test_style_round_trip(self, painting: np.ndarray, tmp_path: Path) -> None:
        network, layers = random_network("googlenet"), ("conv1/relu_7x7", "conv2/3x3_reduce")
        measured = measure_statistics(network, painting, layers)
        style = Style((measured,), (80,), network.architecture, network.pooling, network.digest)
        save_style(tmp_path / "style.safetensors", style)
        loaded = load_style(tmp_path / "style.safetensors")
        assert loaded.layers == layers and loaded.digest == network.digest
        assert jax.tree.all(jax.tree.map(np.array_equal, loaded.statistics, style.statistics))
        check_compatible(loaded, network, layers)
        with pytest.raises(ConfigError):
            check_compatible(loaded, random_network("googlenet", seed=1), layers)
