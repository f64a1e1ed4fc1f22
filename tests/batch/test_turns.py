"""Groups that take turns: one computes at a time, while the next one is prepared."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import jax
import numpy as np
import pytest
from support.pyramid import sizes_from_32
from support.quick import QUICK, first_layer, random_picture

from jaxstyle import Progress
from jaxstyle.batch import Turn, computing_lock, group, stylize_batch
from jaxstyle.networks import Network
from jaxstyle.optimization import Workload, predict_peak_bytes

CONFIG = replace(QUICK, tv_weight=0.0, size=32, steps=2, optimizer="adam")


@pytest.fixture(autouse=True, scope="module")
def small_pyramid() -> Iterator[None]:
    with sizes_from_32():
        yield


def test_a_group_is_prepared_while_another_one_computes_and_none_at_the_same_time(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, second_is_prepared, computing = [], threading.Event(), []
    prepare, optimize = group._prepare_level, group._optimize

    def on_prepare(*arguments):
        level = prepare(*arguments)
        prepared.append(level)
        if len(prepared) == 2:
            second_is_prepared.set()
        return level

    def on_optimize(*arguments):
        computing.append("begin")
        assert second_is_prepared.wait(60)  # although this group has the turn
        optimized = optimize(*arguments)
        computing.append("end")
        return optimized

    monkeypatch.setattr(group, "_prepare_level", on_prepare)
    monkeypatch.setattr(group, "_optimize", on_optimize)
    pictures = [random_picture(24, 32, seed) for seed in range(4)]
    stylize_batch(pictures, pictures, network=first_layer(network), config=CONFIG, batch_size=2)
    assert computing == ["begin", "end"] * 2
    arrays = jax.tree.leaves((prepared[0].objective, prepared[0].contents))
    workload = Workload(first_layer(network), CONFIG, (24, 32), batch_size=2)
    predicted = predict_peak_bytes(replace(workload, prepared=1)) - predict_peak_bytes(workload)
    assert predicted == pytest.approx(sum(array.nbytes for array in arrays), rel=0.05)


def test_pictures_stay_on_the_device_unless_they_are_read(network: Network) -> None:
    found: list[Progress] = []
    pictures = [random_picture(24, 32, seed) for seed in range(2)]
    read: list[np.ndarray] = []
    config = replace(CONFIG, steps=4)

    def on_progress(pairs: tuple[int, ...], progress: Progress) -> None:
        found.append(progress)
        if progress.step == 4:
            read.append(progress.picture)

    results = stylize_batch(
        pictures, pictures[::-1], network=first_layer(network), config=config, batch_size=2, callback=on_progress
    )
    assert ["picture" in vars(progress) for progress in found] == [False, True]
    np.testing.assert_array_equal(read[0], np.stack([result.image for result in results]))


def test_the_lock_is_released_after_an_error_and_the_first_time_counts() -> None:
    lock = computing_lock(2)
    turn = Turn(lock)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), turn:
            raise ValueError("x")
    since = turn.since
    with turn:
        assert turn.since == since is not None
