"""Reading the convolutions in other frameworks' weights files.

The formats are PyTorch (.pth), Keras (.h5), NumPy (.npz), ONNX (.onnx) and safetensors (timm and others). They are
recognized by their content.
"""

import importlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxstyle.errors import WeightsError
from jaxstyle.weights.torchfile import read_torch

# Patterns of kernel names with the names of their biases: PyTorch; Keras; early Keras and NumPy archives; Keras 3.
_BIAS_NAMES = (
    (r"\bweight$", "bias"),
    (r"\bkernel(:0)?$", r"bias\1"),
    (r"(\b|_)W(_1:0)?$", r"\1b\2"),
    (r"\bvars/0$", "vars/1"),
)
# Convolutions and the batch normalizations after them in torchvision's GoogLeNet, and in EfficientNet-Lite for PyTorch.
_NORMALIZATION_NAMES = (
    (r"\bconv\.weight$", "bn."),
    (r"\b(_conv_stem|_expand_conv)\.weight$", "_bn0."),
    (r"\b(_conv_head|_depthwise_conv)\.weight$", "_bn1."),
    (r"\b_project_conv\.weight$", "_bn2."),
)
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_EPSILON = 1e-3  # of both; the files do not contain it
# Parts of names whose alphabetical order is not the order of computation, and their replacements for sorting.
_ORDER = {
    "_conv_stem": "_1",
    "_blocks": "_2",
    "_conv_head": "_3",
    "_expand_conv": "_1",
    "_depthwise_conv": "_2",
    "_project_conv": "_3",
}


@dataclass(frozen=True)
class Convolution:
    """A kernel of rank 4, in the layout of the file, and its bias `[O]`."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray


def read_convolutions(path: Path) -> list[Convolution]:
    """The convolutions in a weights file, in the order of computation according to their names or the graph.

    Raises:
        WeightsError: if the file has an unknown format, is damaged, needs a library that is not installed, has no
            convolutions with biases, or has batch normalization of an unknown network.
    """
    file_format = _detect_format(path)
    try:
        convolutions = list(_READERS[file_format](path))
    except WeightsError:
        raise
    except Exception as error:  # each library raises other errors for damaged files
        raise WeightsError(f"{path} is damaged: it cannot be read as {file_format} ({type(error).__name__})") from None
    if not convolutions:
        raise WeightsError(f"{path} has no convolutions with biases, so it is not a recognition network")
    return convolutions


def _detect_format(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(16)
            members = zipfile.ZipFile(file).namelist() if zipfile.is_zipfile(file) else []
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from None
    except zipfile.BadZipFile:
        members = []
    if any(name.endswith("data.pkl") for name in members) or head.startswith(b"\x80\x02\x8a\x0a"):
        return "PyTorch"
    if members and all(name.endswith(".npy") for name in members):
        return "NumPy"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "Keras"
    if head[8:9] == b"{":
        return "safetensors"
    if path.suffix == ".onnx":
        return "ONNX"
    raise WeightsError(
        f"{path} is not a weights file that jaxstyle reads, or is damaged; "
        "expected PyTorch (.pth), Keras (.h5), NumPy (.npz), ONNX (.onnx) or safetensors"
    )


def import_library(name: str) -> Any:
    """Import a library that only the extra `convert` installs.

    Raises:
        WeightsError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WeightsError(f"this needs {name}, which is not installed; run: pip install 'jaxstyle[convert]'") from None


def _read_torch(path: Path) -> Iterator[Convolution]:
    return _pair_tensors(path, read_torch(path))


def _read_keras(path: Path) -> Iterator[Convolution]:
    h5py = import_library("h5py")
    tensors = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            tensors[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return _pair_tensors(path, tensors)


def _read_numpy(path: Path) -> Iterator[Convolution]:
    with np.load(path, allow_pickle=False) as archive:
        return _pair_tensors(path, dict(archive))


def _read_safetensors(path: Path) -> Iterator[Convolution]:
    with safetensors.safe_open(path, framework="numpy") as file:
        if "jaxstyle" in (file.metadata() or {}):
            raise WeightsError(f"{path} is already a jaxstyle weights file; use it without conversion")
    return _pair_tensors(path, safetensors.numpy.load_file(path))


def _read_onnx(path: Path) -> Iterator[Convolution]:
    onnx = import_library("onnx")
    graph = onnx.load(path).graph
    initializers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            raise _batch_norm_error(path)
        if node.op_type == "Conv" and len(node.input) == 3:
            _, kernel, bias = node.input
            yield Convolution(kernel, initializers[kernel], initializers[bias])


_READERS = {
    "PyTorch": _read_torch,
    "Keras": _read_keras,
    "NumPy": _read_numpy,
    "safetensors": _read_safetensors,
    "ONNX": _read_onnx,
}


def _pair_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> Iterator[Convolution]:
    """Kernels with their biases, in the order of their names."""
    tensors = _fold_batch_norms(path, tensors)
    if any(re.search("(running|moving)_mean", name) for name in tensors):
        raise _batch_norm_error(path)
    for name in sorted(tensors, key=_sort_key):
        for pattern, replacement in _BIAS_NAMES:
            bias = re.sub(pattern, replacement, name)
            if bias != name and bias in tensors and _is_convolution(tensors[name], tensors[bias]):
                yield Convolution(name, tensors[name], tensors[bias])


def _is_convolution(kernel: np.ndarray, bias: np.ndarray) -> bool:
    return kernel.ndim == 4 and kernel.dtype.kind == "f" and bias.shape in (kernel.shape[:1], kernel.shape[-1:])


def _sort_key(name: str) -> tuple[list[tuple[int, str]], bool]:
    """A key that sorts `features.2` before `features.10`, and `3x3_reduce` before `3x3`, which follows it."""
    for text, replacement in _ORDER.items():
        name = name.replace(text, replacement)
    numbers = re.split(r"(\d+)", name.replace("_reduce", ""))
    return [(int(text), "") if text.isdigit() else (-1, text) for text in numbers], "_reduce" not in name


def _fold_batch_norms(path: Path, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors, with known batch normalizations folded into the kernels and biases of their convolutions.

    (x - mean) / sqrt(variance + epsilon) * weight + bias of a convolution's result x is another convolution
    (Ioffe and Szegedy, arXiv 1502.03167, section 3.1).
    """
    folded = dict(tensors)
    for name, (pattern, prefix) in product(tensors, _NORMALIZATION_NAMES):
        statistics = [re.sub(pattern, prefix, name) + kind for kind in _STATISTICS]
        if not re.search(pattern, name) or not any(statistic in tensors for statistic in statistics):
            continue
        if missing := [statistic for statistic in statistics if statistic not in tensors]:
            raise WeightsError(f"{path} lacks {', '.join(missing)}, which {name} needs; save the whole state_dict")
        gain, bias, mean, variance = (folded.pop(statistic).astype(np.float64) for statistic in statistics)
        scale = gain / np.sqrt(variance + _EPSILON)
        folded[name] = (tensors[name] * scale[:, None, None, None]).astype(np.float32)
        folded[f"{name.removesuffix('weight')}bias"] = (bias - mean * scale).astype(np.float32)
    return folded


def _batch_norm_error(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} has batch normalization, which jaxstyle only supports in torchvision's GoogLeNet "
        "and in EfficientNet-Lite; use a variant without it"
    )
