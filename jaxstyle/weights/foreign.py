"""Turn other frameworks' weights files into ours: find out the architecture and what its input was, then write."""

import os
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import product
from pathlib import Path

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.networks import parameter_shapes
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.weights.files import (
    CAFFE,
    CAFFE_GOOGLENET,
    CAFFE_RGB,
    CONVENTIONS,
    TORCHVISION,
    TORCHVISION_GOOGLENET,
    Convention,
    Weights,
    check_finite,
    write_weights,
)
from jaxstyle.weights.readers import Convolution, read_convolutions
from jaxstyle.weights.store import EMBEDDED, load_weights

# To height, width, input, output: from Keras and NumPy as they are; from PyTorch and ONNX.
_LAYOUTS = ((0, 1, 2, 3), (2, 3, 1, 0))
# How files call kernels, and what the networks that are called so expect of their input.
_NAMES = {
    r"\bfeatures\.\d+\.weight$": TORCHVISION,
    r"\binception3a\.branch1\.conv\.weight$": TORCHVISION_GOOGLENET,
    r"\bconv1\W?_?7x7_s2": CAFFE_GOOGLENET,
}
# The mean cosine between the first filters of VGG-16 and VGG-19 is 0.99, and 0.68 with the channels turned.
_ALIKE = 0.9
# Above this share of equal kernels a file is held for a damaged one of that network.
_ALIKE_SHAPES = 0.5


def convert(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, convention: Convention | None = None
) -> Weights:
    """Convert a weights file of PyTorch, Keras, NumPy, ONNX or timm into a jaxstyle weights file.

    Args:
        path: the file; its kind is told by its content, and nothing in it is ever run.
        out: where to write; an existing file is replaced once the new one is whole.
        convention: what the network expects of its input; without it, `recognize_convention` tells.

    Returns:
        What was written.

    Raises:
        WeightsError: as `read_foreign`; or if `out` cannot be written.
    """
    weights = read_foreign(path, convention=convention)
    write_weights(out, weights)
    return weights


def read_foreign(path: str | os.PathLike[str], *, convention: Convention | None = None) -> Weights:
    """Read another framework's weights file; see `convert`.

    Raises:
        WeightsError: if the file cannot be read, fits no architecture, holds numbers that are not finite, or its input
            convention is not recognized.
    """
    path = Path(path)
    convolutions = read_convolutions(path)
    architecture, parameters = recognize_architecture(path, convolutions)
    check_finite(parameters, path)
    if convention is None:
        convention = recognize_convention(path, architecture, parameters, convolutions)
    return Weights(architecture, convention, f"converted from {path.name}", "that of the source", parameters)


def recognize_architecture(path: Path, convolutions: Sequence[Convolution]) -> tuple[str, dict[str, np.ndarray]]:
    """The architecture whose kernels are a run of `convolutions`, in either layout, and its float32 parameters.

    Raises:
        WeightsError: if there is none, naming what the nearest lacks.
    """
    nearest, misfits = _ALIKE_SHAPES, f"the first with a kernel of shape {list(convolutions[0].kernel.shape)}"
    for architecture, layout in product(ARCHITECTURES, _LAYOUTS):
        kernels = _kernels(architecture)
        found = [tuple(convolution.kernel.shape[axis] for axis in layout) for convolution in convolutions]
        matcher = SequenceMatcher(None, list(kernels.values()), found, autojunk=False)
        run = matcher.find_longest_match()
        if run.size == len(kernels):
            return architecture, _parameters(tuple(kernels), convolutions[run.b :], layout)
        if matcher.ratio() > nearest:
            nearest, misfits = (
                matcher.ratio(),
                f"nearest to {architecture}, but {_misfits(kernels, convolutions, matcher)}",
            )
    raise WeightsError(
        f"{path} fits no network that jaxstyle has ({', '.join(ARCHITECTURES)}): "
        f"it holds {len(convolutions)} convolutions, {misfits}"
    )


def _kernels(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shapes of an architecture's kernels by layer."""
    shapes = parameter_shapes(architecture)
    return {name.removesuffix(".kernel"): shape for name, shape in shapes.items() if name.endswith(".kernel")}


def _misfits(
    kernels: Mapping[str, tuple[int, ...]], convolutions: Sequence[Convolution], matcher: SequenceMatcher
) -> str:
    """What is missing of `kernels`, and what else is there, save before and after them."""
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
    """What the network expects of its input, told by its first kernel and by how its file calls the kernels.

    The VGGs' original Caffe models live on in many files, some with the channels turned to RGB, and are known by their
    first filters. Others were trained the way of those whose names they have: torchvision's or Caffe's.

    Raises:
        WeightsError: for the rest.
    """
    unknown = WeightsError(
        f"{path} does not tell what its network expects of its input; "
        f"say it with --convention, one of {', '.join(CONVENTIONS)}"
    )
    if architecture in EMBEDDED:
        first = next(key for key in parameter_shapes(architecture) if key.endswith(".kernel"))
        kernel, original = parameters[first], load_weights(architecture).parameters()[first]
        for convention, turned in ((CAFFE, kernel), (CAFFE_RGB, kernel[:, :, ::-1])):
            if _cosine(turned, original) > _ALIKE:
                # The original with another scale folded in was made for inputs other than 0..255.
                if 0.1 < np.linalg.norm(kernel) / np.linalg.norm(original) < 10:
                    return convention
                raise unknown
    for pattern, told in _NAMES.items():
        if any(re.search(pattern, convolution.name) for convolution in convolutions):
            return told
    raise unknown


def _cosine(kernel: np.ndarray, original: np.ndarray) -> float:
    """The mean cosine between filters `[H, W, I, O]` of the same number."""
    filters, originals = kernel.reshape(-1, kernel.shape[-1]), original.reshape(-1, original.shape[-1])
    lengths = np.linalg.norm(filters, axis=0) * np.linalg.norm(originals, axis=0)
    return float(((filters * originals).sum(axis=0) / np.maximum(lengths, 1e-30)).mean())
