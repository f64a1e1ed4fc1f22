"""Compiled functions that are cached on disk as traced programs, for the next process.

JAX's compilation cache saves that process the compilation, but it has to trace and lower a step for seconds before it
can look there; that was most of a warm start. What is cached here is the traced program, as StableHLO by `jax.export`.
"""

import hashlib
import inspect
import logging
import pickle
import threading
import zlib
from collections.abc import Callable, Sequence
from functools import cache, update_wrapper
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

import jax
import jax.export

from jaxstyle.images.files import write_atomically

Result = TypeVar("Result")

# Their versions, together with the sources of this package, determine what is traced.
_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")

_cache_folder: Path | None = None


def set_cache_folder(folder: Path | None) -> None:
    """Cache traced programs in this folder from now on; None, the default, turns the cache off."""
    global _cache_folder
    _cache_folder = folder


class CachedFunction(Generic[Result]):
    """A function compiled by `jax.jit`, whose traced programs are cached if `set_cache_folder` has named a folder.

    Called while another function is traced, it becomes part of that one, as any jitted function.

    Attributes:
        jitted: the function by `jax.jit`, without the cache.
    """

    def __init__(
        self,
        function: Callable[..., Result],
        *,
        static_argnames: Sequence[str] = (),
        donate_argnames: Sequence[str] = (),
        compiler_options: dict[str, bool | str] | None = None,
    ) -> None:
        self.jitted = jax.jit(
            function,
            static_argnames=static_argnames,
            donate_argnames=donate_argnames,
            compiler_options=compiler_options,
        )
        self._function, self._signature = function, inspect.signature(function)
        self._static, self._donated, self._options = static_argnames, donate_argnames, compiler_options
        self._loaded: dict[tuple[Any, ...], Callable[..., Result]] = {}
        self._lock = threading.Lock()
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Call the function, as one compiled program."""
        if _cache_folder is None:
            return self.jitted(*args, **kwargs)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        static = {name: value for name, value in bound.arguments.items() if name in self._static}
        arrays = {name: value for name, value in bound.arguments.items() if name not in self._static}
        leaves, structure = jax.tree.flatten(arrays)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self.jitted(*args, **kwargs)
        key = (*static.items(), structure, *map(jax.typeof, leaves), repr(jax.config.values))
        with self._lock:  # otherwise several threads would compile the same program
            if key not in self._loaded:
                self._loaded[key] = self._load(_cache_folder / self._file_name(key), static, arrays)
        return self._loaded[key](leaves)

    def _file_name(self, key: tuple[Any, ...]) -> str:
        """A name that depends on everything that tracing depends on, within a process and between processes."""
        identity = (_versions_and_sources(), jax.default_backend(), *key)
        return f"{self._function.__name__}-{hashlib.sha256(repr(identity).encode()).hexdigest()}"

    def _load(self, path: Path, static: dict[str, Any], arrays: dict[str, Any]) -> Callable[..., Result]:
        """The program for these arguments, read from the cache, or traced and written to it."""
        try:
            program, structure = _read(path)
        except Exception as error:  # a damaged file costs time and nothing else, like a missing one
            logging.getLogger(__name__).debug("no cached program: %s", error)
            program, structure = self._trace(static, arrays)
            _write(path, program, structure)
        donated = {name: jax.tree.map(lambda _, name=name: name in self._donated, arrays[name]) for name in arrays}
        call = jax.jit(
            self._named(program.call),
            donate_argnums=[index for index, is_donated in enumerate(jax.tree.leaves(donated)) if is_donated],
            compiler_options=self._options,
        )
        return lambda leaves: jax.tree.unflatten(structure, call(*leaves))

    def _named(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call under the function's name, which names the program in JAX's compilation cache and in profiles."""

        def named(*leaves: jax.Array) -> Any:
            return call(*leaves)

        named.__name__ = self._function.__name__
        return named

    def _trace(self, static: dict[str, Any], arrays: dict[str, Any]) -> tuple[jax.export.Exported, Any]:
        leaves, input_structure = jax.tree.flatten(arrays)
        output_structure = None

        def flat(*leaves: jax.Array) -> list[jax.Array]:
            nonlocal output_structure
            outputs = self._function(**jax.tree.unflatten(input_structure, leaves), **static)
            output_leaves, output_structure = jax.tree.flatten(outputs)
            return output_leaves

        return jax.export.export(jax.jit(self._named(flat)))(*leaves), output_structure


def _read(path: Path) -> tuple[jax.export.Exported, Any]:
    # The structure of the outputs is pickled. Whoever can write here can also write compiled programs to JAX's
    # cache, which are run as they are.
    program, structure = pickle.loads(zlib.decompress(path.read_bytes()))
    return jax.export.deserialize(bytearray(program)), structure


def _write(path: Path, program: jax.export.Exported, structure: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, zlib.compress(pickle.dumps((bytes(program.serialize()), structure))))
    except OSError as error:
        logging.getLogger(__name__).debug("program not cached: %s", error)


@cache
def _versions_and_sources() -> tuple[str, ...]:
    """The versions of the libraries, and a digest of this package's sources."""
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        sources.update(path.read_bytes())
    return *map(metadata.version, _LIBRARIES), sources.hexdigest()
