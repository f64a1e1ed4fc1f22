"""Reading networks of MatConvNet (https://www.vlfeat.org/matconvnet/) in MATLAB's files.

A SimpleNN has a cell array `layers` of structures with `weights` (a cell array of kernel and bias), or `filters` and
`biases` in early files. A DagNN has `params`, structures with `name` and `value`. Kernels are HWIO. Files of version 5
are read by SciPy, those of version 7.3, which are HDF5, by h5py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle.weights.content import arrays_in


def read_version_5(path: Path) -> Any:
    """The variables as dictionaries (structures), lists (cell arrays and arrays of structures), strings and arrays."""
    import scipy.io

    # MATLAB stores numbers in smaller types where they fit; mat_dtype restores the types.
    variables = scipy.io.loadmat(path, struct_as_record=True, squeeze_me=False, mat_dtype=True)
    return {name: _simplify(value) for name, value in variables.items() if not name.startswith("__")}


def _simplify(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:  # an array of structures
        items = [{name: _simplify(item[name]) for name in value.dtype.names} for item in value.ravel(order="F")]
        return items[0] if len(items) == 1 else items
    if value.dtype.hasobject:  # a cell array
        return [_simplify(item) for item in value.ravel(order="F")]
    return "".join(value.ravel()) if value.dtype.kind == "U" else value


def read_version_7(file: Any) -> Any:
    """The same from an h5py.File."""
    return {name: _dereference(file, item) for name, item in file.items() if not name.startswith("#")}


def _dereference(file: Any, item: Any) -> Any:
    if hasattr(item, "items"):  # a group: a structure
        return _structure({name: _dereference(file, value) for name, value in item.items()})
    if item.dtype.hasobject:  # a cell array, or a field of an array of structures; MATLAB's axes are reversed
        return [_dereference(file, file[reference]) for reference in item[()].ravel()]
    if item.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, item[()].ravel()))
    return item[()].T


def _structure(fields: dict[str, Any]) -> Any:
    """The structures of an array of structures, which is stored as one list for each field."""
    lengths = {len(value) if isinstance(value, list) else 0 for value in fields.values()}
    if "name" in fields and len(lengths) == 1 and lengths != {0}:
        return [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]
    return fields


def named_arrays(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a network by name: `layers[2].weights[0]`, or those in `params`, such as `conv1_1f`."""
    network = _network(variables)
    if params := _structures(network, "params"):
        network = {str(item.get("name")): item.get("value") for item in params}
    return {name: value for name, value in arrays_in(network).items() if isinstance(value, np.ndarray)}


def normalizations(variables: Mapping[str, Any]) -> list[str]:
    """The names of the layers that are batch normalizations."""
    layers = _structures(_network(variables), "layers")
    return [str(layer.get("name")) for layer in layers if layer.get("type") in ("bnorm", "dagnn.BatchNorm")]


def _network(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables, or the structure among them that is a network."""
    structures = [value for value in variables.values() if isinstance(value, dict)]
    return dict(next((value for value in [variables, *structures] if "layers" in value), variables))


def _structures(network: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    items = network.get(field)
    return [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
