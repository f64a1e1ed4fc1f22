"""Style files: a measured style as a safetensors file with a JSON record in its metadata.

The tensors are float32. `0.gram.relu1_1` (or another representation), `0.color`, `0.mean`, `0.second` and `0.grain` are
the attributes of `StyleStatistics` at the first of the record's sizes; those of the second size begin with `1.`, and
so on. All values are stored exactly. With the default layers, the Gram matrices of one size take 2.4 MB.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxstyle.arguments import check_type
from jaxstyle.errors import ConfigError, StyleError
from jaxstyle.images import PathLike, check_regular_file, check_target, path_in_errors, resolve_target, write_atomically
from jaxstyle.networks import ARCHITECTURES, POOLINGS
from jaxstyle.styles.measured import Style, StyleStatistics
from jaxstyle.styles.representations import REPRESENTATIONS, measure_features
from jaxstyle.weights import safetensors_metadata

SUFFIX = ".safetensors"
FORMAT = "jaxstyle-style-3"
_ADVICE = "save the style again"
_COLOR_SHAPES = {"color": (13, 8), "mean": (3,), "second": (3, 3), "grain": (4,)}
# Whether the value of an entry of the record is valid.
_IS_VALID: dict[str, Callable[[Any], bool]] = {
    "architecture": lambda value: isinstance(value, str) and value in ARCHITECTURES,
    "pooling": lambda value: value in POOLINGS,
    "weights_sha256": lambda value: isinstance(value, str),
    "sizes": lambda value: _is_list_of(int, value) and bool(value) and min(value) > 0,
    "layers": lambda value: _is_list_of(str, value) and len(set(value)) == len(value),
    "representation": lambda value: isinstance(value, str) and value in REPRESENTATIONS,
    "about": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, eq=False)
class StyleFile:
    """The content of a style file: the style, and `about`, JSON values that describe how it was made."""

    style: Style
    about: dict[str, Any]


def save_style(
    path: PathLike, style: Style, *, overwrite: bool = False, about: Mapping[str, Any] | None = None
) -> None:
    """Save a measured style to a file.

    All values are stored exactly. If writing fails, no partial file is left.

    Args:
        path: the file, with the suffix .safetensors, which distinguishes a saved style from a picture.
        style: from `measure_style` or `load_style`.
        overwrite: replace the file if it exists.
        about: JSON values to store with the style, such as `{"pictures": ["swirls.jpg"]}`.

    Raises:
        ConfigError: for another suffix, or something else than a style.
        StyleError: if the file cannot be written or exists already.
    """
    check_type("style", style, Style, "a Style: measure the picture first, by measure_style")
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in style_tensors(style).items()}
    record = {
        "format": FORMAT,
        "architecture": style.architecture,
        "pooling": style.pooling,
        "weights_sha256": style.digest,
        "sizes": list(style.sizes),
        "layers": list(style.layers),
        "representation": style.representation,
        "about": dict(about or {}),
    }
    # A single entry, because safetensors writes several entries in an order that varies between runs.
    metadata = {"jaxstyle": json.dumps(record)}
    _check_suffix(path)
    with path_in_errors(path, "written", StyleError) as file:
        target = resolve_target(file, StyleError, overwrite=overwrite)
        _make_style(record, tensors)  # never write a file that could not be read
        write_atomically(target, safetensors.numpy.save(tensors, metadata))


def check_style_writable(path: PathLike, *, overwrite: bool = False) -> None:
    """Raise the error that `save_style` would raise for this path, before any work is done."""
    _check_suffix(path)
    with path_in_errors(path, "written", StyleError) as file:
        check_target(file, StyleError, overwrite=overwrite)


def load_style(path: PathLike) -> Style:
    """Load a style saved by `save_style`, to use in place of a picture with the network that measured it.

    Raises:
        StyleError: if the file cannot be read, is not a style file, has another format version, or is damaged.
    """
    return read_style_file(path).style


def read_style_file(path: PathLike) -> StyleFile:
    """Like `load_style`, but return the whole content of the file."""
    with path_in_errors(path, "read", StyleError) as file:
        check_regular_file(file, StyleError, f"expected a saved style: name a {SUFFIX} file")
        content = file.read_bytes()
        record = _read_record(content)
        try:
            tensors = safetensors.numpy.load(content)
        except (safetensors.SafetensorError, KeyError, ValueError):  # KeyError: a dtype that NumPy does not have
            raise StyleError(f"is damaged or cut short; expected a complete style file: {_ADVICE}") from None
        return StyleFile(_make_style(record, tensors), record["about"])


def style_tensors(style: Style) -> dict[str, Any]:
    """The style's arrays by their names in a style file."""
    names = _tensor_names(style.representation, style.layers, len(style.sizes))
    return dict(zip(jax.tree.leaves(names), jax.tree.leaves(style.statistics), strict=True))


def replace_tensors(style: Style, tensors: Mapping[str, Any]) -> Style:
    """The style with other arrays, by the names of `style_tensors`."""
    names = _tensor_names(style.representation, style.layers, len(style.sizes))
    return dataclasses.replace(style, statistics=jax.tree.map(lambda name: tensors[name], names))


def _check_suffix(path: PathLike) -> None:
    with path_in_errors(path, "written", ConfigError) as file:
        if file.suffix.lower() != SUFFIX:
            found = f"has the suffix {file.suffix!r}" if file.suffix else "has no suffix"
            raise ConfigError(f"{found}; expected {SUFFIX}: choose another name")


def _read_record(content: bytes) -> dict[str, Any]:
    """The JSON record of a style file; StyleError if it has none, or another format."""
    try:
        record = json.loads(safetensors_metadata(content)["jaxstyle"])
        found = record["format"]
        record.setdefault("representation", "gram")  # absent from files written before there were other representations
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StyleError("is not a saved style, or is damaged; expected a file from jaxstyle style save") from None
    if found != FORMAT:
        raise StyleError(f"has the format {found!r}; expected {FORMAT!r}: name another file, or {_ADVICE}")
    return record


def _make_style(record: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> Style:
    """A style from a record and tensors; StyleError, naming every problem, if they do not fit."""
    wrong = [f"{name} {record.get(name)!r}" for name, is_valid in _IS_VALID.items() if not is_valid(record.get(name))]
    if wrong:
        raise StyleError(f"has a record with wrong values ({', '.join(wrong)}); expected them as written: {_ADVICE}")
    architecture, layers, sizes = record["architecture"], record["layers"], record["sizes"]
    if unknown := [layer for layer in layers if layer not in ARCHITECTURES[architecture].layers]:
        raise StyleError(f"was measured in layers that {architecture} does not have ({unknown}): {_ADVICE}")
    representation = record["representation"]
    names = _tensor_names(representation, layers, len(sizes))
    shape_of = _tensor_shapes(architecture, representation, layers)
    _check_tensors(tensors, {name: shape_of(name) for name in jax.tree.leaves(names)})
    return Style(
        statistics=jax.tree.map(lambda name: jax.device_put(tensors[name]), names),
        sizes=tuple(sizes),
        architecture=architecture,
        pooling=record["pooling"],
        digest=record["weights_sha256"],
        representation=representation,
    )


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _tensor_names(representation: str, layers: Sequence[str], levels: int) -> tuple[Any, ...]:
    """The statistics of a style with the names of tensors in place of arrays."""

    def names_at(level: int) -> StyleStatistics:
        measured: Any = {layer: f"{level}.{representation}.{layer}" for layer in layers}
        colors: Any = {name: f"{level}.{name}" for name in _COLOR_SHAPES}
        return StyleStatistics(measured, **colors)

    return tuple(map(names_at, range(levels)))


def _tensor_shapes(architecture: str, representation: str, layers: Sequence[str]) -> Callable[[str], tuple[int, ...]]:
    """A function from the name of a tensor to its shape, for these layers in this representation."""
    table = ARCHITECTURES[architecture]
    features = {
        layer: jax.ShapeDtypeStruct((1, 1, table.channels[layer]), jnp.float32)
        for layer in sorted(layers, key=table.layers.index)
    }
    measured = jax.eval_shape(partial(measure_features, representation), features)
    shapes = {layer: value.shape for layer, value in measured.items()} | _COLOR_SHAPES
    return lambda name: shapes[name.split(".")[-1]]


def _check_tensors(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise StyleError, naming every problem, unless the tensors are finite float32 and have exactly these shapes."""
    known = [(name, tensor, shapes[name]) for name, tensor in sorted(tensors.items()) if name in shapes]
    problems = {
        "missing": sorted(shapes.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - shapes.keys()),
        "wrong shape or dtype": [
            f"{name} {tensor.dtype}{list(tensor.shape)} instead of float32{list(shape)}"
            for name, tensor, shape in known
            if tensor.dtype != np.float32 or tensor.shape != shape
        ],
        "not finite": [name for name, tensor, _ in known if not np.isfinite(tensor).all()],
    }
    if any(problems.values()):
        listed = "; ".join(f"{problem}: {', '.join(names)}" for problem, names in problems.items() if names)
        raise StyleError(f"has wrong tensors ({listed}): {_ADVICE}")
