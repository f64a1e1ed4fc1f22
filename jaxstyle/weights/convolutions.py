"""The convolutions among named arrays: kernels with their biases, in order, with batch normalization folded."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.content import is_of_optimizer

# The last word of kernels' names and those of their biases: PyTorch; TF-Slim; Keras; early Keras, NumPy archives;
# MatConvNet's SimpleNN and its two ways of naming in a DagNN.
_BIAS_NAMES = {
    "weight": ("bias",),
    "weights": ("biases", "bias"),
    "kernel": ("bias",),
    "W": ("b",),
    "filters": ("biases",),
    "filter": ("bias",),
    "f": ("b",),
}
_KERNEL_NAME = re.compile(rf"(?<![A-Za-z])({'|'.join(_BIAS_NAMES)})((?:_\d+)?(?::0|/\.ATTRIBUTES/VARIABLE_VALUE)?)$")
# Arrays with a number instead: items of a list, Keras 3 and Caffe (`conv1_1/0`), numpy.savez, copies of Keras of 2015.
# The bias follows its kernel.
_NUMBERED = re.compile(r"(?:\[|/|\barr_|\bparam_)(\d+)\]?$")
# Convolutions and the batch normalizations after them in torchvision's GoogLeNet, and in EfficientNet-Lite for PyTorch.
_NORMALIZATION_NAMES = (
    (r"\bconv\.weight$", "bn."),
    (r"\b(_conv_stem|_expand_conv)\.weight$", "_bn0."),
    (r"\b(_conv_head|_depthwise_conv)\.weight$", "_bn1."),
    (r"\b_project_conv\.weight$", "_bn2."),
)
# In the VGGs of torchvision and timm, the normalization of `features.0` is `features.1`.
_IN_SEQUENCE = re.compile(r"\bfeatures\.(\d+)\.weight$")
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_EPSILON = 1e-3  # of both; the files do not contain it
_EPSILON_IN_SEQUENCE = 1e-5  # PyTorch's default
# What only batch normalizations have in their names: the statistics, or the usual names of layers.
_NORMALIZATION = re.compile(r"(running|moving)_(mean|var)|batch_?norm|(?<![a-z])bn(?![a-z])", re.IGNORECASE)
# Numbers of 8 bits and less: GPTQ, AWQ; bitsandbytes.
_PACKED = re.compile(r"\.(qweight|SCB|absmax|quant_state\.\w+)$")
# Scales beside a kernel `conv.weight`: those that begin with its name, and those in place of its last word.
_SCALES_OF_NAME = ("_scale", "_scales", "_scale_inv", ".scale", "._scale")
_SCALES_OF_LAYER = ("scale", "scales", "scale_weight")
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
    """A kernel of rank 4, in the layout of the file, and its bias `[O]`, both in float32 or float64."""

    name: str
    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Layers:
    """The layers in a file.

    Attributes:
        convolutions: the convolutions with biases, in the order of computation.
        normalizations: names in batch normalizations that are not folded into convolutions.
        kernels: names, shapes and types of all arrays with four axes, for errors.
        integers: the same of kernels of integers, and names that only packed numbers have, for errors.
    """

    convolutions: Sequence[Convolution]
    normalizations: Sequence[str] = ()
    kernels: Sequence[str] = ()
    integers: Sequence[str] = ()


def layers_among(path: Path, arrays: Mapping[str, np.ndarray]) -> Layers:
    """The layers among the arrays of a file, in the order of their names.

    Raises:
        WeightsError: for a batch normalization of which something is missing, and for kernels of an unknown type or
            with a scale.
    """
    names = arrays.keys()
    try:
        arrays = {
            name: widen(name, array)
            for name, array in arrays.items()
            if (array.ndim == 4 or _is_vector(array)) and not is_of_optimizer(name)
        }
        arrays = _fold_batch_norms(arrays)
        normalizations = [name for name in arrays if _NORMALIZATION.search(name)] + _unnamed_normalizations(arrays)
        kernels = [_described(name, array) for name, array in arrays.items() if array.ndim == 4]
        named = {name: array for name, array in arrays.items() if _bias_names(name)}  # pictures have other names
        integers = [*integer_kernels(named), *filter(_PACKED.search, names)]
        return Layers(list(_pair(arrays, names)), normalizations, kernels, integers)
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None


def integer_kernels(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """The names, shapes and types of kernels of integers, in the order of their names."""
    found = {name: array for name, array in arrays.items() if array.ndim == 4 and array.dtype.kind in "iu"}
    return [_described(name, found[name]) for name in sorted(found, key=_sort_key)]


def _described(name: str, array: np.ndarray) -> str:
    return f"{name} {list(array.shape)} {array.dtype}"


def widen(name: str, array: np.ndarray) -> np.ndarray:
    """The array, as float32 if it has floats of less than 32 bits."""
    dtype = array.dtype
    if dtype.kind == "V" and dtype.names is None and "float" not in dtype.name:
        # NumPy's files and h5py do not know bfloat16, and write it as two bytes without a type.
        if dtype.itemsize == 2:
            return array.view(ml_dtypes.bfloat16).astype(np.float32)
        if array.ndim == 4:
            raise WeightsError(f"has numbers of an unknown type in {name}; save them as float32")
    return array.astype(np.float32) if "float" in dtype.name and dtype.itemsize < 4 else array


def _pair(arrays: Mapping[str, np.ndarray], names: Collection[str]) -> Iterator[Convolution]:
    """Kernels with their biases, in the order of their names; `names` are those of all arrays in the file."""
    for name in sorted(arrays, key=_sort_key):
        kernel = arrays[name]
        if kernel.ndim != 4 or kernel.dtype.kind != "f":
            continue
        for bias_name in _bias_names(name):
            bias = arrays.get(bias_name)
            if bias is not None and _is_bias(bias, kernel):
                _check_unscaled(name, names)
                yield Convolution(name, kernel, bias.reshape(-1))
                break


def _bias_names(name: str) -> list[str]:
    if match := _KERNEL_NAME.search(name):
        word, end = match.groups()
        return [f"{name[: match.start()]}{bias}{end}" for bias in _BIAS_NAMES[word]]
    if match := _NUMBERED.search(name):
        return [_following(match, 1)]
    return []


def _following(match: re.Match, steps: int) -> str:
    """The name with a number that is larger by `steps`."""
    begin, end = match.span(1)
    return f"{match.string[:begin]}{int(match[1]) + steps}{match.string[end:]}"


def _is_bias(bias: np.ndarray, kernel: np.ndarray) -> bool:
    """Whether an array has one number for each output."""
    return _is_vector(bias) and bias.dtype.kind == "f" and bias.size in (kernel.shape[0], kernel.shape[-1])


def _is_vector(array: np.ndarray) -> bool:
    """Whether an array has one axis, or one that is longer than 1: MATLAB's vectors have two."""
    return array.ndim in (1, 2) and array.size == max(array.shape)


def _check_unscaled(name: str, names: Collection[str]) -> None:
    """Raise WeightsError for kernels of 8 bits with a scale, which is stored beside them in several ways."""
    layer = _KERNEL_NAME.sub("", name)
    scales = [name + end for end in _SCALES_OF_NAME]
    if layer != name:
        scales += [layer + end for end in _SCALES_OF_LAYER]
    for scale in scales:
        if scale in names:
            raise WeightsError(
                f"has a scaled kernel ({name}, {scale}); multiply it by its scale, and save it as float32"
            )


def _unnamed_normalizations(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Batch normalizations with numbers for names.

    In a list of a network's arrays, vectors that follow the bias of a convolution belong to a normalization. In Keras 3
    a normalization has four vectors.
    """
    found = []
    for name, array in arrays.items():
        if not (match := _NUMBERED.search(name)):
            continue
        if "vars/" in name:
            vectors = [arrays.get(_following(match, step)) for step in range(4)]
            is_normalization = all(vector is not None and vector.shape == array.shape for vector in vectors)
            if array.ndim == 1 and name.endswith("vars/0") and is_normalization:
                found.append(name)
        elif array.ndim == 4:
            after = arrays.get(_following(match, 2))
            if after is not None and after.ndim == 1:
                found.append(_following(match, 2))
    return found


def _sort_key(name: str) -> tuple[list[tuple[int, str]], bool]:
    """A key that sorts `features.2` before `features.10`, and `3x3_reduce` before `3x3`, which follows it."""
    for text, replacement in _ORDER.items():
        name = name.replace(text, replacement)
    numbers = re.split(r"(\d+)", name.replace("_reduce", ""))
    return [(int(text), "") if text.isdigit() else (-1, text) for text in numbers], "_reduce" not in name


def _fold_batch_norms(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, with known batch normalizations folded into the kernels and biases of their convolutions.

    (x - mean) / sqrt(variance + epsilon) * weight + bias of a convolution's result x is another convolution
    (Ioffe and Szegedy, arXiv 1502.03167, section 3.1).
    """
    folded = dict(arrays)
    for name, array in arrays.items():
        if array.ndim != 4 or (normalization := _normalization_of(name, arrays)) is None:
            continue
        prefix, epsilon = normalization
        statistics = [prefix + kind for kind in _STATISTICS]
        if missing := [statistic for statistic in statistics if statistic not in arrays]:
            raise WeightsError(f"lacks {', '.join(missing)}, which {name} needs; save the whole state_dict")
        gain, bias, mean, variance = (folded.pop(statistic).astype(np.float64) for statistic in statistics)
        scale = gain / np.sqrt(variance + epsilon)
        bias_name = f"{name.removesuffix('weight')}bias"
        folded[name] = (array * scale[:, None, None, None]).astype(np.float32)
        folded[bias_name] = (bias + (arrays.get(bias_name, 0.0) - mean) * scale).astype(np.float32)
    return folded


def _normalization_of(name: str, arrays: Mapping[str, np.ndarray]) -> tuple[str, float] | None:
    """What the names of a kernel's batch normalization begin with, and its epsilon; None if it has none."""
    for pattern, replacement in _NORMALIZATION_NAMES:
        prefix = re.sub(pattern, replacement, name)
        if prefix != name and any(prefix + kind in arrays for kind in _STATISTICS):
            return prefix, _EPSILON
    if match := _IN_SEQUENCE.search(name):
        prefix = f"{name[: match.start(1)]}{int(match[1]) + 1}."
        if f"{prefix}running_mean" in arrays:
            return prefix, _EPSILON_IN_SEQUENCE
    return None
