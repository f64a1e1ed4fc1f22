"""The style file: a measured style as a safetensors file with one JSON record in its metadata.

Tensors are float32: `0.gram.relu1_1` (or another representation's), `0.color`, `0.mean` and `0.second` are what
`StyleStatistics` has at the first of the record's sizes, and so on. Everything is kept exactly; with the default
layers, Gram matrices of a size take 2.4 MB.
"""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxstyle.config import REPRESENTATIONS
from jaxstyle.errors import StyleError
from jaxstyle.images.files import PathLike, check_regular_file, path_in_errors, resolve_target, write_atomically
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.networks.network import POOLINGS
from jaxstyle.styles.measured import Style, StyleStatistics
from jaxstyle.styles.representations import measure_features

SUFFIX = ".safetensors"
FORMAT = "jaxstyle-style-1"
_AGAIN = "save the style again"
_COLOR_SHAPES = {"color": (13, 8), "mean": (3,), "second": (3, 3)}
# What the entries of a record have to be.
_HOLDS: dict[str, Callable[[Any], bool]] = {
    "architecture": lambda value: isinstance(value, str) and value in ARCHITECTURES,
    "pooling": lambda value: value in POOLINGS,
    "weights_sha256": lambda value: isinstance(value, str),
    "sizes": lambda value: _lists(value, int) and bool(value) and min(value) > 0,
    "layers": lambda value: _lists(value, str) and len(set(value)) == len(value),
    "representation": lambda value: isinstance(value, str) and value in REPRESENTATIONS,
    "about": lambda value: isinstance(value, dict),
}


@dataclass(frozen=True, eq=False)
class StyleFile:
    """The content of a style file; `about` tells in plain values what the style was made of."""

    style: Style
    about: dict[str, Any]


def save_style(
    path: PathLike, style: Style, *, overwrite: bool = False, about: Mapping[str, Any] | None = None
) -> None:
    """Write a measured style to a file, exactly, and whole or not at all.

    Args:
        path: where to; it ends in .safetensors, by which the command tells a saved style from a picture.
        style: from `measure_style` or `load_style`.
        overwrite: replace the file if it exists.
        about: plain values that JSON can hold and that travel with it, such as `{"pictures": ["swirls.jpg"]}`.

    Raises:
        StyleError: if the file cannot be written, exists already, or has another suffix.
    """
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
    # One entry, because safetensors writes several in an order that changes from run to run.
    metadata = {"jaxstyle": json.dumps(record)}
    with path_in_errors(path, "written", StyleError) as file:
        target = _target(file, overwrite)
        _style(record, tensors)  # what cannot be read must not be written
        write_atomically(target, safetensors.numpy.save(tensors, metadata))


def check_style_writable(path: PathLike, *, overwrite: bool = False) -> None:
    """Raise, before any work, what `save_style` would about the path."""
    with path_in_errors(path, "written", StyleError) as file:
        tempfile.TemporaryFile(dir=_target(file, overwrite).parent).close()


def load_style(path: PathLike) -> Style:
    """Read a style that `save_style` wrote, for use in place of a picture, with the network that measured it.

    Raises:
        StyleError: if the file cannot be read, is no style file or one of another version, or is damaged.
    """
    return read_style_file(path).style


def read_style_file(path: PathLike) -> StyleFile:
    """`load_style`, with what else the file says."""
    with path_in_errors(path, "read", StyleError) as file:
        check_regular_file(file, StyleError, f"expected a saved style: name a {SUFFIX} file")
        content = file.read_bytes()
        record = _record(content)
        try:
            tensors = safetensors.numpy.load(content)
        except (safetensors.SafetensorError, KeyError, ValueError):  # KeyError: a type that NumPy does not have
            raise StyleError(f"is damaged or cut short; expected a whole style file: {_AGAIN}") from None
        return StyleFile(_style(record, tensors), record["about"])


def style_tensors(style: Style) -> dict[str, Any]:
    """A style's arrays by their names in a style file."""
    names = _names(style.representation, style.layers, len(style.sizes))
    return dict(zip(jax.tree.leaves(names), jax.tree.leaves(style.statistics), strict=True))


def replace_tensors(style: Style, tensors: Mapping[str, Any]) -> Style:
    """The style with other arrays, given as by `tensors_of`."""
    names = _names(style.representation, style.layers, len(style.sizes))
    return dataclasses.replace(style, statistics=jax.tree.map(lambda name: tensors[name], names))


def _target(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() != SUFFIX:
        raise StyleError(f"ends in {path.suffix!r}; expected {SUFFIX}: choose a name that ends so")
    return resolve_target(path, StyleError, overwrite=overwrite)


def _record(content: bytes) -> dict[str, Any]:
    """The JSON record in a style file, if it is of this format."""
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        record = json.loads(header["__metadata__"]["jaxstyle"])
        found = record["format"]
        record.setdefault("representation", "gram")  # files from before there were others
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StyleError("is no saved style, or is damaged; expected one as jaxstyle style save makes them") from None
    if found != FORMAT:
        raise StyleError(f"is a file of {found!r}; expected {FORMAT!r}: name another, or {_AGAIN} with this jaxstyle")
    return record


def _style(record: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> Style:
    """The style that a record and tensors make; StyleError, naming what is wrong, if they make none."""
    if wrong := [f"{name} {record.get(name)!r}" for name, holds in _HOLDS.items() if not holds(record.get(name))]:
        raise StyleError(f"has a record that is wrong ({', '.join(wrong)}); expected one as written: {_AGAIN}")
    architecture, layers, sizes = record["architecture"], record["layers"], record["sizes"]
    if unknown := [layer for layer in layers if layer not in ARCHITECTURES[architecture].layers]:
        raise StyleError(f"was measured in layers that {architecture} does not have ({unknown}): {_AGAIN}")
    representation = record["representation"]
    names = _names(representation, layers, len(sizes))
    shape_of = _shape_of(architecture, representation, layers)
    _check_tensors(tensors, {name: shape_of(name) for name in jax.tree.leaves(names)})
    return Style(
        statistics=jax.tree.map(lambda name: jax.device_put(tensors[name]), names),
        sizes=tuple(sizes),
        architecture=architecture,
        pooling=record["pooling"],
        digest=record["weights_sha256"],
        representation=representation,
    )


def _lists(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _names(representation: str, layers: Sequence[str], levels: int) -> tuple[Any, ...]:
    """Statistics with the names of tensors in the places of arrays."""

    def at(level: int) -> StyleStatistics:
        measured: Any = {layer: f"{level}.{representation}.{layer}" for layer in layers}
        colors: Any = {name: f"{level}.{name}" for name in _COLOR_SHAPES}
        return StyleStatistics(measured, **colors)

    return tuple(map(at, range(levels)))


def _shape_of(architecture: str, representation: str, layers: Sequence[str]) -> Callable[[str], tuple[int, ...]]:
    """The shape of every tensor by its name, when these layers are measured so."""
    known = ARCHITECTURES[architecture]
    some = {
        layer: jax.ShapeDtypeStruct((1, 1, known.channels[layer]), jnp.float32)
        for layer in sorted(layers, key=known.layers.index)
    }
    measured = jax.eval_shape(partial(measure_features, representation), some)
    shapes = {layer: value.shape for layer, value in measured.items()} | _COLOR_SHAPES
    return lambda name: shapes[name.split(".")[-1]]


def _check_tensors(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise StyleError, naming every misfit, unless these are float32 tensors of these shapes, and finite."""
    both = [(name, tensor, shapes[name]) for name, tensor in sorted(tensors.items()) if name in shapes]
    misfits = {
        "missing": sorted(shapes.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - shapes.keys()),
        "of the wrong shape or type": [
            f"{name} {tensor.dtype}{list(tensor.shape)} instead of float32{list(shape)}"
            for name, tensor, shape in both
            if tensor.dtype != np.float32 or tensor.shape != shape
        ],
        "not finite": [name for name, tensor, _ in both if not np.isfinite(tensor).all()],
    }
    if any(misfits.values()):
        listed = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in misfits.items() if names)
        raise StyleError(f"holds no whole style ({listed}): {_AGAIN}")
