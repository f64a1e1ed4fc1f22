"""The progress line, and the times and steps that it shows."""

import io
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import TINY
from support.command import CONTENT, STYLE, Terminal, fake_stylize, run

from jaxstyle.cli import progress as progress_module
from jaxstyle.cli.progress import (
    TimedStep,
    describe,
    describe_compiling,
    seconds_by_size,
    seconds_left,
    snapshot_steps,
    steps_taken,
)
from jaxstyle.optimization import Progress, Terms
from jaxstyle.stylize import Stylized

LEVELS = ((128, 30), (256, 30), (512, 20))
# Compilation takes 5 s at 128 px and 7 s at 256 px; ten steps take 1 s and 4 s.
TIMELINE = [
    *(TimedStep(time, 128, step) for time, step in ((102, 0), (106, 10), (107, 20), (108, 30))),
    *(TimedStep(time, 256, step) for time, step in ((112, 0), (119, 10), (123, 20), (127, 30))),
]


def progress(level: int, step: int, terms: Terms | None = None) -> Progress:
    size, steps = LEVELS[level]
    return Progress(size, level, len(LEVELS), step, steps, terms, None, None)


def test_seconds_by_size():
    assert seconds_by_size(TIMELINE, 100) == [
        {"size": 128, "first_steps": 6, "other_steps": 2},
        {"size": 256, "first_steps": 11, "other_steps": 8},
    ]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, None),
        (2, None),  # the first steps waited for compilation
        (3, 1 + 12 + 32),
        (4, 12 + 32),
        (6, None),  # 128 px was measured beside the compilation for 256 px
        (7, 4 + 32),
        (8, 32),
    ],
)
def test_time_left_is_in_proportion_to_pixels_and_excludes_compilation(count, expected):
    assert seconds_left(TIMELINE[:count], LEVELS) == (expected and pytest.approx(expected))


def test_time_left_of_a_large_size_follows_from_the_one_before():
    timeline = [TimedStep(200, 512, 10), TimedStep(220, 512, 20), TimedStep(230, 1024, 0), TimedStep(330, 1024, 10)]
    levels = ((512, 20), (1024, 30))
    assert [seconds_left(timeline[:count], levels) for count in (3, 4)] == [pytest.approx(s) for s in (240, 160)]


def test_time_left_ends_at_0():
    assert seconds_left([*TIMELINE, TimedStep(130, 512, 10), TimedStep(150, 512, 20)], LEVELS) == 0


def test_steps_count_through_all_sizes():
    assert [steps_taken(progress(level, 10), LEVELS) for level in range(3)] == [10, 40, 70]


def test_snapshot_steps():
    assert snapshot_steps(((64, 12),), 5) == [10]
    assert snapshot_steps(((64, 12),), 11) == []  # the only one is due at the end, where the result is written
    assert snapshot_steps(((64, 5), (128, 25)), 7) == [15, 25]
    assert snapshot_steps(((128, 30), (256, 30)), 20) == [20, 40]


levels = st.lists(st.integers(1, 60), min_size=1, max_size=4).map(
    lambda steps: [(64 << i, n) for i, n in enumerate(steps)]
)


@given(levels, st.integers(1, 80))
def test_snapshots_are_at_most_ten_steps_late(levels, every):
    due, total = snapshot_steps(levels, every), sum(steps for _, steps in levels)
    assert due == sorted(set(due)) and all(0 < step < total for step in due)
    for requested in range(every, total - 10, every):
        assert any(requested <= step < requested + 10 for step in due)


def test_line_has_size_step_losses_and_time_left():
    waiting = describe_compiling("cpu")
    assert describe(progress(0, 0), None, LEVELS, waiting) == "128 px (1/3) first steps"
    assert describe(progress(0, 0), None, LEVELS, waiting, first="compiling") == "128 px (1/3) compiling"
    line = describe(progress(1, 20, Terms(1.0, 0.98765, 0.0123456, 3.0, 4.0, 5.0)), 83.4, LEVELS, waiting)
    assert line == "256 px (2/3) step 20/30 content 0.988 style 0.0123, 1:23 left"
    line = describe(progress(1, 30, Terms(*np.ones(6))), 9.0, LEVELS, waiting)
    assert line == "512 px (3/3) compiling (about 15 s on a CPU; cached for the next run)"
    line = describe(progress(2, 20, Terms(*np.ones(6))), 0.0, LEVELS, waiting)
    assert line == "512 px (3/3) step 20/20 content 1 style 1, 0:00 left"


class TestLines:
    @pytest.fixture(autouse=True)
    def interval(self, monkeypatch):
        monkeypatch.setattr(progress_module, "_INTERVAL", 0.02)

    def test_of_a_stylization_say_what_it_waits_for_and_its_state(self, tmp_path, monkeypatch):
        work = fake_stylize()

        def stylize(*arguments, callback, **keywords):
            def on_progress(progress):
                callback(progress)
                time.sleep(0.2 if progress.step in (0, 20) else 0)

            time.sleep(0.2)
            return work(*arguments, callback=on_progress, **keywords)

        monkeypatch.setattr("jaxstyle.cli.run.stylize", stylize)
        outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64)
        lines = list(dict.fromkeys(re.sub(r"\d+:\d\d", "TIME", line) for line in outcome.err.splitlines()))
        assert lines[0] == "jaxstyle: 64 px (1/1) compiling (about 15 s on a CPU; cached for the next run)"
        assert "jaxstyle: 64 px (1/1) step 20/40 content 21 style 22, TIME left" in lines

    def test_of_a_job_have_all_that_runs(self, folders, tmp_path, monkeypatch):
        def stylize_group(network, group, pairs, *, callback, **_):
            time.sleep(0.2)
            terms = Terms(*np.arange(6.0))
            state = SimpleNamespace(loss=np.float32(1))
            history = Terms(*np.zeros((6, 0)))
            callback(Progress(32, 0, 1, 1, 3, terms, history, state))
            time.sleep(0.2)
            return [Stylized(pairs[0].content, Terms(*np.ones((6, 3))), np.full(3, 32), pairs[0].config)]

        monkeypatch.setattr("jaxstyle.jobs.run.stylize_group", stylize_group)
        content, style = (sorted(folder.iterdir())[0] for folder in folders)
        outcome = run("batch", "--content", content, "--style", style, "-o", tmp_path / "out", *TINY)
        lines = list(dict.fromkeys(re.sub(r"\d+:\d\d", "TIME", line) for line in outcome.err.splitlines()))
        assert outcome.code == 0
        for line in (
            "jaxstyle: 0/1 pair; cat--embers.png: compiling (about 15 s on a CPU; cached for the next run)",
            "jaxstyle: 0/1 pair, TIME left; cat--embers.png: 32 px (1/1) step 1/3 content 1 style 2",
        ):
            assert line in lines, lines

    def test_end_with_the_run(self, capsys):
        with progress_module.progress_lines(lambda: "state"):
            time.sleep(0.1)
        assert capsys.readouterr().err == "jaxstyle: state\n"
        time.sleep(0.1)
        assert capsys.readouterr().err == ""

    def test_of_the_same_state_are_rare_and_have_its_duration(self, capsys, monkeypatch):
        monkeypatch.setattr(progress_module, "_UNCHANGED_INTERVAL", 0.06)
        with progress_module.progress_lines(lambda: "state"):
            time.sleep(0.3)
        first, *others = capsys.readouterr().err.splitlines()
        assert first == "jaxstyle: state" and set(others) == {"jaxstyle: state, unchanged for 0:00"} and len(others) < 6

    def test_are_not_printed_on_a_terminal_or_by_short_runs(self, monkeypatch):
        terminal, file = Terminal(), io.StringIO()
        for stderr, interval in ((terminal, 0.02), (file, 10)):
            monkeypatch.setattr(progress_module, "_INTERVAL", interval)
            monkeypatch.setattr("sys.stderr", stderr)
            with progress_module.progress_lines(lambda: "state"):
                time.sleep(0.1)
        assert terminal.getvalue() == file.getvalue() == ""


class TestOnATerminal:
    @pytest.fixture(autouse=True)
    def work(self, monkeypatch):
        monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize())

    def test_prints_the_size_the_device_and_progress(self, tmp_path):
        outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64, stderr=Terminal())
        assert outcome.code == 0 and outcome.out == f"{tmp_path / 'out.png'}\n"
        assert outcome.err.startswith("harbour.jpg at 64 x 49 pixels, on ")
        assert "64 px (1/1) compiling (about 15 s on a CPU; cached for the next run)" in outcome.err
        assert "64 px (1/1) step 40/40 content 41 style 42" in outcome.err

    def test_is_quiet_elsewhere(self, tmp_path):
        outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64)
        assert (outcome.code, outcome.out, outcome.err) == (0, f"{tmp_path / 'out.png'}\n", "")
