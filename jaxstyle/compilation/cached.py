"""Compiled functions that are cached on disk as traced programs, for the next process.

JAX's compilation cache saves the next process the compilation, but not tracing and lowering, which take seconds and
were most of the time of a warm start. This cache holds the traced program, as StableHLO by `jax.export`.
"""

import hashlib
import inspect
import logging
import threading
import zlib
from collections.abc import Callable, Sequence
from functools import cache, update_wrapper
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

import jax
import jax.export

from jaxstyle.compilation.folder import CacheFolder
from jaxstyle.compilation.freed import return_freed_memory
from jaxstyle.compilation.outputs import register_with_jax
from jaxstyle.images import write_atomically

Result = TypeVar("Result")

# The traced programs depend on the versions of these libraries and on the sources of this package.
_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")

_cache_folder: CacheFolder | None = None


def set_cache_folder(folder: CacheFolder | None) -> None:
    """Cache traced programs in this folder from now on; None, the default, turns the cache off."""
    global _cache_folder
    _cache_folder = folder


class CachedFunction(Generic[Result]):
    """A function compiled by `jax.jit`, whose traced programs are cached on disk if `set_cache_folder` set a folder.

    While another function is traced, a call behaves like that of any jitted function. The module that defines a type of
    the outputs declares it with `register_output`.

    Attributes:
        jitted: the function compiled by `jax.jit`, without the cache.
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
        # Within another traced function, options of the compiler are an error, and nothing is donated.
        self._nested = jax.jit(function, static_argnames=static_argnames)
        self._function, self._signature = function, inspect.signature(function)
        self._static, self._donated, self._options = static_argnames, donate_argnames, compiler_options
        self._loaded: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Call the compiled function."""
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return self._nested(*args, **kwargs)
        if _cache_folder is None:
            return self.jitted(*args, **kwargs)
        static, arrays = self._bind(*args, **kwargs)
        return self._program(_cache_folder, static, arrays)(*jax.tree.leaves(arrays))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile for arguments like these, in which arrays may be `jax.ShapeDtypeStruct`; a later call is faster."""
        if _cache_folder is None:
            self.jitted.lower(*args, **kwargs).compile()
        else:
            static, arrays = self._bind(*args, **kwargs)
            program = self._program(_cache_folder, static, arrays)
            if not isinstance(program, jax.stages.Compiled):  # which later calls use: they would compile again
                self._loaded[self._key(static, arrays)] = program.lower(*jax.tree.leaves(arrays)).compile()
        return_freed_memory()

    def _bind(self, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments that are compiled into the program, and the others."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        static = {name: value for name, value in bound.arguments.items() if name in self._static}
        arrays = {name: value for name, value in bound.arguments.items() if name not in self._static}
        return static, arrays

    def _program(self, folder: CacheFolder, static: dict[str, Any], arrays: dict[str, Any]) -> Any:
        """The jitted function of the leaves of these arrays."""
        key = self._key(static, arrays)
        with self._lock:  # otherwise several threads would compile the same program
            if key not in self._loaded:
                self._loaded[key] = self._load(folder, self._file_name(key), static, arrays)
        return self._loaded[key]

    def _key(self, static: dict[str, Any], arrays: dict[str, Any]) -> tuple[Any, ...]:
        leaves, structure = jax.tree.flatten(arrays)
        return (*static.items(), structure, *map(_type_of, leaves), repr(jax.config.values))

    def _file_name(self, key: tuple[Any, ...]) -> str:
        """A file name that identifies everything that the traced program depends on."""
        function = f"{self._function.__module__}.{self._function.__qualname__}"  # others may have the same short name
        identity = (function, _versions_and_sources(), jax.default_backend(), *key)
        return f"{self._function.__name__}-{hashlib.sha256(repr(identity).encode()).hexdigest()}"

    def _load(self, folder: CacheFolder, name: str, static: dict[str, Any], arrays: dict[str, Any]) -> Any:
        """The program for these arguments, read from the cache, or traced and written to the cache."""
        register_with_jax()
        try:
            program = _read(folder.traced / name)
        except Exception as error:  # trace again if the file is missing or damaged
            logging.getLogger(__name__).debug("no cached program: %s", error)
            program = self._trace(static, arrays)
            _write(folder, name, program)
        donated = {name: jax.tree.map(lambda _, name=name: name in self._donated, arrays[name]) for name in arrays}
        return jax.jit(
            self._named(program.call),
            donate_argnums=[index for index, is_donated in enumerate(jax.tree.leaves(donated)) if is_donated],
            compiler_options=self._options,
        )

    def _named(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call with the function's name, which JAX's compilation cache and profiles use."""

        def named(*leaves: jax.Array) -> Any:
            return call(*leaves)

        named.__name__ = self._function.__name__
        return named

    def _trace(self, static: dict[str, Any], arrays: dict[str, Any]) -> jax.export.Exported:
        leaves, structure = jax.tree.flatten(arrays)

        def from_leaves(*leaves: jax.Array) -> Result:
            return self._function(**jax.tree.unflatten(structure, leaves), **static)

        return jax.export.export(jax.jit(self._named(from_leaves)))(*leaves)


def _type_of(leaf: Any) -> jax.core.ShapedArray:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return jax.core.ShapedArray(leaf.shape, leaf.dtype) if is_shape else jax.typeof(leaf)


def _read(path: Path) -> jax.export.Exported:
    return jax.export.deserialize(bytearray(zlib.decompress(path.read_bytes())))


def _write(folder: CacheFolder, name: str, program: jax.export.Exported) -> None:
    try:
        data = zlib.compress(program.serialize())
        folder.traced.mkdir(parents=True, exist_ok=True)
        write_atomically(folder.traced / name, data)
        folder.evict()
    except Exception as error:  # a full or unwritable folder, or an undeclared type
        logging.getLogger(__name__).debug("program not cached: %s", error)


@cache
def _versions_and_sources() -> tuple[str, ...]:
    """The versions of the libraries, and a digest of this package's sources."""
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        sources.update(path.read_bytes())
    return *map(metadata.version, _LIBRARIES), sources.hexdigest()
