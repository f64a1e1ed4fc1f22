"""Networks of MatConvNet, in MATLAB's files of version 5 (written by SciPy) and 7.3 (HDF5), and Keras 3's archives."""

import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from support import foreign
from support.foreign import error_message, random_parameters

from jaxstyle import weights
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.weights.files import CAFFE_RGB
from jaxstyle.weights.foreign import read_foreign

# The last layer is a convolution of one position, whose leading axes SciPy could drop.
SHAPES = {
    "conv1_1.kernel": (3, 3, 3, 4),
    "conv1_1.bias": (4,),
    "conv1_2.kernel": (1, 1, 4, 5),
    "conv1_2.bias": (5,),
}
PARAMETERS = random_parameters(SHAPES)
PARAMETERS["conv1_1.bias"][:] = (0, 1, 2, 3)  # whole numbers, which MATLAB stores as bytes


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=SHAPES))


def assert_read(path: Path) -> None:
    tensors = read_foreign(path, convention=CAFFE_RGB).tensors
    for name, array in PARAMETERS.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], array)


def cells(*items: object) -> np.ndarray:
    """A cell array of one row."""
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


def structures(*items: Mapping[str, object]) -> np.ndarray:
    """An array of structures of one row."""
    array = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for index, item in enumerate(items):
        array[0, index] = tuple(item.values())
    return array


def simple_layers(parameters: Mapping[str, np.ndarray], *, early: bool = False, column: bool = True) -> list[dict]:
    layers: list[dict] = []
    for layer in foreign.layers_of(parameters):
        kernel, bias = parameters[f"{layer}.kernel"], parameters[f"{layer}.bias"]
        bias = bias[:, None] if column else bias[None]
        stored = {"filters": kernel, "biases": bias} if early else {"weights": cells(kernel, bias)}
        layers.append({"name": layer, "type": "conv", **stored, "pad": np.ones((1, 4)), "stride": np.ones((1, 2))})
        layers.append({"name": f"relu{layer[4:]}", "type": "relu", "weights": cells()})
    layers.append({"name": "prob", "type": "softmax"})
    return layers


META = {
    "normalization": {"averageImage": np.ones((1, 1, 3)), "imageSize": np.full((1, 4), 224)},
    "classes": {"name": "cat"},
}


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_simple_network(early: bool, column: bool, compressed: bool, tmp_path: Path) -> None:
    layers = cells(*simple_layers(PARAMETERS, early=early, column=column))
    scipy.io.savemat(tmp_path / "w.mat", {"layers": layers, "meta": META}, do_compression=compressed)
    assert_read(tmp_path / "w.mat")


def test_network_in_a_variable(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "w.mat", {"net": {"layers": cells(*simple_layers(PARAMETERS)), "meta": META}})
    assert_read(tmp_path / "w.mat")


@pytest.mark.parametrize("names", [("{}f", "{}b"), ("{}_filter", "{}_bias")])
def test_graph(names: tuple[str, str], tmp_path: Path) -> None:
    """The parameters of a DagNN have names."""
    items = []
    for layer in foreign.layers_of(PARAMETERS):
        for name, kind in zip(names, ("kernel", "bias"), strict=True):
            value = PARAMETERS[f"{layer}.{kind}"]
            items.append({"name": name.format(layer), "value": value[:, None] if kind == "bias" else value})
    layers = structures({"name": "conv1_1", "type": "dagnn.Conv"}, {"name": "bn1_1", "type": "dagnn.ReLU"})
    scipy.io.savemat(tmp_path / "w.mat", {"params": structures(*items), "layers": layers, "meta": META})
    assert_read(tmp_path / "w.mat")
    layers["type"][0, 1] = "dagnn.BatchNorm"
    scipy.io.savemat(tmp_path / "w.mat", {"params": structures(*items), "layers": layers})
    assert "has batch normalization" in error_message(tmp_path / "w.mat")


@pytest.mark.parametrize("variable", [False, True])
def test_batch_normalization_is_not_ignored(variable: bool, tmp_path: Path) -> None:
    layers = simple_layers(PARAMETERS)
    layers.insert(1, {"name": "bn1", "type": "bnorm", "weights": cells(np.ones((4, 1)), np.ones((4, 1)))})
    network = {"layers": cells(*layers)}
    scipy.io.savemat(tmp_path / "w.mat", {"net": network} if variable else network)
    assert "has batch normalization" in error_message(tmp_path / "w.mat")


def write_version_7(path: Path, variables: Mapping[str, object]) -> None:
    """What MATLAB writes for `-v7.3`: HDF5 with reversed axes, after a header of 512 bytes; cells are references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            _write_version_7(file, file, name, value)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b"\0" * 8 + b"\0\2IM")


def _write_version_7(file: h5py.File, parent: h5py.Group, name: str, value: object) -> None:
    if isinstance(value, dict):
        group = parent.create_group(name)
        for field, item in value.items():
            _write_version_7(file, group, field, item)
    elif isinstance(value, str):
        parent[name] = np.array([[ord(letter)] for letter in value], np.uint16)
        parent[name].attrs["MATLAB_class"] = np.bytes_("char")
    elif isinstance(value, np.ndarray) and value.dtype.names:
        group = parent.create_group(name)
        for field in value.dtype.names:
            _write_version_7(file, group, field, value[field])
    elif isinstance(value, np.ndarray) and value.dtype == object:
        references = np.empty(value.T.shape, h5py.ref_dtype)
        for index, item in enumerate(value.ravel(order="F")):
            key = f"#refs#/{len(file.get('#refs#', ()))}"
            _write_version_7(file, file, key, item)
            references[np.unravel_index(index, references.shape)] = file[key].ref
        if value.size:
            parent.create_dataset(name, data=references, dtype=h5py.ref_dtype)
        else:
            parent[name] = np.array([1, 0], np.uint64)
            parent[name].attrs["MATLAB_empty"] = 1
        parent[name].attrs["MATLAB_class"] = np.bytes_("cell")
    else:
        parent[name] = np.asarray(value).T


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("variable", [False, True])
def test_version_7_simple_network(early: bool, variable: bool, tmp_path: Path) -> None:
    network = {"layers": cells(*simple_layers(PARAMETERS, early=early)), "meta": META}
    write_version_7(tmp_path / "w.mat", {"net": network} if variable else network)
    assert_read(tmp_path / "w.mat")


def test_version_7_graph(tmp_path: Path) -> None:
    items = [
        {"name": f"{name[:7]}{'f' if value.ndim == 4 else 'b'}", "value": value if value.ndim == 4 else value[:, None]}
        for name, value in PARAMETERS.items()
    ]
    layers = structures({"name": "conv1_1", "type": "dagnn.Conv"}, {"name": "bn1_1", "type": "dagnn.BatchNorm"})
    write_version_7(tmp_path / "w.mat", {"params": structures(*items)})
    assert_read(tmp_path / "w.mat")
    write_version_7(tmp_path / "w.mat", {"params": structures(*items), "layers": layers})
    assert "has batch normalization" in error_message(tmp_path / "w.mat")


def test_original_vgg_is_recognized(tmp_path: Path) -> None:
    """MatConvNet's copies take red, green and blue."""
    parameters = dict(weights.load_weights("vgg16").parameters())
    parameters["conv1_1.kernel"] = parameters["conv1_1.kernel"][:, :, ::-1]
    layers = simple_layers(parameters)
    layers.append(
        {"name": "fc6", "type": "conv", "weights": cells(np.ones((7, 7, 512, 8), "f4"), np.ones((1, 8), "f4"))}
    )
    scipy.io.savemat(tmp_path / "imagenet-vgg-verydeep-16.mat", {"layers": cells(*layers), "meta": META})
    converted = read_foreign(tmp_path / "imagenet-vgg-verydeep-16.mat")
    assert (converted.architecture, converted.convention) == ("vgg16", CAFFE_RGB)
    for name, array in parameters.items():
        np.testing.assert_array_equal(converted.tensors[name], array)


@pytest.mark.parametrize("write", [scipy.io.savemat, write_version_7])
def test_files_without_a_network(write: Callable, tmp_path: Path) -> None:
    write(tmp_path / "w.mat", {"x": np.ones((3, 4)), "words": cells("a", "b"), "s": {"t": np.ones(2)}})
    message = "has no convolutions with biases, so it is not a recognition network; use the weights of a VGG"
    assert message in error_message(tmp_path / "w.mat")
    write(tmp_path / "w.mat", {"X": np.ones((8, 8, 3, 4), np.uint8)})  # pictures
    assert "has no convolutions with biases (found X [" in error_message(tmp_path / "w.mat")
    content = (tmp_path / "w.mat").read_bytes()
    (tmp_path / "w.mat").write_bytes(content[: len(content) * 2 // 3])
    assert "is damaged" in error_message(tmp_path / "w.mat")


class TestKeras3:
    @staticmethod
    def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
        foreign.write_hdf5(path.with_suffix(".h5"), tensors)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", "{}")
            archive.write(path.with_suffix(".h5"), "model.weights.h5")

    @pytest.mark.parametrize("group", ["layers", "layers/functional/layers", "_layer_checkpoint_dependencies"])
    def test_archive(self, group: str, tmp_path: Path) -> None:
        tensors = {"optimizer/vars/0": np.ones(1), f"{group}/dense/vars/0": np.ones((3, 4), np.float32)}
        for layer, name in zip(foreign.layers_of(PARAMETERS), ("conv2d", "conv2d_1"), strict=True):
            tensors[f"{group}/{name}/vars/0"] = PARAMETERS[f"{layer}.kernel"]
            tensors[f"{group}/{name}/vars/1"] = PARAMETERS[f"{layer}.bias"]
        self.write(tmp_path / "w.keras", tensors)
        assert_read(tmp_path / "w.keras")
        for step in range(4):
            tensors[f"{group}/bn/vars/{step}"] = np.ones(4, np.float32)
        self.write(tmp_path / "w.keras", tensors)
        assert "has batch normalization" in error_message(tmp_path / "w.keras")

    def test_missing_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(tmp_path / "w.keras", {})
        monkeypatch.setitem(sys.modules, "h5py", None)
        assert error_message(tmp_path / "w.keras").startswith("this needs h5py, which is not installed")
