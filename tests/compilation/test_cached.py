"""Kept programs do what the function does, in this process and in the next, whatever became of the file."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.compilation.cached import CachedFunction, set_cache_folder


class Pair(NamedTuple):
    first: jax.Array
    second: dict[str, jax.Array]


class Traced:
    """A function that counts how often Python goes through it; a new one is as in a new process."""

    def __init__(self, **options: object) -> None:
        self.times = 0

        def affine(pair: Pair, by: jax.Array | float = 2.0, *, power: int = 1) -> Pair:
            self.times += 1
            return Pair(pair.first * by + 1, {name: part**power for name, part in pair.second.items()})

        self.kept = CachedFunction(affine, static_argnames=("power",), **options)


PAIR = Pair(np.arange(3, dtype=np.float32), {"b": np.float32(3), "a": np.ones((2, 2), np.float32)})


def check(found: Pair, *, by: float = 2.0, power: int = 1) -> None:
    np.testing.assert_array_equal(found.first, PAIR.first * by + 1)
    assert sorted(found.second) == ["a", "b"] and found.second["b"] == 3**power
    assert isinstance(found, Pair)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    set_cache_folder(tmp_path / "kept")
    yield tmp_path / "kept"
    set_cache_folder(None)


def test_the_next_process_traces_nothing(folder: Path):
    first, second = Traced(), Traced()
    for _ in range(2):
        check(first.kept(PAIR))
        check(second.kept(PAIR, power=1))
        check(second.kept(pair=PAIR, by=5.0), by=5.0)
    assert (first.times, second.times) == (1, 0)
    (file,) = folder.iterdir()  # and nothing half-written beside it
    assert file.name.startswith("affine-")


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept(PAIR, power=2),
        lambda kept: kept(PAIR._replace(first=np.arange(4, dtype=np.float32))),
        lambda kept: kept(PAIR._replace(first=np.arange(3, dtype=np.int32))),
        lambda kept: kept(PAIR._replace(second={"c": PAIR.second["b"], "a": PAIR.second["a"]})),
        lambda kept: kept(PAIR, np.float32(2)),  # a Python number takes on the type of the other
    ],
)
def test_what_is_traced_otherwise_is_kept_by_itself(folder: Path, change: Callable[[CachedFunction], Pair]):
    Traced().kept(PAIR)
    other, plain = Traced(), Traced()
    found = change(other.kept)
    assert other.times == 1 and len(list(folder.iterdir())) == 2
    set_cache_folder(None)
    jax.tree.map(np.testing.assert_array_equal, found, change(plain.kept))


def test_settings_of_jax_that_decide_what_is_traced(folder: Path):
    Traced().kept(PAIR)
    other = Traced()
    with jax.default_matmul_precision("bfloat16"):
        other.kept(PAIR)
    assert other.times == 1


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-9], lambda data: b"\x00" + data[1:]])
def test_damaged_file_is_replaced(folder: Path, damage: Callable[[bytes], bytes]):
    Traced().kept(PAIR)
    (file,) = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    second, third = Traced(), Traced()
    check(second.kept(PAIR))
    check(third.kept(PAIR))
    assert (second.times, third.times) == (1, 0)


def test_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    set_cache_folder(tmp_path / "file" / "kept")
    try:
        traced = Traced()
        check(traced.kept(PAIR))
        check(traced.kept(PAIR))
    finally:
        set_cache_folder(None)
    assert traced.times == 1


def test_nothing_is_kept_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    check(Traced().kept(PAIR))
    assert list(tmp_path.iterdir()) == []


def test_inside_of_another_program(folder: Path):
    kept = Traced().kept
    gradient = jax.jit(jax.grad(lambda x: kept(Pair(x, {}), 3.0).first.sum()))(jnp.ones(3))
    np.testing.assert_array_equal(gradient, [3, 3, 3])
    stacked = jax.vmap(lambda x: kept(Pair(x, {}), 3.0).first)(jnp.ones((2, 3)))
    np.testing.assert_array_equal(stacked, np.full((2, 3), 4))
    assert not folder.exists()


def test_threads_that_call_at_once_trace_once(folder: Path):
    traced = Traced()
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(traced.kept, [PAIR] * 8):
            check(found)
    assert traced.times == 1


def test_donated_arrays_are_taken_and_others_are_not(folder: Path):
    for traced in (Traced(donate_argnames=("pair",)), Traced(donate_argnames=("pair",))):
        pair, by = jax.tree.map(jnp.array, PAIR), jnp.float32(2)
        check(traced.kept(pair, by))
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(pair)) and not by.is_deleted()
