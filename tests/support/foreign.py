"""Weights files in the formats of other frameworks. PyTorch files are written without PyTorch."""

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
import safetensors.numpy

from jaxstyle.errors import WeightsError
from jaxstyle.weights.foreign import read_foreign
from scripts.weights.random_weights import random_weights

TINY = {
    "conv1_1.kernel": (3, 3, 3, 4),
    "conv1_1.bias": (4,),
    "conv1_2.kernel": (3, 3, 4, 5),
    "conv1_2.bias": (5,),
}


def random_parameters(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def layers_of(parameters: Mapping[str, np.ndarray]) -> list[str]:
    return [name.removesuffix(".kernel") for name in parameters if name.endswith(".kernel")]


def torch_names(parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters with the names of torchvision and timm, kernels as OIHW."""
    tensors = {"classifier.0.weight": np.ones((7, 5), np.float32), "classifier.0.bias": np.ones(7, np.float32)}
    for index, layer in enumerate(layers_of(parameters)):
        # Even numbers: rectifiers and pools have the numbers between them.
        tensors[f"features.{2 * index}.weight"] = parameters[f"{layer}.kernel"].transpose(3, 2, 0, 1)
        tensors[f"features.{2 * index}.bias"] = parameters[f"{layer}.bias"]
    return tensors


def torchvision_state(reference: Mapping[str, np.ndarray], network: str) -> dict[str, np.ndarray]:
    """The weights that scripts/weights/torchvision_values.py loads into a network of torchvision."""
    shapes = json.loads(str(reference[f"{network}.state"]))
    return {name: random_weights(name, tuple(shape)) for name, shape in shapes.items()}


def keras_names(parameters: Mapping[str, np.ndarray], kernel: str, bias: str) -> dict[str, np.ndarray]:
    """The parameters with the names of Keras; `{}` in `kernel` and `bias` is the layer, such as `block1_conv2`."""
    tensors = {}
    for layer in layers_of(parameters):
        name = layer.replace("conv", "block").replace("_", "_conv")
        tensors[kernel.format(name)] = parameters[f"{layer}.kernel"]
        tensors[bias.format(name)] = parameters[f"{layer}.bias"]
    return tensors


def write_hdf5(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    safetensors.numpy.save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)


def write_onnx(path: Path, parameters: Mapping[str, np.ndarray], *, between: str = "Relu") -> None:
    """A chain of convolutions whose initializers have arbitrary names and order."""
    nodes, initializers, value = [], [], "picture"
    for index, layer in enumerate(layers_of(parameters)):
        kernel, bias, result = f"k{97 * (index + 1) % 101}", f"b{index}", f"{between}{index}"
        initializers.append(
            onnx.numpy_helper.from_array(parameters[f"{layer}.kernel"].transpose(3, 2, 0, 1).copy(), kernel)
        )
        initializers.append(onnx.numpy_helper.from_array(parameters[f"{layer}.bias"], bias))
        nodes.append(onnx.helper.make_node("Conv", [value, kernel, bias], [f"conv{index}"]))
        nodes.append(onnx.helper.make_node(between, [f"conv{index}"], [result]))
        value = result
    picture = onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    features = onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(nodes, "network", [picture], [features], initializers[::-1])
    onnx.save(onnx.helper.make_model(graph), path)


class Storage:
    """A storage, which PyTorch pickles by reference: a type and a key; the numbers are outside the pickle."""

    def __init__(self, kind: str, key: str) -> None:
        self.identifier = ("storage", Global("torch", kind), key, "cpu", 0)


class Global:
    """An object that is pickled as a name to import."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """An object that is pickled as a function call, which unpickling executes."""

    def __init__(self, function: Global, *arguments: object) -> None:
        self.function, self.arguments = function, arguments


class Built:
    """An object of a class, a Global or Storage, with the state that unpickling gives it."""

    def __init__(self, cls: object, state: object) -> None:
        self.cls, self.state = cls, state


class _Pickler(pickle._Pickler):
    """The pickler in Python, extended to write names of modules that do not exist."""

    def persistent_id(self, value: object) -> object:
        return value.identifier if isinstance(value, Storage) else None

    def save_global_name(self, value: Global) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())

    def save_call(self, value: Call) -> None:
        self.save(value.function)
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    def save_built(self, value: Built) -> None:
        self.save(value.cls)
        self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
        self.save(value.state)
        self.write(pickle.BUILD)

    dispatch = pickle._Pickler.dispatch | {Global: save_global_name, Call: save_call, Built: save_built}


def pickled(value: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def tensor(key: str, offset: int, shape: tuple, strides: tuple, *, kind: str = "FloatStorage") -> Call:
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), Storage(kind, key), offset, shape, strides, False, {})


def write_torch_zip(
    path: Path, content: object, storages: Mapping[str, bytes] = {}, *, byteorder: str = "little"
) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(content))
        archive.writestr("archive/byteorder", byteorder)
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage)


def write_torch_legacy(path: Path, content: object, storages: Mapping[str, bytes] = {}, *, itemsize: int = 4) -> None:
    pickles = b"".join(map(pickled, (0x1950A86A20F9469CFC6C, 1001, {}, content, list(storages))))
    numbers = ((len(storage) // itemsize).to_bytes(8, "little") + storage for storage in storages.values())
    path.write_bytes(pickles + b"".join(numbers))


def torch_state(tensors: Mapping[str, np.ndarray], keys: str = "") -> tuple[dict[str, Call], dict[str, bytes]]:
    """The descriptions of float32 tensors, and their storages, whose keys begin with `keys`."""
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    state = {
        name: tensor(keys + name, 0, array.shape, tuple(stride // 4 for stride in array.strides))
        for name, array in arrays.items()
    }
    return state, {keys + name: array.tobytes() for name, array in arrays.items()}


def write_torch_state(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    write_torch_zip(path, *torch_state(tensors))


def error_message(path: Path) -> str:
    """The message, of one line, with which a file is refused."""
    with pytest.raises(WeightsError) as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)
