"""Structures of outputs in cached programs: of the types of this package, of other types, and of nested ones."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.compilation import CachedFunction, CacheFolder, register_output, set_cache_folder
from jaxstyle.compilation.outputs import register_with_jax
from jaxstyle.config import OPTIMIZERS
from jaxstyle.networks import Network, convolution
from jaxstyle.networks.winograd import transform_kernel
from jaxstyle.optimization import Terms, solver
from jaxstyle.styles import StyleStatistics


@register_output
class Pair(NamedTuple):
    first: Any
    second: Any


@register_output
@flax.struct.dataclass
class Labeled:
    values: Any
    name: str = flax.struct.field(pytree_node=False)
    sizes: tuple[int, ...] = flax.struct.field(pytree_node=False, default=())
    scale: float | None = flax.struct.field(pytree_node=False, default=None)
    flag: bool = flax.struct.field(pytree_node=False, default=False)


@flax.struct.dataclass
class Undeclared:
    values: Any


def read_from_cache(
    make: Callable[[], Any], folder: Path, change: Callable[[bytes], bytes] = lambda program: program
) -> tuple[Any, bool]:
    """The outputs of a cached function as the next process returns them, and whether it reads them from the cache.

    With `change`, the cached program is changed before it is read.
    """
    traces = []

    def function() -> Any:
        traces.append(None)
        return make()

    set_cache_folder(CacheFolder(folder))
    try:
        CachedFunction(function)()
        for file in CacheFolder(folder).files():
            file.path.write_bytes(zlib.compress(change(zlib.decompress(file.path.read_bytes()))))
        return CachedFunction(function)(), len(traces) == 1
    finally:
        set_cache_folder(None)


def network() -> Network:
    """A network of one layer with a prepared kernel."""
    options: Any = {"architecture": "vgg19", "pooling": "avg", "reverse_channels": True, "digest": "it's \\ \n\u2603"}
    kernel = jnp.ones((3, 3, 16, 16))
    prepared = {"conv1_1": {"kernel": transform_kernel(kernel)}, "conv1_2": {"kernel": convolution.DIRECT}}
    return Network({"conv1_1": {"kernel": kernel}}, jnp.zeros(3), jnp.ones(3), prepared=prepared, **options)


PICTURE = jnp.zeros((2, 3, 3))
OUTPUTS = {
    "network": network,
    "state of lbfgs": lambda: solver.init.jitted(PICTURE, optimizer="lbfgs"),
    "state of adam": lambda: solver.init.jitted(PICTURE, optimizer="adam"),
    "terms": lambda: Terms(*jnp.arange(6.0)),
    "statistics": lambda: StyleStatistics({"relu1_1": jnp.eye(2)}, *jnp.ones((4, 2))),
    "nested": lambda: {
        "a": [Pair(Labeled((jnp.ones(2), None), "x", (1, 2), 0.1, True), ()), None],
        "b": Labeled({}, ""),
    },
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_have_the_same_structure_and_values(name: str, tmp_path: Path):
    found, cached = read_from_cache(OUTPUTS[name], tmp_path)
    expected = OUTPUTS[name]()
    assert cached and jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_optimizers_are_those_above():
    assert sorted(OPTIMIZERS) == ["adam", "lbfgs"]


def test_code_in_place_of_a_static_field_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code = b"__import__('os').mkdir('run')"
    name = "x" * (len(code) - 2)
    found, cached = read_from_cache(
        lambda: Labeled(jnp.ones(1), name), tmp_path, lambda program: program.replace(repr(name).encode(), code)
    )
    assert found.name == name and not cached and not (tmp_path / "run").exists()


def test_undeclared_types_are_not_cached(tmp_path: Path):
    found, cached = read_from_cache(lambda: Undeclared(jnp.ones(2)), tmp_path)
    np.testing.assert_array_equal(found.values, [1, 1])
    assert not cached and not any(path.is_file() for path in tmp_path.rglob("*"))


def test_another_program_registers_the_same_type_first_or_later(tmp_path: Path):
    class First(NamedTuple):
        value: Any

    class Later(NamedTuple):
        value: Any

    jax.export.register_namedtuple_serialization(First, serialized_name="another.First")
    register_output(First)
    register_output(Later)
    jax.export.register_namedtuple_serialization(Later, serialized_name="another.Later")
    register_with_jax()
    found, cached = read_from_cache(lambda: (First(jnp.ones(1)), Later(jnp.ones(1))), tmp_path)
    assert cached and list(map(type, found)) == [First, Later]
