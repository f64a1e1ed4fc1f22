"""The types that outputs of cached functions contain, so that `jax.export` can write and read their structure."""

import ast
import threading
from contextlib import suppress
from typing import TypeVar

import jax.export

Output = TypeVar("Output", bound=type)

_lock = threading.Lock()
_unregistered: list[type] = []


def register_output(cls: Output) -> Output:
    """Declare a dataclass of `flax.struct` or a NamedTuple that outputs of a `CachedFunction` contain, and return it.

    Fields of a `flax.struct` dataclass that are no pytree nodes must be literals: numbers, strings, None, or tuples of
    them. A program whose outputs contain another type is not cached.
    """
    _unregistered.append(cls)
    return cls


def register_with_jax() -> None:
    """Register the declared types with `jax.export`, just before the first program is read or written.

    The registry of `jax.export` is global and rejects a second registration of a type. Other programs that export
    functions register types of optax themselves, so importing this package registers nothing.
    """
    with _lock:
        while _unregistered:
            cls = _unregistered.pop()
            with suppress(ValueError):  # it is registered already, under a name that serves as well
                _register(cls, f"{cls.__module__}.{cls.__qualname__}")


def _register(cls: type, name: str) -> None:
    if issubclass(cls, tuple):
        jax.export.register_namedtuple_serialization(cls, serialized_name=name)
        return
    jax.export.register_pytree_node_serialization(
        cls,
        serialized_name=name,
        serialize_auxdata=lambda fields: repr(fields).encode(),
        deserialize_auxdata=lambda data: ast.literal_eval(data.decode()),
    )
