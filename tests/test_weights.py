"""Weights files: the embedded ones against published values, and everything that can be wrong with a file."""

import hashlib
import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from foreign import TINY, random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle import weights
from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.networks import ARCHITECTURES, parameter_shapes
from jaxstyle.weights import CAFFE, EMBEDDED, TORCHVISION, Weights, format, read_weights, store, write_weights

README = Path(__file__).parents[1] / "weights" / "README.md"

# The first filter's first weight (height 0, width 0, input 0) and the first bias of every layer of the original VGG-16, as
# a Julia program printed them that had read MatConvNet's conversion, where conv1_1 has its channels as RGB.
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
# Weights of the first filter and input of VGG-19 at (height, width) (0, 0), (1, 0), (2, 0), (0, 1), and biases from the first
# on, as another Julia program printed them that had read Metalhead's conversion.
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


# The first weights of conv1_1 (output, input, height, width; inputs blue, green, red) and its first biases, as a C++ program's
# checks of Keras's files have them.
CONV1_1 = {
    "vgg16": (
        (0.42947057, 0.373467, -0.061360113, 0.27476987, 0.038680777, -0.36722335, -0.05746817, -0.26224968, -0.35009676),
        (0.73429835, 0.093403675, 0.06775674, 0.8862966, 0.25994542, 0.66426694, -0.015828926, 0.3249065, 0.68600726),
    ),
    "vgg19": (
        (0.341195, 0.339992, -0.0448442, 0.232159, 0.0897821, -0.303314, -0.0726092, -0.246675, -0.336833),
        (0.7301776, 0.06493629, 0.03428847, 0.8260386, 0.2578029, 0.54867655, -0.012438543, 0.34789944, 0.5510871),
    ),
}
# Single values of VGG-16, as another program's checks of Keras's file have them.
VGG16_SINGLE = {
    ("conv1_1", "bias", 25): 0.7446502,
    ("conv1_2", "kernel", 2, 2, 63, 63): 0.016082443,
    ("conv2_1", "bias", 1): 0.06440781,
    ("conv5_1", "kernel", 1, 0, 63, 269): -0.011236359,
    ("conv5_2", "bias", 510): 0.23517226,
    ("conv5_3", "kernel", 0, 2, 0, 400): -0.008714244,
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))


embedded = cache(weights.load_network)


def tiny_weights(**changes: object) -> Weights:
    return replace(Weights("tiny", CAFFE, "made up", "none", random_parameters(TINY)), **changes)


@pytest.mark.parametrize("layer", VGG16)
def test_vgg16_has_the_published_values_at_every_layer(layer: str) -> None:
    network = embedded("vgg16")
    kernel, bias = network.parameters[layer]["kernel"], network.parameters[layer]["bias"]
    channel = 2 if layer == "conv1_1" else 0  # red comes last in BGR
    assert float(kernel[0, 0, channel, 0]) == pytest.approx(VGG16[layer][0], rel=2**-11)  # rounded to float16
    assert float(bias[0]) == pytest.approx(VGG16[layer][1], rel=1e-7)


def test_the_first_kernel_of_vgg16_is_the_published_one() -> None:
    kernel = embedded("vgg16").parameters["conv1_1"]["kernel"]
    np.testing.assert_allclose(kernel[0, 0, 0, :3], (0.42947057, 0.11727387, 0.03401296), rtol=2**-11)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_first_convolution_has_the_published_values(name: str) -> None:
    kernel, bias = CONV1_1[name]
    found = embedded(name).parameters["conv1_1"]
    # VGG-16 is rounded to float16; the table of VGG-19 has steps of 0.0034 here.
    tolerance = {"rtol": 2**-11} if name == "vgg16" else {"rtol": 0, "atol": 0.002}
    np.testing.assert_allclose(found["kernel"][:, :, 0, 0].ravel(), kernel, **tolerance)
    np.testing.assert_allclose(found["bias"][:9], bias, rtol=1e-7)


@pytest.mark.parametrize("place", VGG16_SINGLE, ids=lambda place: place[0])
def test_vgg16_has_the_published_values_in_other_places(place: tuple) -> None:
    layer, parameter, *index = place
    found = embedded("vgg16").parameters[layer][parameter][tuple(index)]
    assert float(found) == pytest.approx(VGG16_SINGLE[place], rel=2**-11)


@pytest.mark.parametrize("layer", VGG19_KERNELS)
def test_vgg19_is_within_its_quantisation_of_the_published_values(layer: str) -> None:
    tensors = weights.load_weights("vgg19").tensors
    table = np.sort(tensors[f"{layer}.kernel.table"])
    kernel = table_lookup(tensors[f"{layer}.kernel.table"], tensors[f"{layer}.kernel.index"][:, :, 0, 0])
    for value, found in zip(VGG19_KERNELS[layer], kernel.flat[[0, 3, 6, 1]], strict=True):
        # The table's nearest entry, of which only the next one could be as near once both are rounded.
        assert abs(found - value) <= np.abs(table - value).min() + 1e-6 * abs(value)


@pytest.mark.parametrize("layer", VGG19_BIASES)
def test_biases_of_vgg19_are_exact(layer: str) -> None:
    bias = embedded("vgg19").parameters[layer]["bias"]
    np.testing.assert_allclose(bias[: len(VGG19_BIASES[layer])], VGG19_BIASES[layer], rtol=2e-5)


def table_lookup(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    found = np.empty(index.shape, np.float32)
    for place in itertools.product(*map(range, index.shape)):
        found[place] = table[int(index[place])]
    return found


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_network_is_complete_finite_and_float32(name: str) -> None:
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


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_network_takes_blue_green_red_less_their_means(name: str) -> None:
    red, green, blue = 0.8, 0.3, 0.1
    picture = np.broadcast_to(np.array((red, green, blue), np.float32), (9, 9, 3))
    network = embedded(name)
    found = network.features(picture, ["conv1_1"])["conv1_1"][4, 4]
    inputs = (255 * blue - 103.939, 255 * green - 116.779, 255 * red - 123.68)
    parameters = weights.load_weights(name).parameters()
    expected = parameters["conv1_1.kernel"].sum((0, 1)).T @ inputs + parameters["conv1_1.bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


def test_the_readme_gives_the_digests() -> None:
    text = README.read_text()
    assert all(digest in text for digest in EMBEDDED.values())


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_files_in_the_repository_have_their_digests(name: str) -> None:
    content = (README.parent / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == EMBEDDED[name]


def test_an_embedded_file_with_one_other_bit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(store.path_of("vgg19").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "vgg19.safetensors").write_bytes(content)
    monkeypatch.setattr(store, "path_of", lambda name: tmp_path / f"{name}.safetensors")
    with pytest.raises(WeightsError, match=f"SHA-256.*{EMBEDDED['vgg19']}"):
        weights.load_network("vgg19")


def test_pooling_reaches_the_network_and_is_checked() -> None:
    assert weights.load_network("vgg16", pooling="avg").pooling == "avg"
    with pytest.raises(ConfigError, match="'median'.*max, avg"):
        weights.load_network("vgg16", pooling="median")


def test_a_file_by_its_path_is_read_back_as_written(tmp_path: Path) -> None:
    written = tiny_weights(convention=TORCHVISION)
    write_weights(tmp_path / "new" / "w.safetensors", written)
    found = read_weights(str(tmp_path / "new" / "w.safetensors"))
    assert replace(found, tensors={}, digest="") == replace(written, tensors={})
    assert found.digest == hashlib.sha256((tmp_path / "new" / "w.safetensors").read_bytes()).hexdigest()
    for name, tensor in written.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor)
    network = weights.load_network(tmp_path / "new" / "w.safetensors")
    assert not network.reverse_channels
    np.testing.assert_allclose(network.mean, (0.485, 0.456, 0.406), rtol=1e-6)
    np.testing.assert_allclose(1 / network.scale, (0.229, 0.224, 0.225), rtol=1e-6)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_weights(tmp_path / name, tiny_weights())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tables_are_looked_up(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    index = generator.integers(0, 256, TINY["conv1_2.kernel"], np.uint8)
    table = generator.normal(size=256).astype(np.float32)
    tensors = {name: tensor for name, tensor in random_parameters(TINY).items() if name != "conv1_2.kernel"}
    tensors |= {"conv1_2.kernel.index": index, "conv1_2.kernel.table": table}
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    parameters = read_weights(tmp_path / "w").parameters()
    assert parameters.keys() == TINY.keys()
    np.testing.assert_array_equal(parameters["conv1_2.kernel"], table_lookup(table, index))


def test_half_precision_is_widened(tmp_path: Path) -> None:
    tensors = {name: tensor.astype(np.float16) for name, tensor in random_parameters(TINY).items()}
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    for name, array in read_weights(tmp_path / "w").parameters().items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors[name].astype(np.float32))


def test_every_misfit_is_named() -> None:
    tensors = random_parameters(TINY)
    del tensors["conv1_1.bias"], tensors["conv1_2.kernel"]
    tensors["conv1_1.kernel"] = np.zeros((3, 3, 3, 9), np.float32)
    tensors["conv1_2.bias"] = np.zeros(5, np.int32)
    tensors |= {"conv9_9.kernel": np.zeros(3, np.float32), "fc6.bias": np.zeros(3, np.float32)}
    with pytest.raises(WeightsError) as caught:
        format.check_fits("tiny", tensors, Path("some.safetensors"))
    assert str(caught.value) == (
        "some.safetensors does not fit tiny: missing: conv1_1.bias, conv1_2.kernel; unexpected: conv9_9.kernel, fc6.bias; "
        "wrongly shaped: conv1_1.kernel [3, 3, 3, 9] instead of [3, 3, 3, 4]; of the wrong type: conv1_2.bias int32"
    )


def test_a_table_without_its_index_is_unexpected_and_one_of_another_size_wrong() -> None:
    tensors = random_parameters(TINY) | {"conv1_1.kernel.table": np.zeros(256, np.float32)}
    with pytest.raises(WeightsError, match=r"unexpected: conv1_1\.kernel\.table$"):
        format.check_fits("tiny", tensors, Path("w"))
    index = np.full(TINY["conv1_1.kernel"], 255, np.uint8)
    tensors |= {"conv1_1.kernel.index": index, "conv1_1.kernel.table": np.zeros(255, np.float32)}
    with pytest.raises(WeightsError, match=r"unexpected: conv1_1\.kernel; wrongly shaped: conv1_1\.kernel\.table \[255\]"):
        format.check_fits("tiny", tensors, Path("w"))


def test_writing_what_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing: conv1_1.bias, conv1_1.kernel, conv1_2.bias, conv1_2.kernel$"):
        write_weights(tmp_path / "w", tiny_weights(tensors={}))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w").write_bytes(b"old")

    def full(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WeightsError, match="w: No space left on device$"):
        write_weights(tmp_path / "w", tiny_weights())
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    assert (tmp_path / "w").read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot write weights .*: "):
        write_weights(tmp_path / "file" / "w", tiny_weights())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="'vgg91'; expected one of vgg16, vgg19, vgg16-full, vgg19-full, or a file"):
        weights.load_network("vgg91")


def test_full_precision_that_is_not_fetched_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    with pytest.raises(WeightsError, match="vgg19-full is not fetched yet; run: jaxstyle weights fetch vgg19"):
        weights.load_network("vgg19-full")


def save(path: Path, metadata: dict[str, str] | None) -> None:
    safetensors.numpy.save_file(random_parameters(TINY), path, metadata)


RECORD = {"format": "jaxstyle-weights-1", "architecture": "tiny", "channels": "RGB", "scale": [1, 1, 1], "mean": [0, 0, 0]}
RECORD |= {"source": "", "licence": ""}


def test_the_record_of_the_next_tests_is_good(tmp_path: Path) -> None:
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD)})
    assert read_weights(tmp_path / "w").architecture == "tiny"


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"jaxstyle": "{"},
        {"jaxstyle": "[]"},
        {"jaxstyle": json.dumps({name: value for name, value in RECORD.items() if name != "architecture"})},
        {"jaxstyle": json.dumps(RECORD | {"mean": 0})},
        {"jaxstyle": json.dumps(RECORD | {"mean": [0, 0]})},
        {"jaxstyle": json.dumps(RECORD | {"scale": [1, 1, "x"]})},
        {"jaxstyle": json.dumps(RECORD | {"channels": "GBR"})},
        {"jaxstyle": json.dumps(RECORD | {"more": 1})},
    ],
)
def test_a_file_without_our_record_says_to_convert_it(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save(tmp_path / "w", metadata)
    with pytest.raises(WeightsError, match="not a jaxstyle weights file, or is damaged; .* jaxstyle weights convert"):
        read_weights(tmp_path / "w")


def test_files_of_the_future_and_for_other_networks_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD | {"format": "jaxstyle-weights-2"})})
    with pytest.raises(WeightsError, match="another format than jaxstyle-weights-1"):
        read_weights(tmp_path / "w")
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD | {"architecture": "resnet"})})
    with pytest.raises(WeightsError, match="for the network 'resnet'; known are vgg16, vgg19"):
        read_weights(tmp_path / "w")


def test_numbers_that_are_not_finite_are_found_by_verify(tmp_path: Path) -> None:
    tensors = random_parameters(TINY)
    tensors["conv1_2.bias"][3] = np.nan
    tensors["conv1_1.kernel"][0, 0, 0, 0] = np.inf
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    with pytest.raises(WeightsError, match="not finite in conv1_1.kernel, conv1_2.bias"):
        weights.verify(tmp_path / "w")


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\xff" * 100, b"<html>nothing here</html>", b"[1, 2]" * 20])
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(WeightsError, match="not a jaxstyle weights file"):
        read_weights(tmp_path / "w")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read weights .*: "):
        read_weights(tmp_path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "w"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))
        write_weights(path, tiny_weights())
        content = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, 700), max_size=4)):
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        try:
            read_weights(path)
        except WeightsError as error:
            assert "\n" not in str(error)
