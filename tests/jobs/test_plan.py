"""What there is to do in a job, from its record and what is in its folder."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import CONTENT, STYLE

from jaxstyle.config import StyleConfig
from jaxstyle.images import write_image
from jaxstyle.jobs import Plan, Task, pair_up, read_records, tiling
from jaxstyle.jobs.inputs import NetworkCache
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.plan import count_pixel_steps, done_and_failed, make_plan, seconds_per_pixel_step
from jaxstyle.optimization import AvailableMemory, memory
from jaxstyle.options import Options

networks = NetworkCache()
SECOND = CONTENT.with_name("cat.jpg")
RECORD = Path(__file__).parents[1] / "data" / "older_results.jsonl"


@pytest.fixture
def tasks(tmp_path) -> list[Task]:
    (tmp_path / "bad.png").write_text("words")
    return pair_up([CONTENT, SECOND, tmp_path / "bad.png"], [STYLE], Options(size=64), zipped=False)


def planned(tasks: list[Task], records: dict, folder: Path, **options) -> Plan:
    return make_plan(tasks, networks, records, folder, files=KnownFiles(folder), **options)


def record(plan: Plan, pair: int, error: str | None = None) -> dict:
    return {str(plan.tasks[pair].output): {"key": plan.keys[pair], "error": error}}


def test_everything_is_new_at_first(tasks, tmp_path):
    plan = planned(tasks, {}, tmp_path)
    assert (plan.done, plan.failed, set(plan.unreadable)) == (frozenset(), {}, {2})
    assert sorted(plan.todo) == [0, 1] and sorted(pair for group in plan.groups for pair in group.pairs) == [0, 1]


def test_contents_that_are_enlarged_have_one_warning(tmp_path):
    small = [tmp_path / name for name in ("a.png", "b.png")]
    for file, side in zip(small, (20, 25), strict=True):
        write_image(file, np.zeros((16, side, 3)))
    pairs = pair_up([*small, CONTENT], [STYLE, SECOND], Options(size=64), zipped=False)
    plan = planned(pairs, {}, tmp_path)
    (warning,) = plan.warnings
    expected = f"{small[0]} has 20 x 16 pixels and is enlarged 3.2 times for its result (also too small: 1 other), "
    assert warning.startswith(expected)
    records = {}
    for pair in range(4):
        (tmp_path / pairs[pair].output).touch()
        records |= record(plan, pair)
    assert planned(pairs, records, tmp_path).warnings == ()


def test_a_pair_is_done_with_picture_and_record(tasks, tmp_path):
    plan = planned(tasks, {}, tmp_path)
    records = record(plan, 0)
    assert planned(tasks, records, tmp_path).done == frozenset()
    (tmp_path / tasks[0].output).touch()
    again = planned(tasks, records, tmp_path)
    assert again.done == {0} and again.todo == [1] and not again.replaced
    assert (again.groups, again.keys) == (plan.groups, plan.keys), "a job is computed as it began"
    others = pair_up([CONTENT, SECOND], [STYLE], Options(size=64, seed=1), zipped=False)
    changed = planned(others, records, tmp_path)
    assert changed.done == frozenset() and changed.replaced == {0}


def test_results_of_older_versions_are_done(tmp_path):
    """Also when options came since, as long as they have the value that changes nothing.

    If a new option makes this fail, it is not in `VALUES_BEFORE`: all jobs that have begun would be computed again.
    """
    for name, factor in (("content", 7), ("style", 11)):
        pixels = bytes(factor * i * i % 256 for i in range(48 * 32 * 3))
        (tmp_path / f"{name}.ppm").write_bytes(b"P6 48 32 255\n" + pixels)
    # Of a version that did not know --strength, --strength-mask, --rotate-style, --tile-size and --grain-weight.
    shutil.copy(RECORD, tmp_path / "results.jsonl")
    (tmp_path / "content--style.png").touch()
    layers = {"content_layers": "relu1_1", "style_layers": "relu1_1"}
    usual = Options(size=32, steps=2, tv_weight=1.0, grain_weight=0.0, precision="float32", **layers)
    mask = replace(usual, strength_mask=tmp_path / "content.ppm")
    for options in (usual, replace(usual, rotate_style=30), replace(usual, strength=0.5), mask):
        tasks = pair_up([tmp_path / "content.ppm"], [tmp_path / "style.ppm"], options, zipped=False)
        assert planned(tasks, read_records(tmp_path), tmp_path).done == ({0} if options == usual else frozenset())


def test_a_failure_is_kept_until_it_is_to_be_tried_again(tasks, tmp_path):
    plan = planned(tasks, {}, tmp_path)
    records = record(plan, 1, "lost") | record(plan, 2, "words")
    again = planned(tasks, records, tmp_path)
    assert (again.failed, again.unreadable, again.todo) == ({1: "lost", 2: "words"}, {}, [0])
    once_more = planned(tasks, records, tmp_path, retry_failed=True)
    assert (once_more.failed, set(once_more.unreadable), sorted(once_more.todo)) == ({}, {2}, [0, 1])
    assert done_and_failed(plan.tasks, plan.keys, records, tmp_path) == (frozenset(), {1: "lost", 2: "words"})


def test_networks_do_not_mix(tmp_path):
    tasks = [
        task
        for pooling in ("max", "avg", "max")
        for task in pair_up([CONTENT], [STYLE], Options(size=64, pooling=pooling), zipped=True)
    ]
    groups = planned(tasks, {}, tmp_path, batch_size=4).groups
    assert [group.pairs for group in groups] == [(0, 2), (1,)]


def test_a_pair_that_does_not_fit_as_a_whole_is_computed_by_tiles(tasks, tmp_path, monkeypatch):
    """The key, and the split into shares, do not depend on the memory of this machine."""
    large = [
        replace(task, settings=Options(size=size).settings()) for task, size in zip(tasks, (1600, 64), strict=False)
    ]
    limit = AvailableMemory(2**40, "this machine")
    monkeypatch.setattr(tiling, "available_memory", lambda: limit)
    whole = planned(large, {}, tmp_path, batch_size=4)
    limit = AvailableMemory(5 * 2**30, "this machine")
    tiled = planned(large, {}, tmp_path, batch_size=4)
    assert [task.settings.config.tile_size for task in whole.tasks] == [None, None]
    first, second = (task.settings.config.tile_size for task in tiled.tasks)
    assert first in memory.TILE_SIZES and second is None
    assert (tiled.keys, tiled.share_of, tiled.todo) == (whole.keys, whole.share_of, whole.todo)


def test_work_is_pixels_of_all_steps():
    assert count_pixel_steps(StyleConfig(size=100, steps=7), 50, 100) == 7 * 50 * 100
    assert count_pixel_steps(StyleConfig(size=256, steps=10), 256, 128) == 10 * 256 * 128 + 10 * 128 * 64


def test_pace_is_that_of_most_pairs_on_such_a_device():
    device = {"platform": "cpu"}

    def record(seconds, together=1, device=device, resumed=0):
        settings = {"size": 100, "steps": 10, "init": [["content", 1.0]]}
        return {
            "error": None,
            "device": device,
            "resumed": resumed,
            "settings": settings,
            "height": 50,
            "width": 100,
            "together": together,
            "seconds": {"compute": seconds},
        }

    records = [
        record(50),
        record(10, 2),
        record(5),
        record(1, device={"platform": "gpu"}),
        record(1, resumed=3),
        {"error": "bad"},
    ]
    assert seconds_per_pixel_step(records, device) == 5 / (10 * 50 * 100)
    assert seconds_per_pixel_step(records[-2:], device) is None
    one_size = [record(5) for _ in range(2)]
    one_size[0]["settings"] = {"size": 400, "steps": 10, "init": [["picture", 1.0]], "levels": None}
    one_size[1]["settings"] = {"size": 400, "steps": 10, "init": [["content", 1.0]], "levels": 1}
    assert [seconds_per_pixel_step([found], device) for found in one_size] == [5 / (10 * 200 * 400)] * 2
