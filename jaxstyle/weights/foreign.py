"""Conversion of other frameworks' weights files: recognize the architecture and the input convention, then write."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import product, takewhile
from pathlib import Path

import numpy as np

from jaxstyle.errors import ConfigError, WeightsError, counted
from jaxstyle.images import PathLike, RemotePath, as_path, check_regular_file, path_in_errors
from jaxstyle.networks import ARCHITECTURES, parameter_shapes
from jaxstyle.weights.convolutions import Convolution, Layers
from jaxstyle.weights.files import (
    CAFFE,
    CAFFE_GOOGLENET,
    CAFFE_RGB,
    CONVENTIONS,
    EFFICIENTNET_LITE,
    TORCHVISION,
    TORCHVISION_GOOGLENET,
    Convention,
    Weights,
    check_numbers,
    write_weights,
)
from jaxstyle.weights.readers import batch_norm_error, files_read, quantized_error, read_convolutions
from jaxstyle.weights.store import ORIGINAL_VGGS, load_weights

# Transpositions of kernels to HWIO: from Keras and NumPy, which are HWIO, and from PyTorch and ONNX, which are OIHW.
_LAYOUTS = ((0, 1, 2, 3), (2, 3, 1, 0))
# Patterns of kernel names in files, and the conventions of networks with these names.
_NAME_CONVENTIONS = {
    r"\bfeatures\.\d+\.weight$": TORCHVISION,
    r"\binception3a\.branch1\.conv\.weight$": TORCHVISION_GOOGLENET,
    r"\bconv1\W?_?7x7_s2": CAFFE_GOOGLENET,
    r"\b_blocks\.0\._depthwise_conv\.weight$": EFFICIENTNET_LITE,
}
# The mean cosine similarity between the first filters of VGG-16 and VGG-19 is 0.99, and 0.68 with reversed channels.
_MIN_COSINE = 0.9
_FIRST = "conv1_1.kernel"  # of a VGG
# With at least this similarity of the lists of kernel shapes, or with the same first kernel, an error lists the
# differences from the architecture.
_MIN_SIMILARITY = 0.5
_MAX_LISTED = 60


def convert(
    path: PathLike,
    out: PathLike,
    *,
    convention: Convention | None = None,
    overwrite: bool = True,
) -> Weights:
    """Convert a weights file of PyTorch, Keras, NumPy, MatConvNet, ONNX or timm into a jaxstyle weights file.

    Args:
        path: the file, on a disk. Its format is recognized by its content. No code in it is run.
        out: the file to write.
        convention: the input normalization of the network, or None to recognize it, see `recognize_convention`.
        overwrite: whether to replace `out` if it exists. A file that is read is never replaced.

    Returns:
        The weights that were written.

    Raises:
        WeightsError: as `read_foreign`; or if `out` cannot be written, or exists and must not be replaced.
        ConfigError: if `out` is a file that is read.
    """
    path = _path_on_disk(path)
    _check_output(path, out, overwrite=overwrite)
    weights = read_foreign(path, convention=convention)
    write_weights(out, weights)
    return weights


def _check_output(path: Path, out: PathLike, *, overwrite: bool) -> None:
    """Check the output before the work. The input may be the only copy, so it is kept even with `overwrite`."""
    with path_in_errors(out, "written", WeightsError) as target:
        try:
            check_regular_file(target, WeightsError, "expected the name of a file: choose another name")
        except FileNotFoundError:
            return
    if any(os.path.exists(file) and file.samefile(target) for file in files_read(path)):
        raise ConfigError(f"{out} is a file to convert; choose another name for the result")
    if not overwrite:
        raise WeightsError(f"{out} exists already; choose another name, or add --overwrite")


def read_foreign(path: PathLike, *, convention: Convention | None = None) -> Weights:
    """Read another framework's weights file; see `convert`.

    Raises:
        WeightsError: if the file cannot be read, fits no architecture, has several different networks, has NaN,
            infinity or a kernel of zeros, or its input convention is not recognized.
    """
    path = _path_on_disk(path)
    found = _choose(path, read_convolutions(path))
    parameters = _turn_kernels(found.architecture, found.parameters())
    check_numbers(parameters, path)
    if convention is None:
        convention = recognize_convention(path, found.architecture, parameters, found.convolutions)
    return Weights(found.architecture, convention, f"converted from {path.name}", "that of the source", parameters)


def _path_on_disk(path: PathLike) -> Path:
    """The path with ~ expanded; WeightsError for a URL, because the libraries that read these files open paths."""
    file = as_path(path)
    if isinstance(file, RemotePath):
        raise WeightsError(f"{file} is in an object store; expected a file on a disk: copy it there first")
    return file


@dataclass(frozen=True)
class _Found:
    """Consecutive convolutions with the kernel shapes of an architecture; `layout` transposes kernels to HWIO."""

    architecture: str
    layout: tuple[int, ...]
    convolutions: Sequence[Convolution]

    @property
    def prefix(self) -> str:
        """What the names of all convolutions begin with, such as `model.features.`, or an empty string."""
        names = [re.split(r"(?<=[./])", convolution.name) for convolution in self.convolutions]
        words = takewhile(lambda words: len(set(words)) == 1, zip(*names, strict=False))
        return "".join(word for word, *_ in words)

    def contains(self, name: str) -> bool:
        """Whether an array belongs to the network, or to what contains it: `model.bn.1.mean` to `model.conv.`."""
        return name.startswith(re.sub(r"[^./]*[./]$", "", self.prefix))

    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters of the architecture in float32 by name."""
        parameters = {}
        with np.errstate(over="ignore"):  # infinity is an error later
            for layer, convolution in zip(_kernel_shapes(self.architecture), self.convolutions, strict=True):
                parameters[f"{layer}.kernel"] = convolution.kernel.transpose(self.layout).astype(np.float32)
                parameters[f"{layer}.bias"] = convolution.bias.astype(np.float32)
        return parameters


def _choose(path: Path, layers: Layers) -> _Found:
    """The network in a file. Equal copies of it count once.

    Raises:
        WeightsError: if there is none, with the differences from the most similar architecture; if there are different
            ones, with their names; or if it has batch normalization.
    """
    found = [
        _Found(architecture, layout, layers.convolutions[start : start + len(shapes)])
        for architecture, layout in product(ARCHITECTURES, _LAYOUTS)
        for shapes in [list(_kernel_shapes(architecture).values())]
        for start in _starts(_shapes_in(layers.convolutions, layout), shapes)
    ]
    if not found and layers.integers:
        raise quantized_error(path, layers)
    if not found:
        raise batch_norm_error(path) if layers.normalizations else _no_network_error(path, layers.convolutions)
    if not all(_is_equal(found[0], other) for other in found[1:]):
        names = ", ".join(f"{other.prefix or other.convolutions[0].name} ({other.architecture})" for other in found)
        raise WeightsError(
            f"{path} has several networks that differ: {names}; save the one to use in a file without the others"
        )
    if any(found[0].contains(name) for name in layers.normalizations):
        raise batch_norm_error(path)
    return found[0]


def _shapes_in(convolutions: Sequence[Convolution], layout: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(convolution.kernel.shape[axis] for axis in layout) for convolution in convolutions]


def _starts(shapes: Sequence[tuple[int, ...]], expected: Sequence[tuple[int, ...]]) -> list[int]:
    """Where `expected` begins in `shapes`."""
    last = len(shapes) - len(expected)
    return [start for start in range(last + 1) if shapes[start : start + len(expected)] == expected]


def _is_equal(one: _Found, other: _Found) -> bool:
    return one.architecture == other.architecture and all(
        np.array_equal(a.kernel, b.kernel) and np.array_equal(a.bias, b.bias)
        for a, b in zip(one.convolutions, other.convolutions, strict=True)
    )


def _no_network_error(path: Path, convolutions: Sequence[Convolution]) -> WeightsError:
    """The error for a file that fits no architecture, with what is missing from the most similar one."""
    similarity, description = 0.0, f"the first with a kernel {list(convolutions[0].kernel.shape)}"
    for architecture, layout in product(ARCHITECTURES, _LAYOUTS):
        kernels = _kernel_shapes(architecture)
        matcher = SequenceMatcher(None, list(kernels.values()), _shapes_in(convolutions, layout), autojunk=False)
        match = matcher.find_longest_match()
        has_beginning = match.size > 0 and match.a == 0
        if matcher.ratio() > similarity and (has_beginning or matcher.ratio() > _MIN_SIMILARITY):
            similarity = matcher.ratio()
            description = f"most similar to {architecture}, but {_differences(kernels, convolutions, matcher)}"
    count = counted(len(convolutions), "convolution")
    return WeightsError(
        f"{path} fits no network that jaxstyle has ({', '.join(ARCHITECTURES)}): it has {count}, {description}; "
        "use the weights of one of these networks"
    )


def _kernel_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shapes of an architecture's kernels by layer."""
    shapes = parameter_shapes(architecture)
    return {name.removesuffix(".kernel"): shape for name, shape in shapes.items() if name.endswith(".kernel")}


def _differences(
    kernels: Mapping[str, tuple[int, ...]], convolutions: Sequence[Convolution], matcher: SequenceMatcher
) -> str:
    """The kernels that are missing, and the convolutions between the others that are unexpected."""
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    layers = list(kernels)
    missing = [f"{layer} {list(kernels[layer])}" for _, begin, end, _, _ in changes for layer in layers[begin:end]]
    inside = [change for change in changes if 0 < change[1] < len(layers) or change[0] == "replace"]
    unexpected = [
        f"{convolution.name} {list(convolution.kernel.shape)}"
        for _, _, _, begin, end in inside
        for convolution in convolutions[begin:end]
    ]
    lists = {"missing": missing, "unexpected": unexpected}
    return "; ".join(f"{kind}: {_listed(names)}" for kind, names in lists.items() if names)


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _turn_kernels(architecture: str, parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters, with kernels turned by 180 degrees if they are those of an original VGG for Theano.

    Theano's convolution turns its kernel, so Keras stored kernels for Theano that way.
    """
    if architecture not in ORIGINAL_VGGS:
        return parameters
    turned, original = parameters[_FIRST][::-1, ::-1], _first_kernel(architecture)
    if max(_cosine(turned, original), _cosine(turned[:, :, ::-1], original)) < _MIN_COSINE:
        return parameters
    return {name: array[::-1, ::-1] if array.ndim == 4 else array for name, array in parameters.items()}


def recognize_convention(
    path: Path, architecture: str, parameters: Mapping[str, np.ndarray], convolutions: Sequence[Convolution]
) -> Convention:
    """The input convention of a network, recognized by its first kernel and by the names of kernels in its file.

    Many files have the weights of the original VGGs for Caffe, some with the channels reversed to RGB. They are
    recognized by their first filters. Other networks are assumed to be trained like the one with the same names, in
    torchvision or Caffe.

    Raises:
        WeightsError: if the convention is not recognized.
    """
    unknown = WeightsError(
        f"{path} has weights whose input convention is not recognized; "
        f"choose it with --convention, one of {', '.join(CONVENTIONS)}"
    )
    if architecture in ORIGINAL_VGGS:
        kernel, original = parameters[_FIRST], _first_kernel(architecture)
        for convention, bgr_kernel in ((CAFFE, kernel), (CAFFE_RGB, kernel[:, :, ::-1])):
            if _cosine(bgr_kernel, original) > _MIN_COSINE:
                # A kernel with another norm has been rescaled for inputs other than 0..255.
                if 0.1 < np.linalg.norm(kernel) / np.linalg.norm(original) < 10:
                    return convention
                raise unknown
    for pattern, convention in _NAME_CONVENTIONS.items():
        if any(re.search(pattern, convolution.name) for convolution in convolutions):
            return convention
    raise unknown


@cache
def _first_kernel(architecture: str) -> np.ndarray:
    """The first kernel of an original VGG."""
    return load_weights(architecture).parameters()[_FIRST]


def _cosine(kernel: np.ndarray, original: np.ndarray) -> float:
    """The mean cosine similarity between the filters of two kernels `[H, W, I, O]`."""
    filters, originals = kernel.reshape(-1, kernel.shape[-1]), original.reshape(-1, original.shape[-1])
    lengths = np.linalg.norm(filters, axis=0) * np.linalg.norm(originals, axis=0)
    return float(((filters * originals).sum(axis=0) / np.maximum(lengths, 1e-30)).mean())
