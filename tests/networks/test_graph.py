"""AlexNet and GoogLeNet against values from torchvision (scripts/weights/torchvision_values.py)."""

import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import foreign

from jaxstyle import weights
from jaxstyle.config import PARTITIONS, StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import ARCHITECTURES, Network, random_network, resolve_layers
from jaxstyle.networks import convolution as conv
from jaxstyle.styles import Style, check_compatible, load_style, measure_statistics, save_style

NAMES = ("alexnet", "googlenet", "googlenet-caffe")


pytestmark = pytest.mark.usefixtures("quick_to_compile")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "data" / "torchvision.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def converted(reference: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    """torchvision's networks, by way of the files that it would write."""
    folder, networks = tmp_path_factory.mktemp("converted"), {}
    for name in ("alexnet", "googlenet"):
        foreign.write_torch_state(folder / "w.pth", foreign.torchvision_state(reference, name))
        weights.convert(folder / "w.pth", folder / name)
        networks[name] = weights.load_network(folder / name)
    return networks


@partial(jax.jit, static_argnames="layers")
def features(
    network: Network, pictures: jax.Array, layers: tuple[str, ...], extent: jax.Array | None = None
) -> dict[str, jax.Array]:
    return network.features(pictures, layers, extent=extent)


def noise(*shape: int, seed: int = 0) -> jax.Array:
    return jax.random.uniform(jax.random.key(seed), shape)


def our_layer(module: str) -> str:
    """The layer that gives what a module of torchvision gives."""
    if module.startswith("features."):
        kinds = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5"
        return kinds.split()[int(module.removeprefix("features."))]
    if module.startswith("maxpool"):
        return f"pool{module[-1]}/3x3_s2"
    if module.startswith("conv"):
        return {"conv1": "conv1/relu_7x7", "conv2": "conv2/relu_3x3_reduce", "conv3": "conv2/relu_3x3"}[module]
    block, _, branch = module.partition(".")
    ours = {
        "": "output",
        "branch1": "relu_1x1",
        "branch2.0": "relu_3x3_reduce",
        "branch2.1": "relu_3x3",
        "branch3.0": "relu_5x5_reduce",
        "branch3.1": "relu_5x5",
        "branch4.0": "pool",
        "branch4.1": "relu_pool_proj",
    }
    return f"{block.replace('inception', 'inception_')}/{ours[branch]}"


def picked(values: jax.Array, reference: dict[str, np.ndarray]) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    return flat[(reference["fractions"] * flat.size).astype(np.int64)]


class TestAgainstTorchvision:
    @pytest.mark.parametrize("name", ["alexnet", "googlenet"])
    def test_features_of_every_module(
        self, name: str, converted: dict[str, Network], reference: dict[str, np.ndarray]
    ) -> None:
        modules, entries, norms = (reference[f"{name}.{kind}"] for kind in ("layers", "entries", "norms"))
        layers = tuple(our_layer(str(module)) for module in modules)
        assert len(set(layers)) == len(layers) == {"alexnet": 13, "googlenet": 2 + 3 + 2 + 9 * 8}[name]
        found = features(converted[name], jnp.float32(reference["picture"] / 255), layers)
        for layer, some, norm in zip(layers, entries, norms, strict=True):
            error = np.linalg.norm(picked(found[layer], reference) - some) / np.linalg.norm(some)
            assert error < 1e-4, layer
            assert np.linalg.norm(found[layer]) == pytest.approx(norm, rel=1e-4), layer

    @pytest.mark.parametrize(("name", "layer"), [("alexnet", "relu4"), ("googlenet", "inception_4a/output")])
    def test_gradients(
        self, name: str, layer: str, converted: dict[str, Network], reference: dict[str, np.ndarray]
    ) -> None:
        @jax.jit
        def gradient(network: Network, picture: jax.Array) -> jax.Array:
            return jax.grad(lambda x: jnp.sum(network.features(x, (layer,))[layer] ** 2) / 2)(picture)

        expected = reference[f"{name}.gradient"]
        found = picked(gradient(converted[name], jnp.float32(reference["picture"] / 255)), reference)
        module = {"relu4": "features.9"}.get(layer, "inception4a")
        assert our_layer(module) == layer
        difference, scale = np.abs(found - expected), np.sqrt(np.mean(expected**2))
        # Within rounding of a tie a rectifier or a maximum sends its gradient another way.
        assert np.quantile(difference, 0.9) < 1e-4 * scale and difference.max() < 2e-2 * scale


PADDED = {
    "alexnet": ("conv1", "relu1", "pool1", "conv2", "pool2", "relu3", "pool5"),
    "googlenet": ("conv1/7x7_s2", "pool1/3x3_s2", "conv2/relu_3x3", "inception_3a/pool", "inception_3b/output"),
    "googlenet-caffe": ("pool1/norm1", "conv2/norm2", "inception_3a/5x5", "inception_3a/relu_pool_proj"),
}


@pytest.mark.parametrize(
    ("name", "pooling"), [("alexnet", "max"), ("alexnet", "avg"), ("googlenet", "max"), ("googlenet-caffe", "avg")]
)
def test_a_padded_picture_is_seen_as_if_alone(name: str, pooling: str, photo: np.ndarray) -> None:
    """Whatever fills the padding, for a side that leaves something over at the first pool, and one that does not."""
    network = random_network(name, seed=1, pooling=pooling)
    parameters = {
        layer: {"kernel": found["kernel"], "bias": np.full(found["bias"].shape, 0.1, np.float32)}
        for layer, found in network.parameters.items()
    }
    network, layers = network.replace(parameters=parameters), PADDED[name]
    height, width = 71, 88
    picture, extent = photo[:height, :width], np.array([height, width])
    padded = np.pad(picture, ((0, 25), (0, 24), (0, 0)), constant_values=0.7)
    alone, seen = features(network, picture, layers), features(network, padded, layers, extent)
    for layer in layers:
        inside = tuple(network.extent_at(layer, extent))
        assert alone[layer].shape[:2] == inside and alone[layer].std() > 0
        expected = np.zeros(seen[layer].shape)
        expected[: inside[0], : inside[1]] = alone[layer]
        np.testing.assert_allclose(seen[layer], expected, atol=1e-5 * np.abs(expected).max(), err_msg=layer)
        assert not seen[layer][inside[0] :].any() and not seen[layer][:, inside[1] :].any()


# How many parameters the whole networks have, as torchvision's and Caffe's definitions count them, and how many of them
# their fully connected ends. torchvision's GoogLeNet counts two numbers of batch normalization for each of our biases.
WHOLE = {"alexnet": 61_100_840, "googlenet": 6_624_904, "googlenet-caffe": 6_998_552}
END = {
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
        assert count + END[name] == WHOLE[name]

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_channels_and_extents_are_those_of_the_activations(self, name: str) -> None:
        architecture, network = ARCHITECTURES[name], random_network(name)
        picture = jax.ShapeDtypeStruct((97, 150, 3), jnp.float32)
        shapes = jax.eval_shape(lambda n, x: n.features(x, n.layers), network, picture)
        assert set(shapes) == set(architecture.layers) and network.layers == architecture.layers
        for layer, value in shapes.items():
            assert value.shape == (*architecture.extent_at(layer, np.array([97, 150])), architecture.channels[layer])

    @pytest.mark.parametrize("name", NAMES)
    def test_the_module_declares_the_same_parameters(self, name: str) -> None:
        architecture = ARCHITECTURES[name]
        picture = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
        init = partial(architecture.module().init, layers=architecture.layers[-1:])
        found = jax.eval_shape(init, jax.random.key(0), picture)["params"]
        shapes = {f"{layer}.{kind}": value.shape for layer, kinds in found.items() for kind, value in kinds.items()}
        assert shapes == architecture.parameters and list(architecture.parameters) == [
            f"{layer}.{kind}" for layer in architecture.layers if layer in found for kind in ("kernel", "bias")
        ]

    def test_layers_in_order_of_computation(self) -> None:
        layers = ARCHITECTURES["googlenet-caffe"].layers
        assert layers[:5] == ("conv1/7x7_s2", "conv1/relu_7x7", "pool1/3x3_s2", "pool1/norm1", "conv2/3x3_reduce")
        assert layers[-2:] == ("inception_5b/relu_pool_proj", "inception_5b/output")
        assert set(layers) - set(ARCHITECTURES["googlenet"].layers) == {"pool1/norm1", "conv2/norm2"}

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_names_can_be_typed_and_saved(self, name: str) -> None:
        assert all(re.fullmatch(r"[a-z0-9_/]+", layer) for layer in ARCHITECTURES[name].layers)

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_layers_to_compare_by_default_are_there(self, name: str) -> None:
        architecture = ARCHITECTURES[name]
        assert {*architecture.content_layers, *architecture.style_layers} <= set(architecture.layers)

    @pytest.mark.parametrize("name", ARCHITECTURES)
    @pytest.mark.parametrize("partition", PARTITIONS)
    def test_every_partition_names_layers_that_are_there(self, name: str, partition: str) -> None:
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


class TestPromises:
    def test_only_what_is_asked_for_is_computed(self) -> None:
        network = random_network("googlenet")
        names = ("conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3", "inception_3a/5x5_reduce", "inception_3a/5x5")
        branch = network.replace(parameters={name: network.parameters[name] for name in names})
        requested = ("inception_3a/relu_5x5", "conv1/7x7_s2", "inception_3a/relu_5x5")
        assert tuple(branch.features(noise(32, 32, 3), requested)) == requested[:2]
        with pytest.raises(Exception, match="inception_3a/1x1"):
            features(branch, noise(32, 32, 3), ("inception_3a/1x1",))

    @pytest.mark.parametrize("name", ["alexnet", "googlenet-caffe"])
    def test_stacks_and_vmap_agree_with_single_pictures(self, name: str) -> None:
        network, stack, layers = random_network(name), noise(3, 40, 47, 3), ARCHITECTURES[name].style_layers[1:3]
        mapped = jax.jit(jax.vmap(lambda net, x: net.features(x, layers), in_axes=(None, 0)))
        single = [features(network, picture, layers) for picture in stack]
        for found in (features(network, stack, layers), mapped(network, stack)):
            for layer in layers:
                expected = np.stack([values[layer] for values in single])
                np.testing.assert_allclose(found[layer], expected, atol=1e-5 * np.abs(expected).max())

    def test_what_is_asked_for_before_its_rectifier_changes_nothing_after_it(self) -> None:
        network, picture = random_network("alexnet"), noise(33, 40, 3)
        both, one = features(network, picture, ("conv1", "relu1", "pool1")), features(network, picture, ("pool1",))
        assert (both["conv1"] < 0).any()
        np.testing.assert_array_equal(both["relu1"], np.maximum(both["conv1"], 0))
        np.testing.assert_allclose(both["pool1"], one["pool1"], atol=1e-6)

    def test_only_3x3_kernels_are_prepared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conv, "MIN_CHANNELS", 16)
        network, picture = random_network("alexnet"), noise(40, 47, 3)
        network = network.replace(parameters={name: network.parameters[name] for name in ("conv1", "conv2", "conv3")})
        prepared = network.prepare()
        assert set(prepared.prepared) == {"conv3"} == set(network.prepare(["conv3", "conv1"]).prepared)
        assert not network.prepare(["conv2"]).prepared
        expected, found = (jax.jit(lambda n, x: n.features(x, ("conv3",)))(n, picture) for n in (network, prepared))
        scale = np.abs(expected["conv3"]).max()
        np.testing.assert_allclose(found["conv3"], expected["conv3"], atol=1e-5 * scale)

    @pytest.mark.parametrize(
        ("name", "layer", "least"),
        [("alexnet", "pool2", 31), ("googlenet", "pool3/3x3_s2", 15), ("googlenet-caffe", "inception_5a/output", 31)],
    )
    def test_the_smallest_picture(self, name: str, layer: str, least: int) -> None:
        network = random_network(name)
        shapes = jax.eval_shape(lambda x: network.features(x, (layer,)), noise(least, least + 9, 3))
        assert shapes[layer].shape[0] == 1
        with pytest.raises(PictureError) as caught:
            network.features(noise(least + 9, least - 1, 3), (layer,))
        assert str(caught.value) == (
            f"a picture of {least - 1} x {least + 9} pixels is too small for the layer {layer}; "
            f"expected at least {least} on the shorter side"
        )

    def test_a_style_is_saved_and_read(self, painting: np.ndarray, tmp_path: Path) -> None:
        network, layers = random_network("googlenet"), ("conv1/relu_7x7", "conv2/3x3_reduce")
        measured = measure_statistics(network, painting, layers)
        style = Style((measured,), (80,), network.architecture, network.pooling, network.digest)
        save_style(tmp_path / "style.safetensors", style)
        found = load_style(tmp_path / "style.safetensors")
        assert found.layers == layers and found.digest == network.digest
        assert jax.tree.all(jax.tree.map(np.array_equal, found.statistics, style.statistics))
        check_compatible(found, network, layers)
        with pytest.raises(ConfigError):
            check_compatible(found, random_network("googlenet", seed=1), layers)
