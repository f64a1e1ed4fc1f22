"""Programs that are kept as they are after tracing, for the next process.

The compiler's cache spares that process the compilation, but Python traces and lowers a step for seconds before it can
so much as ask there; that was most of a warm start. What is kept is the outcome, as StableHLO by `jax.export`.
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

from jaxstyle.files import write_whole

Result = TypeVar("Result")

# What decides what is traced, beside this package.
_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy")

_folder: Path | None = None


def keep_in(folder: Path | None) -> None:
    """Keep programs in this folder from now on, or nowhere, as at first; for a process that nobody else configures."""
    global _folder
    _folder = folder


class Kept(Generic[Result]):
    """A compiled function, with options as of `jax.jit`, that is kept once `keep_in` has said where.

    Inside another program it is a part of that one, as any compiled function is.

    Attributes:
        jitted: the function by `jax.jit` alone.
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
        self._programs: dict[tuple[Any, ...], Callable[..., Result]] = {}
        self._one_at_a_time = threading.Lock()
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Call the function, as one compiled program."""
        if _folder is None:
            return self.jitted(*args, **kwargs)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        static = {name: value for name, value in bound.arguments.items() if name in self._static}
        arrays = {name: value for name, value in bound.arguments.items() if name not in self._static}
        leaves, structure = jax.tree.flatten(arrays)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self.jitted(*args, **kwargs)
        key = (*static.items(), structure, *map(jax.typeof, leaves), repr(jax.config.values))
        with self._one_at_a_time:  # or several threads would compile one program
            if key not in self._programs:
                self._programs[key] = self._load(_folder / self._file_name(key), static, arrays)
        return self._programs[key](leaves)

    def _file_name(self, key: tuple[Any, ...]) -> str:
        """For all that tracing depends on: what may change between calls, and between processes."""
        what = (_origin(), jax.default_backend(), *key)
        return f"{self._function.__name__}-{hashlib.sha256(repr(what).encode()).hexdigest()}"

    def _load(self, path: Path, static: dict[str, Any], arrays: dict[str, Any]) -> Callable[..., Result]:
        """The program of these arguments, read, or else traced and written."""
        try:
            program, structure = _read(path)
        except Exception as error:  # a damaged file, like a missing one, costs time and nothing else
            logging.getLogger(__name__).debug("traced anew: %s", error)
            program, structure = self._trace(static, arrays)
            _write(path, program, structure)
        donated = {name: jax.tree.map(lambda _, name=name: name in self._donated, arrays[name]) for name in arrays}
        call = jax.jit(
            self._named(program.call),
            donate_argnums=[index for index, given in enumerate(jax.tree.leaves(donated)) if given],
            compiler_options=self._options,
        )
        return lambda leaves: jax.tree.unflatten(structure, call(*leaves))

    def _named(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Under the function's name, which is that of the program in the compiler's cache and in profiles."""

        def named(*leaves: jax.Array) -> Any:
            return call(*leaves)

        named.__name__ = self._function.__name__
        return named

    def _trace(self, static: dict[str, Any], arrays: dict[str, Any]) -> tuple[jax.export.Exported, Any]:
        leaves, inputs = jax.tree.flatten(arrays)
        outputs = None

        def flat(*leaves: jax.Array) -> list[jax.Array]:
            nonlocal outputs
            results, outputs = jax.tree.flatten(self._function(**jax.tree.unflatten(inputs, leaves), **static))
            return results

        return jax.export.export(jax.jit(self._named(flat)))(*leaves), outputs


def _read(path: Path) -> tuple[jax.export.Exported, Any]:
    # Python's own format holds the kinds of trees. Whoever may write here may also write programs for the compiler's
    # cache, which are run as they are.
    program, structure = pickle.loads(zlib.decompress(path.read_bytes()))
    return jax.export.deserialize(bytearray(program)), structure


def _write(path: Path, program: jax.export.Exported, structure: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, zlib.compress(pickle.dumps((bytes(program.serialize()), structure))))
    except OSError as error:
        logging.getLogger(__name__).debug("not kept: %s", error)


@cache
def _origin() -> tuple[str, ...]:
    """The versions of the libraries, and a digest of this package's own sources."""
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        sources.update(path.read_bytes())
    return *map(metadata.version, _LIBRARIES), sources.hexdigest()
