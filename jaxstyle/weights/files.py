"""The weights file: a safetensors file with a JSON record in its metadata.

Tensors are float32 or float16 and named as in `parameter_shapes`, such as `conv1_1.kernel` (HWIO) and `conv1_1.bias`.
A quantized tensor is stored as `conv1_1.kernel.index` (uint8, of the tensor's shape) and `conv1_1.kernel.table` (256
numbers): the value of an entry is `table[index]`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from jaxstyle.errors import WeightsError
from jaxstyle.images import as_path, path_in_errors, resolve_target, write_atomically
from jaxstyle.networks import ARCHITECTURES, parameter_shapes

FORMAT = "jaxstyle-weights-1"
INDEX, TABLE = ".index", ".table"


@dataclass(frozen=True)
class Convention:
    """The input normalization of a network: its input is `scale * (picture - mean)`, for RGB pictures in [0, 1].

    Attributes:
        channels: "RGB" or "BGR", the order of the channels in the network.
        scale: the factor of each channel, in the network's order.
        mean: the mean of each channel, in the network's order.
    """

    channels: str
    scale: tuple[float, float, float]
    mean: tuple[float, float, float]


# The original VGG by Simonyan and Zisserman (in Caffe, then Keras): BGR in 0..255 minus the mean pixel of ImageNet.
CAFFE = Convention("BGR", (255.0, 255.0, 255.0), (103.939 / 255, 116.779 / 255, 123.68 / 255))
# The same weights with the channels of the first kernel reversed, as in MatConvNet.
CAFFE_RGB = Convention("RGB", CAFFE.scale, (CAFFE.mean[2], CAFFE.mean[1], CAFFE.mean[0]))
# torchvision and timm: RGB standardized by the mean and standard deviation of ImageNet.
TORCHVISION = Convention("RGB", (1 / 0.229, 1 / 0.224, 1 / 0.225), (0.485, 0.456, 0.406))
# GoogLeNet in Caffe (its train_val.prototxt) and in torchvision, which converted it from TensorFlow.
CAFFE_GOOGLENET = Convention("BGR", CAFFE.scale, (104 / 255, 117 / 255, 123 / 255))
TORCHVISION_GOOGLENET = Convention("RGB", (2.0, 2.0, 2.0), (0.5, 0.5, 0.5))
# EfficientNet-Lite: RGB in 0..255 minus 127, divided by 128.
EFFICIENTNET_LITE = Convention("RGB", (255 / 128,) * 3, (127 / 255,) * 3)
CONVENTIONS = {
    "caffe": CAFFE,
    "caffe-rgb": CAFFE_RGB,
    "torchvision": TORCHVISION,
    "caffe-googlenet": CAFFE_GOOGLENET,
    "torchvision-googlenet": TORCHVISION_GOOGLENET,
    "efficientnet-lite": EFFICIENTNET_LITE,
}


@dataclass(frozen=True)
class Weights:
    """The content of a weights file.

    Attributes:
        architecture: a key of `ARCHITECTURES`.
        convention: the input normalization.
        source: where the weights come from.
        license: the license of the weights.
        tensors: the tensors as stored; `parameters` gives those of the network.
        digest: SHA-256 of the file.
    """

    architecture: str
    convention: Convention
    source: str
    license: str
    tensors: Mapping[str, np.ndarray]
    digest: str = ""

    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters as float32 arrays by name, in the order of computation."""
        return {name: _dequantize(self.tensors, name) for name in parameter_shapes(self.architecture)}


def _dequantize(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name in tensors:
        return tensors[name].astype(np.float32, copy=False)
    return np.take(tensors[name + TABLE], tensors[name + INDEX]).astype(np.float32, copy=False)


def read_weights(path: str | os.PathLike[str], *, digest: str | None = None) -> Weights:
    """Read a weights file and check that it is complete and fits its architecture.

    Args:
        path: a file written by `write_weights`.
        digest: the expected SHA-256 of the file in hexadecimal, or None.

    Raises:
        WeightsError: if the file cannot be read, is not a weights file, has another digest, or has missing or
            unexpected tensors or tensors of another shape or type. The message names all of these tensors.
    """
    path = as_path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise reading_error(path, error) from None
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise WeightsError(
            f"{path} is damaged: its SHA-256 is {found}, but jaxstyle ships it with {digest}; install jaxstyle again"
        )
    weights = _parse(path, content, found)
    check_fits(weights.architecture, weights.tensors, path)
    return weights


def reading_error(path: Path, error: OSError) -> WeightsError:
    """The error for a weights file that cannot be read."""
    return WeightsError(f"cannot read weights {path}: {error.strerror}; check the name, the permissions and the disk")


def safetensors_metadata(content: bytes) -> dict[str, str]:
    """The metadata in a safetensors file, which is empty if it has none.

    Raises:
        ValueError: if the file is damaged, or of another kind.
    """
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except RecursionError:
        raise ValueError("the header is nested too deeply") from None
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("the header is no table of tensors")
    return metadata


def _parse(path: Path, content: bytes, digest: str) -> Weights:
    try:
        record = json.loads(safetensors_metadata(content)["jaxstyle"])
        if (found := record.pop("format")) != FORMAT:
            raise WeightsError(f"{path} has the format {found!r}; expected {FORMAT!r}: convert its source again")
        channels = {"RGB": "RGB", "BGR": "BGR"}[record.pop("channels")]
        convention = Convention(channels, _triple(record.pop("scale")), _triple(record.pop("mean")))
        return Weights(**record, convention=convention, tensors=safetensors.numpy.load(content), digest=digest)
    except (ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError):
        raise WeightsError(
            f"{path} is not a jaxstyle weights file, or is damaged; "
            f"for other frameworks' files run: jaxstyle weights convert {path} OUT"
        ) from None


def _triple(numbers: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = map(float, numbers)
    return first, second, third


def write_weights(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write a weights file atomically. An existing file is replaced; a missing folder is created.

    Raises:
        WeightsError: if the tensors do not fit the architecture, or the file cannot be written.
    """
    path = Path(path)
    check_fits(weights.architecture, weights.tensors, path)
    record = {
        "format": FORMAT,
        "architecture": weights.architecture,
        **asdict(weights.convention),
        "source": weights.source,
        "license": weights.license,
    }
    # A single entry: safetensors writes several entries in random order.
    metadata = {"jaxstyle": json.dumps(record)}
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in weights.tensors.items()}
    with path_in_errors(path, "written", WeightsError) as file:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(resolve_target(file, WeightsError, overwrite=True), safetensors.numpy.save(tensors, metadata))


def check_fits(architecture: str, tensors: Mapping[str, np.ndarray], path: Path) -> None:
    """Raise WeightsError, naming all differences, unless `tensors` are exactly the parameters of `architecture`."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise WeightsError(
            f"{path} is for the network {architecture!r}; expected one of {known}: convert its source again"
        )
    expected = _expected_shapes(architecture, tensors)
    differences = {
        "missing": sorted(expected.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - expected.keys()),
        "of the wrong shape": [
            f"{name} {list(tensors[name].shape)} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in tensors and tensors[name].shape != shape
        ],
        "of the wrong type": [
            f"{name} {tensor.dtype}"
            for name, tensor in sorted(tensors.items())
            if name in expected and not _has_type(name, tensor)
        ],
    }
    if any(differences.values()):
        described = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in differences.items() if names)
        raise WeightsError(f"{path} does not fit {architecture}: {described}; convert its source again")


def check_numbers(tensors: Mapping[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    """Raise WeightsError, naming the tensors, if any has NaN or infinity, or a kernel is all zeros."""
    if damaged := [name for name, tensor in sorted(tensors.items()) if not np.isfinite(tensor).all()]:
        raise WeightsError(
            f"{path} is damaged: NaN or infinity in {', '.join(damaged)}; save the trained network again"
        )
    kernels = [name for name in sorted(tensors) if name.endswith((".kernel", f".kernel{TABLE}"))]
    if empty := [name for name in kernels if not tensors[name].any()]:
        raise WeightsError(f"{path} is damaged: only zeros in {', '.join(empty)}; save the trained network again")


def _expected_shapes(architecture: str, tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors of an architecture, some of them quantized as in `tensors`."""
    expected: dict[str, tuple[int, ...]] = {}
    for name, shape in parameter_shapes(architecture).items():
        if name + INDEX in tensors:
            expected |= {name + INDEX: shape, name + TABLE: (256,)}
        else:
            expected[name] = shape
    return expected


def _has_type(name: str, tensor: np.ndarray) -> bool:
    return tensor.dtype == np.uint8 if name.endswith(INDEX) else tensor.dtype in (np.float32, np.float16)
