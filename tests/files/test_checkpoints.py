"""What is kept of an optimization half-way is all of it, and damage to it costs only time."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from support.pyramid import sizes_from_32
from support.quick import QUICK, random_picture, run

from jaxstyle.errors import JaxStyleError
from jaxstyle.files.checkpoints import Checkpoints, GroupCheckpoints, snapshot
from jaxstyle.files.unfinished import Unfinished
from jaxstyle.optimization import Progress


@pytest.fixture(autouse=True, scope="module")
def small_pyramid() -> Iterator[None]:
    with sizes_from_32():
        yield


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path)


def resumed(network, optimizer="lbfgs", **options):
    """Of a run of 6 steps at 32 px and 6 at 64."""
    config = replace(QUICK, size=64, steps=6, optimizer=optimizer)
    return run(network, random_picture(64, 96), random_picture(80, 64, seed=1), config=config, **options)


def looked_at(network, optimizer="lbfgs") -> tuple[list[Progress], np.ndarray]:
    """Snapshots of the run at every look after the first step, and its result."""
    seen: list[Progress] = []
    done = resumed(network, optimizer, callback=lambda now: seen.append(snapshot(now)))
    return [progress for progress in seen if progress.history.total.size], done.image


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_what_is_kept_comes_back_and_goes_on_bit_for_bit(checkpoints, network, optimizer):
    seen, image = looked_at(network, optimizer)
    assert [(progress.level, progress.step) for progress in seen] == [(0, 6), (1, 0), (1, 6)]
    for progress in seen:
        checkpoints.save("pair", progress)
        found = checkpoints.load("pair", optimizer=optimizer)
        assert found is not None
        for name in ("state", "history", "terms", "picture"):
            one, other = getattr(found, name), getattr(progress, name)
            assert jax.tree.structure(one) == jax.tree.structure(other)
            jax.tree.map(np.testing.assert_array_equal, one, other)
        for name in ("size", "level", "levels", "step", "steps"):
            assert getattr(found, name) == getattr(progress, name)
        assert (resumed(network, optimizer, resume=found).image == image).all()


@pytest.fixture(scope="module")
def progress(network) -> Progress:
    return looked_at(network)[0][-1]


def test_lanes_are_kept(checkpoints, progress):
    batch = replace(
        progress,
        state=jax.tree.map(lambda leaf: np.stack([leaf, leaf]), progress.state),
        history=jax.tree.map(lambda leaf: np.stack([leaf, leaf]), progress.history),
    )
    checkpoints.save("group", batch)
    found = checkpoints.load("group", optimizer="lbfgs")
    assert found is not None and found.terms is not None and found.terms.total.shape == (2,)
    assert found.state.picture.shape == (2, *progress.state.picture.shape)


def test_one_that_was_not_finished_leaves_the_one_before_and_no_words(checkpoints, progress, tmp_path, caplog):
    earlier = jax.tree.map(lambda values: values[:9], progress.history)
    checkpoints.save("pair", replace(progress, step=3, history=earlier))
    (saved,) = (tmp_path / "pair").iterdir()
    number = progress.history.total.size + progress.level
    shutil.copytree(saved, tmp_path / "pair" / f"{number}.orbax-checkpoint-tmp")
    found = checkpoints.load("pair", optimizer="lbfgs")
    assert found is not None and found.step == 3
    checkpoints.save("pair", progress)
    found = checkpoints.load("pair", optimizer="lbfgs")
    assert found is not None and found.step == progress.step and not caplog.records


def test_only_the_last_is_kept_until_it_is_dropped(checkpoints, progress, tmp_path):
    earlier = jax.tree.map(lambda values: values[:9], progress.history)
    for later in (replace(progress, step=3, history=earlier), progress):
        checkpoints.save("pair", later)
    assert len(list((tmp_path / "pair").iterdir())) == 1
    checkpoints.save("other", progress)
    checkpoints.drop_all(lambda name: name != "pair")
    assert [path.name for path in tmp_path.iterdir()] == ["pair"]
    checkpoints.drop("pair")
    checkpoints.drop("pair")
    assert list(tmp_path.iterdir()) == [] and checkpoints.load("pair", optimizer="lbfgs") is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax leaves loose ends then
@pytest.mark.parametrize("length", [0, 10])
def test_damage_is_taken_for_nothing(checkpoints, progress, tmp_path, length):
    """Whichever file is cut short: some are needed, and all that is read is what was written."""
    found = []
    for number in count():
        checkpoints.save("pair", progress)
        files = sorted(path for path in (tmp_path / "pair").rglob("*") if path.is_file())
        if number >= len(files):
            break
        files[number].write_bytes(files[number].read_bytes()[:length])
        found.append(checkpoints.load("pair", optimizer="lbfgs"))
        checkpoints.drop("pair")
    assert None in found
    for loaded in filter(None, found):
        jax.tree.map(np.testing.assert_array_equal, loaded.state, progress.state)
    checkpoints.drop("pair")
    (tmp_path / "pair").mkdir()
    assert checkpoints.load("pair", optimizer="lbfgs") is None


def test_a_checkpoint_that_is_being_saved_is_dropped_only_afterwards() -> None:
    done, may_end = [], threading.Event()

    class Slow(Checkpoints):
        def save(self, name: str, progress: Progress) -> None:
            assert may_end.wait(60)
            done.append(f"saved {name}")

        def drop(self, name: str) -> None:
            done.append(f"dropped {name}")

    nothing: Any = None
    progress = Progress(32, 0, 1, 3, 6, nothing, nothing, nothing)
    with ThreadPoolExecutor(2) as writers:
        checkpoints = GroupCheckpoints(Slow(Path()), "a", writers)
        checkpoints.save_if_due(progress, 3600)
        for _ in range(2):  # the second time, the first one is not yet on disk
            checkpoints.save_if_due(progress, 0)
        dropping = writers.submit(checkpoints.drop, [])
        assert not done
        may_end.set()
        dropping.result()
    assert done == ["saved a", "dropped a"]


def test_a_first_checkpoint_that_fails_leaves_no_folder(tmp_path, progress, monkeypatch):
    def fail(*_: object) -> None:
        raise JaxStyleError("the disk is full")

    monkeypatch.setattr(Checkpoints, "save", fail)
    unfinished = Unfinished(tmp_path / "out.png", "identity", None)
    with pytest.raises(JaxStyleError):
        unfinished.save(progress)
    assert not unfinished.folder.exists()
