"""Cached functions: the same results as without the cache, in this process and the next, and damaged files."""

import errno
import os
import pickle
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.quick import compilations

from jaxstyle.compilation import CachedFunction, CacheFolder, cached, register_output, set_cache_folder


@register_output
class Pair(NamedTuple):
    first: jax.Array
    second: dict[str, jax.Array]


class CountedFunction:
    """A cached function that counts how often it is traced; a new instance behaves as in a new process."""

    def __init__(self, **options: object) -> None:
        self.traces = 0

        def affine(pair: Pair, factor: jax.Array | float = 2.0, *, power: int = 1) -> Pair:
            self.traces += 1
            return Pair(pair.first * factor + 1, {name: leaf**power for name, leaf in pair.second.items()})

        self.cached = CachedFunction(affine, static_argnames=("power",), **options)


PAIR = Pair(np.arange(3, dtype=np.float32), {"b": np.float32(3), "a": np.ones((2, 2), np.float32)})


def check(result: Pair, *, factor: float = 2.0, power: int = 1) -> None:
    np.testing.assert_array_equal(result.first, PAIR.first * factor + 1)
    assert sorted(result.second) == ["a", "b"] and result.second["b"] == 3**power
    assert isinstance(result, Pair)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of traced programs."""
    cache = CacheFolder(tmp_path / "cache")
    set_cache_folder(cache)
    yield cache.traced
    set_cache_folder(None)


def test_the_next_process_traces_nothing(folder: Path):
    first, second = CountedFunction(), CountedFunction()
    for _ in range(2):
        check(first.cached(PAIR))
        check(second.cached(PAIR, power=1))
        check(second.cached(pair=PAIR, factor=5.0), factor=5.0)
    assert (first.traces, second.traces) == (1, 0)
    (file,) = folder.iterdir()  # no temporary file is left
    assert file.name.startswith("affine-")


@pytest.mark.parametrize(
    "call",
    [
        lambda function: function(PAIR, power=2),
        lambda function: function(PAIR._replace(first=np.arange(4, dtype=np.float32))),
        lambda function: function(PAIR._replace(first=np.arange(3, dtype=np.int32))),
        lambda function: function(PAIR._replace(second={"c": PAIR.second["b"], "a": PAIR.second["a"]})),
        lambda function: function(PAIR, np.float32(2)),  # unlike a Python number, it is not weakly typed
    ],
)
def test_other_types_shapes_and_static_arguments_are_cached_separately(
    folder: Path, call: Callable[[CachedFunction], Pair]
):
    CountedFunction().cached(PAIR)
    other, uncached = CountedFunction(), CountedFunction()
    result = call(other.cached)
    assert other.traces == 1 and len(list(folder.iterdir())) == 2
    set_cache_folder(None)
    jax.tree.map(np.testing.assert_array_equal, result, call(uncached.cached))


def test_other_settings_of_jax_are_cached_separately(folder: Path):
    CountedFunction().cached(PAIR)
    other = CountedFunction()
    with jax.default_matmul_precision("bfloat16"):
        other.cached(PAIR)
    assert other.traces == 1


def test_other_sources_are_cached_separately(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module, traces = tmp_path / "package" / "compilation" / "module.py", []
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(cached, "__file__", str(module))
    monkeypatch.setattr(cached, "_versions_and_sources", cached._versions_and_sources.__wrapped__)
    for source in ("x = 1", "x = 2", "x = 1"):
        module.write_text(source)
        function = CountedFunction()
        function.cached(PAIR)
        traces.append(function.traces)
    assert traces == [1, 1, 0]


class Executable:
    """An object whose pickle runs a command."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-9],
        lambda data: b"\x00" + data[1:],
        lambda data: zlib.compress(b"unknown"),
        lambda data: zlib.compress(zlib.decompress(data)[:-2000]),
        lambda data: zlib.compress(pickle.dumps((Executable(), None))),
    ],
)
def test_damaged_file_is_replaced(
    folder: Path, damage: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    CountedFunction().cached(PAIR)
    (file,) = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    second, third = CountedFunction(), CountedFunction()
    check(second.cached(PAIR))
    check(third.cached(PAIR))
    assert (second.traces, third.traces) == (1, 0)
    assert not Path("unpickled").exists()


def test_folder_that_cannot_be_created(tmp_path: Path):
    (tmp_path / "file").touch()
    set_cache_folder(CacheFolder(tmp_path / "file" / "cache"))
    try:
        check_is_traced_once()
    finally:
        set_cache_folder(None)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_folder_that_cannot_be_written(folder: Path, code: int, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(cached, "write_atomically", fail)
    check_is_traced_once()
    assert list(folder.iterdir()) == []


def test_read_only_folder_is_read(folder: Path):
    CountedFunction().cached(PAIR)
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("nothing is read-only for this user")
    other = CountedFunction()
    check(other.cached(PAIR))
    other.cached(PAIR, power=2)
    folder.chmod(0o700)
    assert other.traces == 1 and len(list(folder.iterdir())) == 1


def check_is_traced_once() -> None:
    function = CountedFunction()
    check(function.cached(PAIR))
    check(function.cached(PAIR))
    assert function.traces == 1


def test_the_size_is_limited_after_each_write(folder: Path):
    CountedFunction().cached(PAIR)
    (file,) = folder.iterdir()
    set_cache_folder(CacheFolder(folder.parents[1], 2 * file.stat().st_size))
    for power in (2, 3):
        os.utime(file, (power, power))
        CountedFunction().cached(PAIR, power=power)
        assert not file.exists()
        (file,) = folder.iterdir()


def test_nothing_is_cached_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    check(CountedFunction().cached(PAIR))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_cached", [True, False])
def test_a_call_after_compiling_for_shapes_compiles_nothing(tmp_path: Path, is_cached: bool):
    set_cache_folder(CacheFolder(tmp_path / "cache") if is_cached else None)
    try:
        function = CountedFunction(donate_argnames=("pair",))
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), PAIR)
        function.cached.compile(shapes, 2.0, power=1)
        assert function.traces == 1
        pair = jax.tree.map(jnp.asarray, PAIR)
        with compilations() as events:
            result = function.cached(pair, 2.0, power=1)
        assert not events and function.traces == 1
        check(result)
    finally:
        set_cache_folder(None)


def test_a_call_with_results_of_another_function_compiles_nothing(folder: Path):
    """Arrays on the device, as the state of a solver is, after compiling for shapes."""
    first, second = CountedFunction(), CountedFunction(donate_argnames=("pair",))
    result = first.cached(PAIR)
    second.cached.compile(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), result), 2.0)
    with compilations() as events:
        second.cached(result, 2.0)
    assert events == []


def test_inside_another_traced_function(folder: Path):
    function = CountedFunction().cached
    gradient = jax.jit(jax.grad(lambda x: function(Pair(x, {}), 3.0).first.sum()))(jnp.ones(3))
    np.testing.assert_array_equal(gradient, [3, 3, 3])
    stacked = jax.vmap(lambda x: function(Pair(x, {}), 3.0).first)(jnp.ones((2, 3)))
    np.testing.assert_array_equal(stacked, np.full((2, 3), 4))
    assert not folder.exists()


def test_concurrent_threads_trace_once(folder: Path):
    function = CountedFunction()
    with ThreadPoolExecutor(4) as threads:
        for result in threads.map(function.cached, [PAIR] * 8):
            check(result)
    assert function.traces == 1


def test_several_processes_write_the_same_program_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    both_traced, write = threading.Barrier(2, timeout=10), cached.write_atomically

    def wait_and_write(path: Path, data: bytes) -> None:
        both_traced.wait()
        write(path, data)

    monkeypatch.setattr(cached, "write_atomically", wait_and_write)
    with ThreadPoolExecutor(2) as threads:
        for result in threads.map(lambda function: function.cached(PAIR), [CountedFunction(), CountedFunction()]):
            check(result)
    third = CountedFunction()
    check(third.cached(PAIR))
    assert third.traces == 0 and len(list(folder.iterdir())) == 1


def test_only_donated_arrays_are_deleted(folder: Path):
    for function in (CountedFunction(donate_argnames=("pair",)), CountedFunction(donate_argnames=("pair",))):
        pair, factor = jax.tree.map(jnp.array, PAIR), jnp.float32(2)
        check(function.cached(pair, factor))
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(pair)) and not factor.is_deleted()
