"""Conversion of other frameworks' weights files: recognize the architecture and the input convention, then write."""

import os
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import product
from pathlib import Path

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.networks import ARCHITECTURES, parameter_shapes
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
    check_finite,
    write_weights,
)
from jaxstyle.weights.readers import Convolution, read_convolutions
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
# With at least this similarity of the lists of kernel shapes, an error lists the differences from the architecture.
_MIN_SIMILARITY = 0.5


def convert(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, convention: Convention | None = None
) -> Weights:
    """Convert a weights file of PyTorch, Keras, NumPy, ONNX or timm into a jaxstyle weights file.

    Args:
        path: the file. Its format is recognized by its content. No code in it is run.
        out: the file to write; an existing file is replaced.
        convention: the input normalization of the network, or None to recognize it, see `recognize_convention`.

    Returns:
        The weights that were written.

    Raises:
        WeightsError: as `read_foreign`; or if `out` cannot be written.
    """
    weights = read_foreign(path, convention=convention)
    write_weights(out, weights)
    return weights


def read_foreign(path: str | os.PathLike[str], *, convention: Convention | None = None) -> Weights:
    """Read another framework's weights file; see `convert`.

    Raises:
        WeightsError: if the file cannot be read, fits no architecture, has NaN or infinity, or its input convention is
            not recognized.
    """
    path = Path(path)
    convolutions = read_convolutions(path)
    architecture, parameters = recognize_architecture(path, convolutions)
    check_finite(parameters, path)
    if convention is None:
        convention = recognize_convention(path, architecture, parameters, convolutions)
    return Weights(architecture, convention, f"converted from {path.name}", "that of the source", parameters)


def recognize_architecture(path: Path, convolutions: Sequence[Convolution]) -> tuple[str, dict[str, np.ndarray]]:
    """The architecture whose kernel shapes are those of consecutive convolutions in the file, and its parameters.

    Raises:
        WeightsError: if there is none, with the differences from the most similar one.
    """
    similarity, description = _MIN_SIMILARITY, f"the first with a kernel {list(convolutions[0].kernel.shape)}"
    for architecture, layout in product(ARCHITECTURES, _LAYOUTS):
        kernels = _kernel_shapes(architecture)
        shapes = [tuple(convolution.kernel.shape[axis] for axis in layout) for convolution in convolutions]
        matcher = SequenceMatcher(None, list(kernels.values()), shapes, autojunk=False)
        match = matcher.find_longest_match()
        if match.size == len(kernels):
            return architecture, _parameters(tuple(kernels), convolutions[match.b :], layout)
        if matcher.ratio() > similarity:
            similarity = matcher.ratio()
            description = f"most similar to {architecture}, but {_differences(kernels, convolutions, matcher)}"
    raise WeightsError(
        f"{path} fits no network that jaxstyle has ({', '.join(ARCHITECTURES)}): "
        f"it has {len(convolutions)} convolutions, {description}"
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
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in lists.items() if names)


def _parameters(
    layers: Sequence[str], convolutions: Sequence[Convolution], layout: Sequence[int]
) -> dict[str, np.ndarray]:
    parameters = {}
    for layer, convolution in zip(layers, convolutions, strict=False):
        parameters[f"{layer}.kernel"] = convolution.kernel.transpose(layout).astype(np.float32)
        parameters[f"{layer}.bias"] = convolution.bias.astype(np.float32)
    return parameters


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
        first = next(key for key in parameter_shapes(architecture) if key.endswith(".kernel"))
        kernel, original = parameters[first], load_weights(architecture).parameters()[first]
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


def _cosine(kernel: np.ndarray, original: np.ndarray) -> float:
    """The mean cosine similarity between the filters of two kernels `[H, W, I, O]`."""
    filters, originals = kernel.reshape(-1, kernel.shape[-1]), original.reshape(-1, original.shape[-1])
    lengths = np.linalg.norm(filters, axis=0) * np.linalg.norm(originals, axis=0)
    return float(((filters * originals).sum(axis=0) / np.maximum(lengths, 1e-30)).mean())
