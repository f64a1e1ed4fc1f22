"""Reading the convolutions in other frameworks' weights files.

The formats are PyTorch (.pth) and other pickles, Keras (.keras, .h5), NumPy (.npz, .npy), MatConvNet (.mat), ONNX
(.onnx) and safetensors (timm and others). They are recognized by their content.
"""

import importlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
import safetensors

from jaxstyle.errors import WeightsError
from jaxstyle.weights import kinds, matfile
from jaxstyle.weights.content import arrays_in
from jaxstyle.weights.convolutions import Convolution, Layers, integer_kernels, layers_among, widen
from jaxstyle.weights.files import reading_error, safetensors_metadata
from jaxstyle.weights.pickles import Unpickler
from jaxstyle.weights.torchfile import read_torch

_HDF5 = b"\x89HDF\r\n\x1a\n"
_KERAS_WEIGHTS = "model.weights.h5"
# The beginnings of pickles: protocols 2 to 5, and dictionaries and lists in protocols 0 and 1.
_PICKLES = (*(bytes([0x80, protocol]) for protocol in range(2, 6)), b"(dp", b"(lp", b"}q", b"]q")
# The fields that can follow the version in an ONNX file: producer, domain, graph, sets of operators and others.
_ONNX_FIELDS = b"\x12\x1a\x22\x2a\x32\x3a\x42"
_SAFETENSORS_TYPES: dict[str, Any] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    **{f"I{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
}


def read_convolutions(path: Path) -> Layers:
    """The convolutions in a weights file, in the order of computation according to their names or the graph.

    Raises:
        WeightsError: if the file has an unknown format, is damaged, needs a library that is not installed, has no
            convolutions with biases, or has batch normalization but no convolutions.
    """
    file_format = _detect_format(path)
    try:
        layers = _READERS[file_format](path)
    except WeightsError:
        raise
    except Exception as error:  # each library raises other errors for damaged files
        raise WeightsError(
            f"{path} is damaged: it cannot be read as {file_format} ({type(error).__name__}); download it again"
        ) from None
    if not layers.convolutions:
        if layers.normalizations:
            raise batch_norm_error(path)
        if layers.integers:
            raise quantized_error(path, layers)
        found = f" (found {', '.join(layers.kernels[:3])})" if layers.kernels else ""
        raise WeightsError(
            f"{path} has no convolutions with biases{found}, so it is not a recognition network; "
            "use the weights of a VGG, AlexNet, GoogLeNet or EfficientNet-Lite0, with their usual names"
        )
    return layers


def quantized_error(path: Path, layers: Layers) -> WeightsError:
    """The error for a network whose kernels are integers: their scales are not known."""
    more = ", ..." if len(layers.integers) > 3 else ""
    return WeightsError(
        f"{path} has quantized kernels ({', '.join(layers.integers[:3])}{more}); expected floats: use the file before "
        "quantization, or multiply the integers by their scales, and save them as float32"
    )


def batch_norm_error(path: Path) -> WeightsError:
    """The error for a network with batch normalization that is not folded."""
    return WeightsError(
        f"{path} has batch normalization, which jaxstyle only supports in torchvision's VGG and GoogLeNet "
        "and in EfficientNet-Lite; use a variant without it"
    )


def _detect_format(path: Path) -> str:
    try:
        if path.is_dir():
            raise WeightsError(f"cannot read weights {path}: it {kinds.describe(path)}")
        with path.open("rb") as file:
            head = file.read(520)
            size = file.seek(0, 2)
            members = zipfile.ZipFile(file).namelist() if zipfile.is_zipfile(file) else None
    except OSError as error:
        raise reading_error(path, error) from None
    except zipfile.BadZipFile:
        members = None
    file_format = _format_of_archive(path, members) if members is not None else _format_of(head, size)
    if not file_format:
        raise WeightsError(f"{path} {kinds.describe(path)}")
    return file_format


def _format_of_archive(path: Path, members: list[str]) -> str:
    names = [name.rsplit("/", 1)[-1] for name in members]
    if "data.pkl" in names and ("constants.pkl" in names or any("/code/" in name for name in members)):
        raise WeightsError(f"{path} {kinds.describe_script()}")
    if "data.pkl" in names:
        return "PyTorch"
    if _KERAS_WEIGHTS in members:
        return "Keras"
    if members and all(name.endswith(".npy") for name in members):
        return "NumPy"
    raise WeightsError(f"{path} {kinds.describe_archive(members)}")


def _format_of(head: bytes, size: int) -> str:
    """The format of a file that is no zip archive, or an empty string."""
    if head.startswith(_PICKLES):
        return "PyTorch"
    if head.startswith(b"MATLAB 5.0"):
        return "MatConvNet"
    if head.startswith(_HDF5) or head[512:].startswith(_HDF5):
        return "HDF5"
    if head.startswith(b"\x93NUMPY"):
        return "NumPy"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        return "safetensors"
    if head[:1] == b"\x08" and b"\x03" <= head[1:2] < b"\x20" and head[2:3] and head[2] in _ONNX_FIELDS:
        return "ONNX"
    return ""


def import_library(name: str) -> Any:
    """Import a library that only the extra `convert` installs.

    Raises:
        WeightsError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WeightsError(f"this needs {name}, which is not installed; run: pip install 'jaxstyle[convert]'") from None


def _read_torch(path: Path) -> Layers:
    return layers_among(path, read_torch(path))


def _read_keras(path: Path) -> Layers:
    with zipfile.ZipFile(path) as archive:
        return _hdf5_layers(path, io.BytesIO(archive.read(_KERAS_WEIGHTS)))


def _read_hdf5(path: Path) -> Layers:
    return _hdf5_layers(path, path)


def _hdf5_layers(path: Path, source: Path | BinaryIO) -> Layers:
    h5py = import_library("h5py")
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item[()])

    with h5py.File(source) as file:
        if "#refs#" in file:
            return _matconvnet_layers(path, matfile.read_version_7(file))
        file.visititems(visit)
    return layers_among(path, arrays)


def _read_matconvnet(path: Path) -> Layers:
    return _matconvnet_layers(path, matfile.read_version_5(path))


def _matconvnet_layers(path: Path, variables: dict[str, Any]) -> Layers:
    layers = layers_among(path, matfile.named_arrays(variables))
    return replace(layers, normalizations=[*layers.normalizations, *matfile.normalizations(variables)])


def _read_numpy(path: Path) -> Layers:
    if not zipfile.is_zipfile(path):
        return layers_among(path, _npy_arrays("", path.read_bytes()))
    with zipfile.ZipFile(path) as archive:
        arrays: dict[str, np.ndarray] = {}
        for member in archive.namelist():
            arrays |= _npy_arrays(member.removesuffix(".npy"), archive.read(member))
    return layers_among(path, arrays)


def _npy_arrays(name: str, content: bytes) -> dict[str, np.ndarray]:
    """The array in a .npy file, or the arrays in the dictionary in it, which is a pickle after the header."""
    begin = 12 if content[6] > 1 else 10
    end = begin + int.from_bytes(content[8:begin], "little")
    if b"'|O'" not in content[begin:end]:
        return {name: np.load(io.BytesIO(content), allow_pickle=False)}
    pickled = Unpickler(io.BytesIO(content[end:])).load()
    found = arrays_in({name: pickled} if name else pickled)
    return {key: array for key, array in found.items() if isinstance(array, np.ndarray)}


def _read_safetensors(path: Path) -> Layers:
    content = path.read_bytes()
    if "jaxstyle" in safetensors_metadata(content):
        raise WeightsError(f"{path} is already a jaxstyle weights file; use it without conversion")
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in safetensors.deserialize(content):
        kind, shape = tensor["dtype"], tensor["shape"]
        if kind in _SAFETENSORS_TYPES:
            arrays[name] = np.frombuffer(tensor["data"], _SAFETENSORS_TYPES[kind]).reshape(shape)
        elif len(shape) == 4:
            raise WeightsError(f"{path} has numbers of an unknown type ({kind}) in {name}; save them as float32")
        else:  # the name is important: scales can have types of their own
            arrays[name] = np.frombuffer(tensor["data"], np.uint8)
    return layers_among(path, arrays)


def files_read(path: Path) -> list[Path]:
    """The files that a conversion reads: the weights file, and those in which an ONNX file has its numbers."""
    try:
        return [path, *(_external_files(import_library("onnx"), path) if _detect_format(path) == "ONNX" else [])]
    except Exception:  # reading it will say what is wrong
        return [path]


def _external_files(onnx: Any, path: Path) -> list[Path]:
    return [
        path.parent / entry.value
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    ]


def _read_onnx(path: Path) -> Layers:
    onnx = import_library("onnx")
    if missing := [place.name for place in _external_files(onnx, path) if not place.exists()]:
        raise WeightsError(f"{path} needs {missing[0]}, which has its numbers; put it into the same folder")
    graph = onnx.load(path).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = []
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            raise batch_norm_error(path)
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            arrays[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
        elif node.op_type == "Conv" and len(node.input) == 3:
            if computed := [name for name in node.input[1:] if name not in arrays]:
                raise WeightsError(
                    f"{path} computes the kernel or bias {computed[0]}; expected stored numbers: export it in float32"
                )
            kernel, bias = (widen(name, arrays[name]) for name in node.input[1:])
            convolutions.append(Convolution(node.input[1], kernel, bias))
    return Layers(convolutions, integers=integer_kernels(arrays))


_READERS = {
    "PyTorch": _read_torch,
    "Keras": _read_keras,
    "HDF5": _read_hdf5,
    "MatConvNet": _read_matconvnet,
    "NumPy": _read_numpy,
    "safetensors": _read_safetensors,
    "ONNX": _read_onnx,
}
