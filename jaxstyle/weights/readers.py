"""Read the convolutions out of other frameworks' weights files, told apart by their content.

PyTorch (.pth), Keras (.h5), NumPy (.npz), ONNX (.onnx) and safetensors (timm and others).
"""

import importlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from jaxstyle.errors import WeightsError
from jaxstyle.weights.torchfile import read_torch

# How the bias of a kernel is called: PyTorch and Keras, early Keras and NumPy archives, Keras 3.
_BIAS_NAMES = (
    (r"\bweight$", "bias"),
    (r"\bkernel(:0)?$", r"bias\1"),
    (r"(\b|_)W(_1:0)?$", r"\1b\2"),
    (r"\bvars/0$", "vars/1"),
)
# What batch normalization adds to the variance in torchvision's GoogLeNet, whose files do not tell it.
_EPSILON = 1e-3


@dataclass(frozen=True)
class Convolution:
    """A kernel of rank 4, in the layout of its file, and its bias `[O]`."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray


def read_convolutions(path: Path) -> list[Convolution]:
    """The convolutions of a weights file in the order of computation, as far as names or the graph tell it.

    Raises:
        WeightsError: if the file is of no known kind, damaged, needs a library that is not installed, has no
            convolutions with biases, or has batch normalization.
    """
    kind = _kind(path)
    try:
        found = list(_READERS[kind](path))
    except WeightsError:
        raise
    except Exception as error:  # each library has its own errors for a damaged file
        raise WeightsError(f"{path} is damaged: it cannot be read as {kind} ({type(error).__name__})") from None
    if not found:
        raise WeightsError(f"{path} holds no convolutions with biases, so it is not a recognition network")
    return found


def _kind(path: Path) -> str:
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


def library(name: str) -> Any:
    """Import a library that only the extra `convert` brings.

    Raises:
        WeightsError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WeightsError(f"this needs {name}, which is not installed; run: pip install 'jaxstyle[convert]'") from None


def _read_torch(path: Path) -> Iterator[Convolution]:
    return _pairs(path, read_torch(path))


def _read_keras(path: Path) -> Iterator[Convolution]:
    h5py = library("h5py")
    tensors = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            tensors[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return _pairs(path, tensors)


def _read_numpy(path: Path) -> Iterator[Convolution]:
    with np.load(path, allow_pickle=False) as archive:
        return _pairs(path, dict(archive))


def _read_safetensors(path: Path) -> Iterator[Convolution]:
    with safetensors.safe_open(path, framework="numpy") as file:
        if "jaxstyle" in (file.metadata() or {}):
            raise WeightsError(f"{path} is a jaxstyle weights file already; use it as it is")
    return _pairs(path, safetensors.numpy.load_file(path))


def _read_onnx(path: Path) -> Iterator[Convolution]:
    onnx = library("onnx")
    graph = onnx.load(path).graph
    initial = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            raise _batch_normalized(path)
        if node.op_type == "Conv" and len(node.input) == 3:
            _, kernel, bias = node.input
            yield Convolution(kernel, initial[kernel], initial[bias])


_READERS = {
    "PyTorch": _read_torch,
    "Keras": _read_keras,
    "NumPy": _read_numpy,
    "safetensors": _read_safetensors,
    "ONNX": _read_onnx,
}


def _pairs(path: Path, tensors: Mapping[str, np.ndarray]) -> Iterator[Convolution]:
    """Kernels with their biases in the order of their names."""
    tensors = _fold(path, tensors)
    if any(re.search("(running|moving)_mean", name) for name in tensors):
        raise _batch_normalized(path)
    for name in sorted(tensors, key=_order):
        for pattern, replacement in _BIAS_NAMES:
            bias = re.sub(pattern, replacement, name)
            if bias != name and bias in tensors and _belong(tensors[name], tensors[bias]):
                yield Convolution(name, tensors[name], tensors[bias])


def _belong(kernel: np.ndarray, bias: np.ndarray) -> bool:
    return kernel.ndim == 4 and kernel.dtype.kind == "f" and bias.shape in (kernel.shape[:1], kernel.shape[-1:])


def _order(name: str) -> tuple[list[tuple[int, str]], bool]:
    """A sorting key by which `features.2` comes before `features.10`, and `3x3_reduce` before the `3x3` after it."""
    parts = re.split(r"(\d+)", name.replace("_reduce", ""))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], "_reduce" not in name


def _fold(path: Path, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors with the batch normalizations `bn` of torchvision's GoogLeNet made part of the `conv` before them."""
    folded = dict(tensors)
    for name in tensors:
        block = name.removesuffix("conv.weight")
        normalization = [f"{block}bn.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
        if block == name or not any(part in tensors for part in normalization):
            continue
        if missing := [part for part in normalization if part not in tensors]:
            raise WeightsError(f"{path} lacks {', '.join(missing)}, without which {name} is of no use")
        gain, bias, mean, variance = (folded.pop(part).astype(np.float64) for part in normalization)
        scale = gain / np.sqrt(variance + _EPSILON)
        folded[name] = (tensors[name] * scale[:, None, None, None]).astype(np.float32)
        folded[f"{block}conv.bias"] = (bias - mean * scale).astype(np.float32)
    return folded


def _batch_normalized(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} has batch normalization, which jaxstyle only knows from torchvision's GoogLeNet; "
        "take the variant without it"
    )
