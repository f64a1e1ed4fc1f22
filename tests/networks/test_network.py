"""Recognition networks against values from PyTorch (scripts/weights/reference_values.py) and naive NumPy."""

import math
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import ConfigError
from jaxstyle.networks import ARCHITECTURES, Network, parameter_shapes
from jaxstyle.networks.architectures import vgg
from jaxstyle.weights import load_network

NAMES = ("vgg16", "vgg19")
POOLINGS = ("max", "avg")
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

# Table 1 of Simonyan and Zisserman (2014), configurations D and E: the widths of the 3x3 convolutions, block by block.
PAPER = {
    "vgg16": ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg19": ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4),
}
# Table 2, in millions, with the three fully connected layers, which have the same size in both.
PAPER_MILLIONS = {"vgg16": 138, "vgg19": 144}
FULLY_CONNECTED = (7 * 7 * 512 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[1] / "data" / "features.npz") as data:
        return dict(data)


@cache
def pretrained(name: str, pooling: str = "max") -> Network:
    return load_network(name, pooling=pooling)


@partial(jax.jit, static_argnames="layers")
def features(network: Network, pictures: jax.Array, layers: tuple[str, ...]) -> dict[str, jax.Array]:
    return network.features(pictures, layers)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def picked(values: jax.Array, reference: dict[str, np.ndarray]) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    return flat[(reference["fractions"] * flat.size).astype(np.int64)]


def gram(features: Any) -> Any:
    columns = features.reshape(-1, features.shape[-1])
    return columns.T @ columns / len(columns)


def relative_error(value: jax.Array | np.ndarray, expected: jax.Array | np.ndarray) -> float:
    return float(np.linalg.norm(value - expected) / np.linalg.norm(expected))


def check_features(
    net: Network, activations: dict[str, jax.Array], layers: Sequence[str], reference: dict[str, np.ndarray]
) -> None:
    entries, norms = (reference[f"{net.architecture}.{net.pooling}.{kind}"] for kind in ("entries", "norms"))
    errors = {}
    for layer, values, norm in zip(net.layers, entries, norms, strict=True):
        if layer not in layers:
            continue
        errors[layer] = relative_error(picked(activations[layer], reference), values)
        assert np.linalg.norm(activations[layer]) == pytest.approx(norm, rel=1e-4), layer
    assert errors.keys() == set(layers) and max(errors.values()) < 1e-4, errors


class TestAgainstTorch:
    @pytest.mark.parametrize("pooling", POOLINGS)
    @pytest.mark.parametrize("name", NAMES)
    def test_features_of_every_layer(self, name: str, pooling: str, reference: dict[str, np.ndarray]) -> None:
        net = pretrained(name, pooling)
        check_features(net, features(net, np.float32(reference["picture"] / 255), net.layers), net.layers, reference)

    def test_average_gain_is_that_of_the_reference_values(self, reference: dict[str, np.ndarray]) -> None:
        np.testing.assert_array_equal(vgg.AVERAGE_GAIN, reference["average_gain"])


@pytest.mark.usefixtures("winograd")
class TestWinogradAgainstTorch:
    def test_features_and_gradient_of_the_losses_of_gatys(self, reference: dict[str, np.ndarray]) -> None:
        """In one program, which takes seconds to compile."""
        net = pretrained("vgg19")
        picture, content, style = (np.float32(reference[name] / 255) for name in ("picture", "content", "style"))
        layers = tuple(layer for layer in net.layers if not layer.startswith("conv"))  # those are rectified as well
        direct = net.direct()  # for the targets, because it compiles faster
        of_content, of_style = (
            jax.device_get(features(direct, image, ("relu4_2", *STYLE_LAYERS))) for image in (content, style)
        )
        target, targets = of_content["relu4_2"], [gram(of_style[layer]) for layer in STYLE_LAYERS]
        expected = [reference[f"vgg19.max.{kind}_gradient"] for kind in ("content", "style")]
        weights = [1 / np.linalg.norm(gradient) for gradient in expected]  # so that both have the same norm

        @jax.jit
        def run(picture: jax.Array, net: Network) -> tuple[jax.Array, dict[str, jax.Array]]:
            def loss(picture: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
                activations = net.features(picture, layers)
                styles = [
                    jnp.sum((gram(activations[layer]) - target) ** 2) / (4 * len(target) ** 2)
                    for layer, target in zip(STYLE_LAYERS, targets, strict=True)
                ]
                content = jnp.sum((activations["relu4_2"] - target) ** 2) / 2
                return weights[0] * content + weights[1] * jnp.mean(jnp.stack(styles)), activations

            return jax.grad(loss, has_aux=True)(picture)

        gradient, activations = run(picture, net)
        check_features(net, activations, layers, reference)
        mixed = weights[0] * expected[0] + weights[1] * expected[1]
        difference = np.abs(picked(gradient, reference) - mixed)
        scale = np.sqrt(np.mean(mixed**2))
        # A few pixels differ: near ties, rounding changes which input of a rectifier or maximum gets the gradient.
        assert np.quantile(difference, 0.9) < 1e-4 * scale
        assert np.sqrt(np.mean(difference**2)) < 2e-2 * scale


class TestAgainstNumPy:
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_features_of_a_tiny_picture(self, pooling: str) -> None:
        net, picture = pretrained("vgg16", pooling), noise(11, 10, 3)
        expected = naive_features(net, np.asarray(picture, np.float64), "relu3_1")
        activations = features(net, picture, tuple(expected))
        for layer, values in expected.items():
            assert activations[layer].shape == values.shape, layer
            assert relative_error(activations[layer], values) < 1e-5, layer

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_gradient_equals_finite_differences(self, pooling: str) -> None:
        net = pretrained("vgg16", pooling)
        random = np.random.default_rng(0)
        picture, direction, weights = (
            random.random((9, 10, 3)),
            random.normal(size=(9, 10, 3)),
            random.normal(size=(4, 5, 128)),
        )
        step = 1e-6

        def naive_loss(picture: np.ndarray) -> float:
            return float(np.sum(weights * naive_features(net, picture, "relu2_2")["relu2_2"]))

        @jax.jit
        def gradient(net: Network, picture: jax.Array) -> jax.Array:
            return jax.grad(lambda x: jnp.sum(jnp.float32(weights) * net.features(x, ("relu2_2",))["relu2_2"]))(picture)

        expected = (naive_loss(picture + step * direction) - naive_loss(picture - step * direction)) / (2 * step)
        assert np.vdot(gradient(net, jnp.float32(picture)), direction) == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_equal_pixels_share_the_gradient_of_a_pool(self, pooling: str) -> None:
        """Four equal pixels get a quarter of the gradient each, and an odd last row gets 0."""
        pool = vgg.max_pool if pooling == "max" else vgg.mean_pool
        gradient = jax.jit(jax.grad(lambda x: jnp.sum(pool(x))))(np.ones((1, 5, 4, 2), np.float32))
        np.testing.assert_array_equal(gradient, np.pad(np.full((1, 4, 4, 2), 0.25), [(0, 0), (0, 1), (0, 0), (0, 0)]))


def naive_features(net: Network, picture: np.ndarray, deepest: str) -> dict[str, np.ndarray]:
    """Activations in float64 according to the paper, with the input normalization of the original in Caffe."""
    x, activations = picture[..., ::-1] * 255 - [103.939, 116.779, 123.68], {}
    for layer in net.layers[: net.layers.index(deepest) + 1]:
        if layer.startswith("conv"):
            x = naive_convolution(x, *(np.asarray(net.parameters[layer][name], float) for name in ("kernel", "bias")))
        elif layer.startswith("relu"):
            x = np.where(x > 0, x, 0)
        else:
            x = naive_pool(x, vgg.AVERAGE_GAIN[int(layer[4]) - 1] if net.pooling == "avg" else None)
        activations[layer] = x
    return activations


def naive_convolution(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    result = np.empty((height, width, len(bias)))
    for row in range(height):
        for column in range(width):
            window = padded[row : row + 3, column : column + 3]
            result[row, column] = np.tensordot(window, kernel, 3) + bias
    return result


def naive_pool(x: np.ndarray, gain: float | None) -> np.ndarray:
    height, width, channels = x.shape
    result = np.empty((height // 2, width // 2, channels))
    for row in range(height // 2):
        for column in range(width // 2):
            window = x[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            result[row, column] = window.max((0, 1)) if gain is None else gain * window.mean((0, 1))
    return result


@pytest.mark.usefixtures("winograd")
class TestTransformations:
    LAYERS = ("conv1_2", "pool1", "relu2_1")

    def test_stacks_and_vmap_agree_with_single_pictures(self) -> None:
        net, stack = pretrained("vgg19"), noise(3, 21, 26, 3)
        single = [features(net, picture, self.LAYERS) for picture in stack]
        mapped = jax.jit(jax.vmap(lambda net, x: net.features(x, self.LAYERS), in_axes=(None, 0)))
        for activations in (features(net, stack, self.LAYERS), mapped(net, stack)):
            for layer in self.LAYERS:
                expected = np.stack([values[layer] for values in single])
                assert activations[layer].shape == expected.shape
                assert relative_error(activations[layer], expected) < 1e-5

    def test_jit_gives_the_same(self) -> None:
        net, picture = pretrained("vgg19"), noise(21, 26, 3)
        expected, activations = net.features(picture, ("relu1_1",)), features(net, picture, ("relu1_1",))
        assert relative_error(activations["relu1_1"], expected["relu1_1"]) < 1e-5

    def test_prepared_kernels_give_the_same(self) -> None:
        net, picture = pretrained("vgg19"), noise(21, 26, 3)
        names = ("conv1_1", "conv1_2", "conv2_1")
        shallow = net.replace(parameters={name: net.parameters[name] for name in names})
        expected, activations = (features(n, picture, self.LAYERS) for n in (net, shallow.prepare()))
        for layer in self.LAYERS:
            assert relative_error(activations[layer], expected[layer]) < 1e-6

    def test_the_compilers_convolution_gives_the_same(self) -> None:
        net, picture = pretrained("vgg19"), noise(21, 26, 3)
        expected, activations = (features(n, picture, self.LAYERS) for n in (net, net.direct()))
        for layer in self.LAYERS:
            assert relative_error(activations[layer], expected[layer]) < 1e-4
        program = features.lower(net.direct(), picture, self.LAYERS).as_text()
        assert program.count("stablehlo.convolution") == 3 and "stablehlo.while" not in program

    def test_channel_order(self) -> None:
        bgr, picture = pretrained("vgg19"), noise(8, 9, 3)
        parameters = dict(bgr.parameters)
        parameters["conv1_1"] = parameters["conv1_1"] | {"kernel": parameters["conv1_1"]["kernel"][:, :, ::-1]}
        rgb = bgr.replace(
            parameters=parameters, mean=bgr.mean[::-1], scale=bgr.scale[::-1], reverse_channels=not bgr.reverse_channels
        )
        expected, activations = (features(net, picture, ("relu1_1",))["relu1_1"] for net in (bgr, rgb))
        assert relative_error(activations, expected) < 1e-5


class TestDepth:
    def test_deeper_layers_are_not_computed(self) -> None:
        net, picture = pretrained("vgg19"), noise(16, 16, 3)
        shallow = net.replace(parameters={name: net.parameters[name] for name in ("conv1_1", "conv1_2", "conv2_1")})
        activations = features(shallow, picture, ("relu2_1", "conv1_1"))
        assert activations.keys() == {"relu2_1", "conv1_1"}
        with pytest.raises(Exception, match="conv2_2"):
            features(shallow, picture, ("conv2_2",))

    def test_no_layers(self) -> None:
        assert pretrained("vgg19").replace(parameters={}).features(noise(16, 16, 3), ()) == {}

    def test_repeated_layer(self) -> None:
        assert tuple(pretrained("vgg19").features(noise(8, 8, 3), ("relu1_1", "relu1_1"))) == ("relu1_1",)

    @pytest.mark.parametrize(
        ("layer", "near"), [("relu5_4", "relu5_3"), ("conv3_33", "conv3_3"), ("Relu1_1", "relu1_1"), ("pool", "pool5")]
    )
    def test_error_for_unknown_layers_names_the_nearest(self, layer: str, near: str) -> None:
        with pytest.raises(ConfigError) as caught:
            pretrained("vgg16").features(noise(16, 16, 3), ("relu1_1", layer))
        message = str(caught.value)
        assert "vgg16" in message and repr(layer) in message and near in message and "\n" not in message

    def test_error_for_a_name_in_place_of_names(self) -> None:
        with pytest.raises(ConfigError, match=r"layers is 'relu1_1'; expected several names, such as \('relu1_1',\)"):
            pretrained("vgg16").features(noise(16, 16, 3), "relu1_1")


class TestShapes:
    @pytest.mark.parametrize("size", [(32, 32), (33, 63), (97, 75), (1, 64), (500, 32)])
    def test_sizes_are_halved_and_rounded_down_by_each_pool(self, size: tuple[int, int]) -> None:
        shapes = {name: value.shape for name, value in shapes_of("vgg19", (*size, 3), ("relu1_1",)).items()}
        assert shapes == {"relu1_1": (*size, 64)}
        deepest = min(size).bit_length()  # a side of 2^n pixels can be halved n times
        pools = tuple(f"pool{block}" for block in range(1, min(deepest, 6)))
        for block, (pool, value) in enumerate(shapes_of("vgg19", (*size, 3), pools).items(), 1):
            assert value.shape == (size[0] // 2**block, size[1] // 2**block, PAPER["vgg19"][block - 1][0]), pool

    @pytest.mark.parametrize(
        ("layer", "side", "pooling"), [("relu1_1", 1, "max"), ("pool2", 4, "max"), ("pool2", 4, "avg")]
    )
    def test_smallest_picture_of_a_layer(self, layer: str, side: int, pooling: str) -> None:
        activations = features(pretrained("vgg16", pooling), noise(side, side, 3), (layer,))[layer]
        assert activations.shape[:2] == (1, 1) and np.isfinite(activations).all()


def shapes_of(name: str, shape: tuple[int, ...], layers: tuple[str, ...]) -> dict[str, jax.ShapeDtypeStruct]:
    picture = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(lambda net, picture: net.features(picture, layers), pretrained(name), picture)


class TestPytree:
    def test_leaves_are_parameters_and_normalization(self) -> None:
        net = pretrained("vgg19")
        leaves = jax.tree.leaves(net)
        assert len(leaves) == 2 * 16 + 2
        assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32 for leaf in leaves)

    def test_architecture_and_pooling_are_static(self) -> None:
        net = pretrained("vgg19")
        assert jax.tree.structure(net) == jax.tree.structure(net.replace(mean=net.mean + 1))
        assert jax.tree.structure(net) != jax.tree.structure(net.replace(pooling="avg"))

    @pytest.mark.usefixtures("winograd")
    def test_weights_are_no_constants_of_compiled_functions(self) -> None:
        net, picture = pretrained("vgg19"), noise(16, 16, 3)

        def largest_constant(program: jax.stages.Lowered) -> int:
            shapes = re.findall(r"constant dense<[^>]{30,}> : tensor<([\dx]+)x\w+>", program.as_text())
            return max(math.prod(map(int, shape.split("x"))) for shape in shapes)

        def run(net: Network, picture: jax.Array) -> jax.Array:
            return net.features(picture, ("relu2_1",))["relu2_1"]

        assert largest_constant(jax.jit(run).lower(net, picture)) < 1000  # the matrices of Winograd's algorithm
        assert largest_constant(jax.jit(lambda picture: run(net, picture)).lower(picture)) == 9 * 64 * 128


class TestArchitectures:
    @pytest.mark.parametrize("name", NAMES)
    def test_parameters_are_those_of_the_paper(self, name: str) -> None:
        expected: dict[str, tuple[int, ...]] = {}
        inputs = 3
        for block, widths in enumerate(PAPER[name], 1):
            for index, width in enumerate(widths, 1):
                expected[f"conv{block}_{index}.kernel"] = (3, 3, inputs, width)
                expected[f"conv{block}_{index}.bias"] = (width,)
                inputs = width
        assert parameter_shapes(name) == expected
        count = sum(int(np.prod(shape)) for shape in expected.values()) + FULLY_CONNECTED
        assert round(count / 1e6) == PAPER_MILLIONS[name]

    @pytest.mark.parametrize("name", NAMES)
    def test_module_declares_the_same_parameters(self, name: str) -> None:
        module = ARCHITECTURES[name].module()
        picture = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
        variables = jax.eval_shape(lambda key, x: module.init(key, x, ("pool5",)), jax.random.key(0), picture)
        shapes = {
            f"{layer}.{parameter}": value.shape
            for layer, parameters in variables["params"].items()
            for parameter, value in parameters.items()
        }
        assert shapes == parameter_shapes(name)

    def test_layers_in_order_of_computation(self) -> None:
        assert ARCHITECTURES["vgg16"].layers[:6] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1")
        assert ARCHITECTURES["vgg16"].layers[-3:] == ("conv5_3", "relu5_3", "pool5")
        assert ARCHITECTURES["vgg19"].layers[-3:] == ("conv5_4", "relu5_4", "pool5")


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_padding_does_not_change_valid_positions(network: Network, photo: np.ndarray, pooling: str):
    """The padding is not 0, and 73 rows leave half a window at the first pool."""
    network = network.replace(pooling=pooling)
    layers = ("conv1_1", "relu1_2", "pool1", "relu2_1", "pool3", "relu4_1")
    padded = np.pad(photo, ((0, 23), (0, 16), (0, 0)), constant_values=0.7)
    extent = np.array(photo.shape[:2])
    expected = features(network, photo, layers)
    activations = jax.jit(lambda network: network.features(padded, layers, extent=extent))(network)
    for layer in layers:
        height, width = network.extent_at(layer, extent)
        assert expected[layer].shape[:2] == (height, width)
        valid, scale = activations[layer][:height, :width], np.abs(expected[layer]).max()
        np.testing.assert_allclose(valid, expected[layer], atol=1e-5 * scale)
        assert np.abs(activations[layer]).sum() == pytest.approx(np.abs(valid).sum(), rel=1e-6)
