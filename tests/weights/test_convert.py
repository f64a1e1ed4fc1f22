"""Conversion of other frameworks' weights files: round trips from every format, recognition, and errors."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import foreign
from support.foreign import TINY, random_parameters

from jaxstyle import weights
from jaxstyle.errors import WeightsError
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.weights.files import CAFFE, CAFFE_RGB, TORCHVISION
from jaxstyle.weights.foreign import read_foreign

Tensors = Mapping[str, np.ndarray]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))


@pytest.fixture(scope="module")
def vgg16() -> Tensors:
    return weights.load_weights("vgg16").parameters()


def write_keras(path: Path, parameters: Tensors, *, kernel: str, bias: str) -> None:
    foreign.write_hdf5(path, foreign.keras_names(parameters, kernel, bias))


def write_keras3(path: Path, parameters: Tensors) -> None:
    tensors = {"optimizer/vars/1": np.ones((3, 3, 3, 4), np.float32), "optimizer/vars/2": np.ones(4, np.float32)}
    for index, layer in enumerate(foreign.layers_of(parameters)):
        group = f"layers/conv2d_{index}" if index else "layers/conv2d"
        tensors |= {f"{group}/vars/0": parameters[f"{layer}.kernel"], f"{group}/vars/1": parameters[f"{layer}.bias"]}
    foreign.write_hdf5(path, tensors)


def write_npz(path: Path, parameters: Tensors, *, kernel: str, bias: str) -> None:
    renamed = {
        (kernel if name.endswith(".kernel") else bias).format(name.rsplit(".", 1)[0]): array
        for name, array in parameters.items()
    }
    np.savez(path, fc6_W=np.ones((2, 2), np.float32), **renamed)


def write_torch(path: Path, parameters: Tensors) -> None:
    foreign.write_torch_state(path, foreign.torch_names(parameters))


def write_timm(path: Path, parameters: Tensors) -> None:
    fully_connected = {"pre_logits.fc1.weight": np.ones((6, 5, 7, 7), np.float32), "pre_logits.fc1.bias": np.ones(6)}
    foreign.write_safetensors(path, foreign.torch_names(parameters) | fully_connected)


# The Keras files are: a current one, one of 2016, a model nested in another, and one of Keras 3 with its optimizer.
WRITERS: dict[str, Callable[[Path, Tensors], None]] = {
    "torch.pth": write_torch,
    "keras.h5": partial(write_keras, kernel="{0}/{0}/kernel:0", bias="{0}/{0}/bias:0"),
    "keras1.h5": partial(write_keras, kernel="{0}/{0}_W_1:0", bias="{0}/{0}_b_1:0"),
    "nested.h5": partial(write_keras, kernel="model_weights/vgg/{0}/kernel:0", bias="model_weights/vgg/{0}/bias:0"),
    "keras3.weights.h5": write_keras3,
    "underlined.npz": partial(write_npz, kernel="{0}_W", bias="{0}_b"),
    "dotted.npz": partial(write_npz, kernel="{0}.kernel", bias="{0}.bias"),
    "graph.onnx": foreign.write_onnx,
    "timm.safetensors": write_timm,
}


def assert_same(actual: Tensors, expected: Tensors) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])


@pytest.mark.parametrize("name", WRITERS)
def test_round_trip_through_every_format(name: str, tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    WRITERS[name](tmp_path / name, parameters)
    written = weights.convert(tmp_path / name, tmp_path / "out.safetensors", convention=CAFFE)
    read = weights.read_weights(tmp_path / "out.safetensors")
    assert (read.architecture, read.convention, read.source) == ("tiny", CAFFE, f"converted from {name}")
    assert_same(read.parameters(), parameters)
    assert_same(written.parameters(), parameters)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.safetensors"])


@pytest.mark.parametrize("name", ["keras.h5", "graph.onnx"])
def test_original_vgg_is_recognized(name: str, vgg16: Tensors, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, vgg16)
    read = read_foreign(tmp_path / name)
    assert (read.architecture, read.convention) == ("vgg16", CAFFE)
    assert_same(read.parameters(), vgg16)


def test_vgg19_is_distinguished_from_vgg16(tmp_path: Path) -> None:
    vgg19 = weights.load_weights("vgg19").parameters()
    write_torch(tmp_path / "w.pth", vgg19)
    read = read_foreign(tmp_path / "w.pth")
    assert (read.architecture, read.convention) == ("vgg19", CAFFE)
    assert_same(read.parameters(), vgg19)


@pytest.mark.parametrize("file", ["state-zip.pth", "state-legacy.pth"])
def test_file_written_by_pytorch(file: str, tmp_path: Path) -> None:
    weights.convert(Path(__file__).parents[1] / "data" / file, tmp_path / "out")
    converted = weights.read_weights(tmp_path / "out")
    assert converted.convention == TORCHVISION
    for name, shape in TINY.items():
        # The numbers are consecutive in PyTorch's order of axes: output, input, height, width.
        torch_shape = (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape
        expected = np.arange(np.prod(shape)).reshape(torch_shape) / 8
        np.testing.assert_array_equal(
            converted.tensors[name], expected.transpose(2, 3, 1, 0) if len(shape) == 4 else expected
        )


def test_layers_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    tensors = foreign.torch_names(parameters)
    renamed = {
        name.replace("features.0", "features.9").replace("features.2", "features.10"): tensors[name] for name in tensors
    }
    foreign.write_safetensors(tmp_path / "w.safetensors", renamed)
    assert_same(weights.convert(tmp_path / "w.safetensors", tmp_path / "out").parameters(), parameters)


def test_half_precision_is_converted_to_float32(tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    halves = {name: tensor.astype(np.float16) for name, tensor in foreign.torch_names(parameters).items()}
    foreign.write_safetensors(tmp_path / "w.safetensors", halves)
    converted = weights.convert(tmp_path / "w.safetensors", tmp_path / "out").tensors
    assert {tensor.dtype for tensor in converted.values()} == {np.dtype(np.float32)}
    assert_same(converted, {name: tensor.astype(np.float16).astype(np.float32) for name, tensor in parameters.items()})


def test_original_vgg_with_reversed_channels_is_recognized(vgg16: Tensors, tmp_path: Path) -> None:
    kernel = vgg16["conv1_1.kernel"][:, :, ::-1] * 1.001
    write_torch(tmp_path / "w.pth", {**vgg16, "conv1_1.kernel": kernel})
    assert read_foreign(tmp_path / "w.pth").convention == CAFFE_RGB


@pytest.mark.parametrize("convention", [CAFFE, CAFFE_RGB])
def test_original_vgg_with_kernels_for_theano_is_recognized(
    convention: weights.Convention, vgg16: Tensors, tmp_path: Path
) -> None:
    """Theano turns kernels by 180 degrees, so Keras's files for it have turned ones."""
    turned = {name: array[::-1, ::-1] if array.ndim == 4 else array for name, array in vgg16.items()}
    if convention == CAFFE_RGB:
        turned["conv1_1.kernel"] = turned["conv1_1.kernel"][:, :, ::-1]
    write_torch(tmp_path / "w.pth", turned)
    converted = read_foreign(tmp_path / "w.pth")
    assert converted.convention == convention
    np.testing.assert_array_equal(converted.parameters()["conv5_3.kernel"], vgg16["conv5_3.kernel"])


def test_reversed_channels_give_the_same_features(vgg16: Tensors, tmp_path: Path) -> None:
    write_torch(tmp_path / "w.pth", {**vgg16, "conv1_1.kernel": vgg16["conv1_1.kernel"][:, :, ::-1]})
    weights.convert(tmp_path / "w.pth", tmp_path / "out")
    picture = np.random.default_rng(2).uniform(size=(8, 8, 3)).astype(np.float32)
    converted, original = (
        weights.load_network(name).features(picture, ["conv1_1"]) for name in (tmp_path / "out", "vgg16")
    )
    np.testing.assert_allclose(converted["conv1_1"], original["conv1_1"], rtol=1e-4, atol=1e-2)


def test_other_weights_have_the_convention_of_their_names(vgg16: Tensors, tmp_path: Path) -> None:
    kernel = np.random.default_rng(3).normal(size=(3, 3, 3, 64)).astype(np.float32)
    write_torch(tmp_path / "w.pth", {**vgg16, "conv1_1.kernel": kernel})
    assert read_foreign(tmp_path / "w.pth").convention == TORCHVISION


def test_rescaled_original_requires_a_convention(vgg16: Tensors, tmp_path: Path) -> None:
    write_torch(tmp_path / "w.pth", {**vgg16, "conv1_1.kernel": vgg16["conv1_1.kernel"] * 255})
    with pytest.raises(WeightsError, match="whose input convention is not recognized"):
        weights.convert(tmp_path / "w.pth", tmp_path / "out")


def test_unknown_names_require_a_convention(tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    write_npz(tmp_path / "w.npz", parameters, kernel="{0}_W", bias="{0}_b")
    with pytest.raises(WeightsError, match="--convention, one of caffe, caffe-rgb, torchvision"):
        weights.convert(tmp_path / "w.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert weights.convert(tmp_path / "w.npz", tmp_path / "out", convention=CAFFE_RGB).convention == CAFFE_RGB


def error_message(path: Path) -> str:
    """The message of the error that a conversion raises; checks that it is one line and that no file is written."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(WeightsError) as caught:
        weights.convert(path, path.parent / "out")
    assert sorted(path.parent.iterdir()) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 0.999])
def test_truncated_file(name: str, fraction: float, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path, random_parameters(TINY))
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    assert str(path) in error_message(path)


def test_unknown_network(tmp_path: Path) -> None:
    shapes = {"conv1_1.kernel": (7, 7, 3, 8), "conv1_1.bias": (8,)}
    write_torch(tmp_path / "w.pth", random_parameters(shapes))
    message = error_message(tmp_path / "w.pth")
    assert message.endswith(
        "googlenet-caffe, efficientnet-lite0, tiny): it has 1 convolution, the first with a kernel [8, 3, 7, 7]; "
        "use the weights of one of these networks"
    )


def test_missing_bias(tmp_path: Path) -> None:
    tensors = foreign.torch_names(random_parameters(TINY))
    del tensors["features.2.bias"]
    foreign.write_safetensors(tmp_path / "w.safetensors", tensors)
    assert "it has 1 convolution, most similar to tiny, but missing: conv1_2 [3, 3, 4, 5]" in error_message(
        tmp_path / "w.safetensors"
    )


def test_only_fully_connected_layers(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", fc6_W=np.ones((4, 4)), fc6_b=np.ones(4))
    message = error_message(tmp_path / "w.npz")
    assert "no convolutions with biases" in message and "; use the weights of a VGG, AlexNet" in message


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("first", [0, 2], ids=["all", "all but the first"])
def test_quantized_kernels(dtype: str, first: int, tmp_path: Path) -> None:
    tensors = foreign.torch_names(random_parameters(TINY))
    quantized = [name for name in ("features.0.weight", "features.2.weight") if name >= f"features.{first}"]
    tensors |= {name: np.ones(tensors[name].shape, dtype) for name in quantized}
    np.savez(tmp_path / "w.npz", **tensors)
    foreign.write_safetensors(tmp_path / "w.safetensors", tensors)
    for path in (tmp_path / "w.npz", tmp_path / "w.safetensors"):
        message = error_message(path)
        assert "has quantized kernels (features." in message and "save them as float32" in message
        assert f"features.2.weight [5, 4, 3, 3] {dtype}" in message
        assert ("features.0.weight [4, 3, 3, 3]" in message) == (first == 0)


@pytest.mark.parametrize(
    "packed",
    [
        {"weight": np.ones((54, 1), np.uint8), "weight.absmax": np.ones(2, np.float32)},  # bitsandbytes
        {"weight": np.ones((54, 1), np.uint8), "weight.quant_state.bitsandbytes__nf4": np.ones(9, np.uint8)},
        {"qweight": np.ones((4, 5), np.int32), "scales": np.ones((1, 5), np.float16)},  # GPTQ
    ],
)
def test_packed_kernels(packed: Tensors, tmp_path: Path) -> None:
    tensors = foreign.torch_names(random_parameters(TINY))
    del tensors["features.2.weight"]
    foreign.write_safetensors(tmp_path / "w", tensors | {f"features.2.{name}": packed[name] for name in packed})
    assert "has quantized kernels (features.2." in error_message(tmp_path / "w")


def test_quantized_onnx(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY))
    model = onnx.load(tmp_path / "w.onnx")
    for node in model.graph.node:
        node.op_type = node.op_type.replace("Conv", "ConvInteger")
    for tensor in model.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones(tuple(tensor.dims), np.int8), tensor.name))
    onnx.save(model, tmp_path / "w.onnx")
    assert "has quantized kernels (k" in error_message(tmp_path / "w.onnx")


def test_batch_normalization(tmp_path: Path) -> None:
    tensors = foreign.torch_names(random_parameters(TINY)) | {"bn1.running_mean": np.ones(4, np.float32)}
    foreign.write_safetensors(tmp_path / "w.safetensors", tensors)
    assert "batch normalization" in error_message(tmp_path / "w.safetensors")
    foreign.write_hdf5(tmp_path / "w.h5", {"bn/moving_mean:0": np.ones(4, np.float32)})
    assert "batch normalization" in error_message(tmp_path / "w.h5")
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY), between="BatchNormalization")
    assert "batch normalization" in error_message(tmp_path / "w.onnx")


def test_nan_in_a_kernel(tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    parameters["conv1_2.kernel"][0, 0, 0, 0] = np.nan
    write_torch(tmp_path / "w.pth", parameters)
    assert error_message(tmp_path / "w.pth").endswith(
        "NaN or infinity in conv1_2.kernel; save the trained network again"
    )


def test_kernel_of_zeros(tmp_path: Path) -> None:
    parameters = random_parameters(TINY)
    parameters["conv1_2.kernel"][:] = 0
    write_torch(tmp_path / "w.pth", parameters)
    assert "is damaged: only zeros in conv1_2.kernel; " in error_message(tmp_path / "w.pth")


def test_jaxstyle_weights_file(tmp_path: Path) -> None:
    (tmp_path / "w").symlink_to(weights.path_of("vgg19").absolute())
    assert "already a jaxstyle weights file" in error_message(tmp_path / "w")


@pytest.mark.parametrize("library", ["h5py", "onnx"])
def test_missing_library(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"h5py": "keras.h5", "onnx": "graph.onnx"}[library]
    WRITERS[name](tmp_path / name, random_parameters(TINY))
    monkeypatch.setitem(sys.modules, library, None)
    message = error_message(tmp_path / name)
    assert message == f"this needs {library}, which is not installed; run: pip install 'jaxstyle[convert]'"


def test_pickled_objects_in_a_numpy_archive_are_not_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "w.npz", conv1_1_W=np.array([Trap()]))
    assert "has no convolutions" in error_message(tmp_path / "in" / "w.npz")
    assert not (tmp_path / "sprung").exists()
    with np.load(tmp_path / "in" / "w.npz", allow_pickle=True) as archive:
        archive["conv1_1_W"]
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.h5", "w.npz", "w.onnx", "w.safetensors", "w"])
@pytest.mark.parametrize(
    "content", [b"", b"text\n" * 9, b"<!DOCTYPE html>", b"PK\3\4" + b"\0" * 40, b"\x89HDF\r\n\x1a\n", b"\0" * 64]
)
def test_files_that_are_not_weights_files(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert str(tmp_path / name) in error_message(tmp_path / name)


def test_pytorch_file_without_tensors(tmp_path: Path) -> None:
    onnx_file = tmp_path / "w.onnx"
    foreign.write_onnx(onnx_file, random_parameters(TINY))
    foreign.write_torch_zip(tmp_path / "w.zip", {}, {})
    assert "has no convolutions" in error_message(tmp_path / "w.zip")


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert (
        error_message(tmp_path / "nothing.pth")
        == f"cannot read weights {tmp_path / 'nothing.pth'}: No such file or directory; check the name, "
        "the permissions and the disk"
    )
    (tmp_path / "directory.pth").mkdir()
    assert error_message(tmp_path / "directory.pth").startswith("cannot read weights")


def test_file_in_a_store(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="memory://bucket/vgg.pth is in an object store; expected a file on a disk"):
        weights.convert("memory://bucket/vgg.pth", tmp_path / "out.safetensors")


def test_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=f"cannot read weights {tmp_path / 'nothing.pth'}"):
        read_foreign("~/nothing.pth")


def test_onnx_graph_without_initializers(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY))
    model = onnx.load(tmp_path / "w.onnx")
    del model.graph.initializer[:]
    onnx.save(model, tmp_path / "w.onnx")
    assert str(tmp_path / "w.onnx") in error_message(tmp_path / "w.onnx")
