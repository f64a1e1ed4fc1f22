"""The embedded networks: published values of the originals, completeness, input convention and digests."""

import hashlib
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxstyle import weights
from jaxstyle.networks import parameter_shapes
from jaxstyle.weights.store import EMBEDDED

README = Path(__file__).parents[2] / "weights" / "README.md"

# The first weight of the first filter (height 0, width 0, input 0) and the first bias of every layer of the original
# VGG-16, printed by a Julia program that reads MatConvNet's conversion, where the channels of conv1_1 are RGB.
VGG16 = {
    "conv1_1": (0.4800154, 0.73429835),
    "conv1_2": (0.16621928, -0.30912212),
    "conv2_1": (-0.008902963, -0.04577766),
    "conv2_2": (-0.0023012366, -0.06418542),
    "conv3_1": (0.002486315, -0.074358866),
    "conv3_2": (-0.0103266295, 0.019675018),
    "conv3_3": (0.0024918285, 0.035415243),
    "conv4_1": (-0.012453815, 0.013485669),
    "conv4_2": (0.007116542, 0.023680462),
    "conv4_3": (-0.0041355654, 0.03757768),
    "conv5_1": (-0.0006068934, 0.09722325),
    "conv5_2": (-0.0011261065, 0.21327873),
    "conv5_3": (0.00040788297, 0.18837857),
}
# Weights of the first filter and input of VGG-19 at (height, width) (0, 0), (1, 0), (2, 0), (0, 1), and the first
# biases, printed by another Julia program that reads Metalhead's conversion.
VGG19_KERNELS = {
    "conv1_1": (0.341195, 0.232159, -0.0726092, 0.339992),
    "conv1_2": (0.148688, 0.170782, -0.0197718, 0.181252),
    "conv2_2": (-0.000591473, -0.00272857, -0.00527541, 0.00139092),
    "conv3_3": (-0.000198241, -0.000861549, -0.00059339, 0.00153241),
    "conv3_4": (-0.0145519, -0.0260602, -0.0111239, -0.00908116),
    "conv4_1": (0.0258524, 0.0609968, 0.0256101, -0.00310215),
    "conv4_2": (-0.00605492, -0.00096373, 0.000626743, 0.00679103),
    "conv4_3": (0.0224884, 0.00958263, -0.00786132, 0.0394638),
    "conv4_4": (0.0126708, 0.0157267, 0.0163364, 0.00733232),
}
VGG19_BIASES = {
    "conv1_2": (-0.292965, 0.339774, 0.159743, 0.0413218, 0.776448),
    "conv2_1": (-0.0426487, 0.0790341, -0.0259495, 0.099568, 0.113474),
    "conv2_2": (-0.0764114, -0.110066, -0.144156, 0.0385552, 0.258943),
    "conv3_3": (0.0205515, -0.0192079, 0.0514344, 0.0547953, 0.094897),
    "conv4_2": (0.00436518, -0.0094778, -0.00375432, 0.0194299),
    "conv4_3": (0.00169088, 0.043703, 0.0566955, 0.0205713, 0.0076408),
}


# The first weights of conv1_1 (of the first filter for blue, row by row) and its first biases, from the tests of a C++
# program that reads Keras's files.
CONV1_1 = {
    "vgg16": (
        (
            0.42947057,
            0.373467,
            -0.061360113,
            0.27476987,
            0.038680777,
            -0.36722335,
            -0.05746817,
            -0.26224968,
            -0.35009676,
        ),
        (0.73429835, 0.093403675, 0.06775674, 0.8862966, 0.25994542, 0.66426694, -0.015828926, 0.3249065, 0.68600726),
    ),
    "vgg19": (
        (0.341195, 0.339992, -0.0448442, 0.232159, 0.0897821, -0.303314, -0.0726092, -0.246675, -0.336833),
        (0.7301776, 0.06493629, 0.03428847, 0.8260386, 0.2578029, 0.54867655, -0.012438543, 0.34789944, 0.5510871),
    ),
}
# Single values of VGG-16, from the tests of another program that reads Keras's file.
VGG16_SINGLE = {
    ("conv1_1", "bias", 25): 0.7446502,
    ("conv1_2", "kernel", 2, 2, 63, 63): 0.016082443,
    ("conv2_1", "bias", 1): 0.06440781,
    ("conv5_1", "kernel", 1, 0, 63, 269): -0.011236359,
    ("conv5_2", "bias", 510): 0.23517226,
    ("conv5_3", "kernel", 0, 2, 0, 400): -0.008714244,
}


embedded = cache(weights.load_network)


@pytest.mark.parametrize("layer", VGG16)
def test_published_values_of_every_layer_of_vgg16(layer: str) -> None:
    network = embedded("vgg16")
    kernel, bias = network.parameters[layer]["kernel"], network.parameters[layer]["bias"]
    channel = 2 if layer == "conv1_1" else 0  # red comes last in BGR
    assert float(kernel[0, 0, channel, 0]) == pytest.approx(VGG16[layer][0], rel=2**-11)  # rounded to float16
    assert float(bias[0]) == pytest.approx(VGG16[layer][1], rel=1e-7)


def test_published_values_of_the_first_kernel_of_vgg16() -> None:
    kernel = embedded("vgg16").parameters["conv1_1"]["kernel"]
    np.testing.assert_allclose(kernel[0, 0, 0, :3], (0.42947057, 0.11727387, 0.03401296), rtol=2**-11)


@pytest.mark.parametrize("name", CONV1_1)
def test_published_values_of_the_first_convolution(name: str) -> None:
    kernel, bias = CONV1_1[name]
    parameters = embedded(name).parameters["conv1_1"]
    # VGG-16 is rounded to float16; the table of VGG-19 has steps of 0.0034 here.
    tolerance = {"rtol": 2**-11} if name == "vgg16" else {"rtol": 0, "atol": 0.002}
    np.testing.assert_allclose(parameters["kernel"][:, :, 0, 0].ravel(), kernel, **tolerance)
    np.testing.assert_allclose(parameters["bias"][:9], bias, rtol=1e-7)


@pytest.mark.parametrize("position", VGG16_SINGLE, ids=lambda position: position[0])
def test_other_published_values_of_vgg16(position: tuple) -> None:
    layer, parameter, *index = position
    value = embedded("vgg16").parameters[layer][parameter][tuple(index)]
    assert float(value) == pytest.approx(VGG16_SINGLE[position], rel=2**-11)


@pytest.mark.parametrize("layer", VGG19_KERNELS)
def test_published_values_of_vgg19_are_within_its_quantization(layer: str) -> None:
    tensors = weights.load_weights("vgg19").tensors
    table = np.sort(tensors[f"{layer}.kernel.table"])
    kernel = tensors[f"{layer}.kernel.table"][tensors[f"{layer}.kernel.index"][:, :, 0, 0]]
    for value, quantized in zip(VGG19_KERNELS[layer], kernel.flat[[0, 3, 6, 1]], strict=True):
        # It is the nearest entry of the table, up to rounding.
        assert abs(quantized - value) <= np.abs(table - value).min() + 1e-6 * abs(value)


@pytest.mark.parametrize("layer", VGG19_BIASES)
def test_biases_of_vgg19_are_not_quantized(layer: str) -> None:
    bias = embedded("vgg19").parameters[layer]["bias"]
    np.testing.assert_allclose(bias[: len(VGG19_BIASES[layer])], VGG19_BIASES[layer], rtol=2e-5)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_networks_are_complete_finite_and_float32(name: str) -> None:
    network = embedded(name)
    shapes = {
        f"{layer}.{parameter}": array.shape
        for layer, parameters in network.parameters.items()
        for parameter, array in parameters.items()
    }
    assert shapes == parameter_shapes(name)
    assert {array.dtype for array in jax.tree.leaves(network.parameters)} == {np.dtype(np.float32)}
    assert (network.architecture, network.pooling, network.digest) == (name, "max", EMBEDDED[name])
    weights.verify(name)


@pytest.mark.parametrize("name", CONV1_1)
def test_a_vgg_takes_blue_green_red_minus_their_means(name: str) -> None:
    red, green, blue = 0.8, 0.3, 0.1
    picture = np.broadcast_to(np.array((red, green, blue), np.float32), (9, 9, 3))
    network = embedded(name)
    features = network.features(picture, ["conv1_1"])["conv1_1"][4, 4]
    inputs = (255 * blue - 103.939, 255 * green - 116.779, 255 * red - 123.68)
    parameters = weights.load_weights(name).parameters()
    expected = parameters["conv1_1.kernel"].sum((0, 1)).T @ inputs + parameters["conv1_1.bias"]
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-2)


def test_readme_has_the_digests() -> None:
    text = README.read_text()
    assert all(digest in text for digest in EMBEDDED.values())


@pytest.mark.parametrize("name", EMBEDDED)
def test_files_have_their_digests(name: str) -> None:
    content = (README.parent / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == EMBEDDED[name]
