"""The arrays in nested dictionaries and lists, which is what many files contain, flattened to names: `model.vgg[0]`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.pickles import StandIn, Unpickler
from jaxstyle.weights.tensors import Array, QuantizedTensor, Tensor

Leaf = np.ndarray | Tensor | QuantizedTensor
# The state of optimizers has arrays of the shapes of the weights.
_OPTIMIZER = re.compile(r"(^|[./])(\w*optimizer\w*|optim|opt_state)($|[./\[])", re.IGNORECASE)


def arrays_in(content: Any) -> dict[str, Leaf]:
    """The arrays and tensors in nested dictionaries and lists by name, without those of optimizers."""
    return {name: value for name, value in _values_in(content) if isinstance(value, Leaf)}


def _values_in(content: Any) -> Iterator[tuple[str, Any]]:
    """All values in nested dictionaries and lists by name. A container that occurs again is not entered again."""
    visited: set[int] = set()
    remaining: list[tuple[str, Any]] = [("", content)]
    while remaining:
        name, value = remaining.pop()
        value = value.content if isinstance(value, Array) else value
        yield name, value
        if isinstance(value, dict | list | tuple) and id(value) not in visited:
            visited.add(id(value))
            remaining += reversed([pair for pair in _items(name, value) if not is_of_optimizer(pair[0])])


def is_of_optimizer(name: str) -> bool:
    """Whether an array with this name belongs to the state of an optimizer."""
    return _OPTIMIZER.search(name) is not None


def _items(name: str, container: dict | list | tuple) -> list[tuple[str, Any]]:
    # A pickle can set `items` of an object.
    pairs = dict.items(container) if isinstance(container, dict) else enumerate(container)
    return [(_extended(name, key), value) for key, value in pairs]


def _extended(name: str, key: Any) -> str:
    if isinstance(key, int):
        return f"{name}[{key}]"
    return f"{name}.{key}" if name else str(key)


def check_has_arrays(found: Mapping[str, Leaf], content: Any, unpickler: Unpickler) -> None:
    """Check what a pickle has, so that an error can name what it has instead of arrays.

    Raises:
        WeightsError: for a pickled module, and for content without arrays that is no dictionary or is not imported.
    """
    if any(len(value.shape) == 4 for value in found.values()):
        return
    if module := _module_in(content):
        raise WeightsError(
            f"has a pickled module ({module}), which needs its Python code; convert it in PyTorch: "
            "torch.save(model.state_dict(), 'state.pth')"
        )
    if found:
        return
    if unpickler.unknown:
        unknown = next(iter(unpickler.unknown))
        raise WeightsError(f"refers to {unknown!r}; expected only tensors: save only the state_dict")
    if not isinstance(content, dict):
        raise WeightsError(
            f"has a {type(content).__name__}; expected a dictionary of tensors: save only the state_dict"
        )


def _module_in(content: Any) -> str:
    """The class of a pickled module in the content, or an empty string."""
    modules = (value for _, value in _values_in(content) if isinstance(value, StandIn) and value.is_module)
    return next((module.reference for module in modules), "")
