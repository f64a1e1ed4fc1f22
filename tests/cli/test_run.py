"""Interrupted and failed runs, snapshots, records and device names, with a stand-in for `stylize`."""

import errno
import json
import os
import re
import signal
import threading
import time

import jax
import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, QUICK, STYLE, fake_stylize, run, succeed

from jaxstyle.cli import monitor
from jaxstyle.environment import device_name
from jaxstyle.errors import DivergedError, JaxStyleError
from jaxstyle.files import Unfinished
from jaxstyle.images import files


def raising(error: BaseException):
    def end() -> None:
        raise error

    return end


def stylized(tmp_path, *options, end=lambda: None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxstyle.cli.run.stylize", fake_stylize(end))
        return run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 256, "--steps", 20, *options)


def grays_of(path) -> tuple[tuple[int, int], list[int]]:
    with Image.open(path) as image:
        return image.size, np.unique(image).tolist()


def steps_of(path) -> int:
    with Image.open(path) as image:
        return json.loads(image.text["jaxstyle"])["steps"]


class TestSnapshots:
    def test_of_smaller_sizes_are_enlarged(self, tmp_path):
        """20 steps at 128 px, then 20 at 256."""
        assert stylized(tmp_path, "--save-every", 15).code == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out-0020.png", "out-0030.png", "out.png"]
        assert grays_of(tmp_path / "out-0020.png") == ((256, 196), [255])
        assert grays_of(tmp_path / "out-0030.png") == ((256, 196), [127, 128])  # dithered
        assert [steps_of(tmp_path / name) for name in ("out-0020.png", "out-0030.png", "out.png")] == [20, 30, 40]

    def test_replace_nothing_without_overwrite(self, tmp_path):
        (tmp_path / "out-0030.png").write_text("precious")
        outcome = stylized(tmp_path, "--save-every", 15)
        assert outcome.code == 3 and "out-0030.png: exists already" in outcome.err
        assert [path.name for path in tmp_path.iterdir()] == ["out-0030.png"]
        assert stylized(tmp_path, "--save-every", 15, "--overwrite").code == 0
        assert grays_of(tmp_path / "out-0030.png") == ((256, 196), [127, 128])  # dithered


@pytest.mark.parametrize("name", ["missing/out.png", "old.png"])
def test_a_result_that_cannot_be_written_is_an_error_before_the_work(tmp_path, monkeypatch, name):
    (tmp_path / "old.png").write_text("precious")
    monkeypatch.setattr("jaxstyle.cli.run.stylize", lambda *_, **__: pytest.fail("stylize was called"))
    for flags in ((), ("--dry-run",)):
        outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / name, "--size", 64, *flags)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)


class TestInterruption:
    def interrupted(self, tmp_path, monkeypatch, number, *options):
        """A run that gets a signal after its last step, while the work continues in its thread."""
        still_running, released = [], threading.Event()

        def end() -> None:
            signal.raise_signal(number)
            released.wait(30)
            raise SystemExit  # the end of the process

        def leave(code: int) -> None:
            still_running.append(any(thread.name == "jaxstyle" for thread in threading.enumerate()))
            released.set()
            raise SystemExit(code)

        monkeypatch.setattr(os, "_exit", leave)
        outcome = stylized(tmp_path, *options, end=end)
        assert still_running == [True]
        return outcome

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_writes_the_current_picture(self, tmp_path, monkeypatch, number):
        outcome = self.interrupted(tmp_path, monkeypatch, number)
        out = tmp_path / "out.png"
        message = f"jaxstyle: stopped after 40 of 40 steps; the current picture is in {out}"
        message += "; there is no checkpoint, so start again with --overwrite\n"
        assert (outcome.code, outcome.out, outcome.err) == (130, "", message)
        assert grays_of(out) == ((256, 196), [255]) and steps_of(out) == 40

    def test_is_ignored_if_the_process_was_started_so(self, tmp_path):
        """As jobs in the background of a script are."""
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            assert stylized(tmp_path, end=lambda: signal.raise_signal(signal.SIGINT)).code == 0
        finally:
            signal.signal(signal.SIGINT, previous)

    def test_prints_the_record(self, tmp_path, monkeypatch):
        outcome = self.interrupted(tmp_path, monkeypatch, signal.SIGINT, "--json")
        record = json.loads(outcome.out)
        assert (record["steps"], record["output"], outcome.code) == (40, str(tmp_path / "out.png"), 130)
        assert record["losses"]["total"] == {"first": 1.0, "last": 0.5}

    def test_leaves_no_unfinished_file(self, tmp_path, monkeypatch):
        unfinished = tmp_path / ".jaxstyle-0123456789abcdef.part"
        unfinished.touch()
        monkeypatch.setattr(files, "unfinished", {unfinished})
        self.interrupted(tmp_path, monkeypatch, signal.SIGINT)
        assert [path.name for path in tmp_path.iterdir()] == ["out.png"]

    def test_with_a_full_disk(self, tmp_path, monkeypatch):
        full = OSError(errno.ENOSPC, "No space left on device")
        monkeypatch.setattr(files.os, "fsync", lambda _: raising(full)())
        outcome = self.interrupted(tmp_path, monkeypatch, signal.SIGINT)
        assert outcome.code == 3 and "No space left on device" in outcome.err and outcome.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []


class TestDivergence:
    def test_writes_the_last_good_picture(self, tmp_path):
        outcome = stylized(tmp_path, end=raising(DivergedError("the loss is not finite")))
        out = tmp_path / "out.png"
        message = f"the loss is not finite; the last good picture is in {out}"
        assert (outcome.code, outcome.out, outcome.err) == (5, "", f"jaxstyle: error: {message}\n")
        assert grays_of(out) == ((256, 196), [255])

    def test_writes_nothing_before_the_first_step(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "jaxstyle.cli.run.stylize", lambda *_, **__: raising(DivergedError("the loss is not finite"))()
        )
        outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64)
        assert (outcome.code, list(tmp_path.iterdir())) == (5, [])
        assert outcome.err == "jaxstyle: error: the loss is not finite; nothing was written\n"


class TestOutOfMemory:
    @pytest.mark.parametrize(
        "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")]
    )
    def test_is_one_line(self, tmp_path, error):
        outcome = stylized(tmp_path, end=raising(error))
        assert outcome.code == 1 and list(tmp_path.iterdir()) == []
        message = "jaxstyle: error: there is not enough memory for size 256; the largest size that fits is "
        assert re.fullmatch(message + r"(1\d\d|2[0-4]\d)\n", outcome.err)

    def test_is_said_of_the_paper(self, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jaxstyle.cli.run.stylize", fake_stylize(raising(MemoryError())))
            outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--print", "9x6cm", "--dpi", 72)
        message = "jaxstyle: error: at --dpi 72, there is not enough memory for \\d+ pixels on the longest side; use "
        found = re.search(message + r"--dpi (\d+) or less, or --print (\S+)x(\S+)cm or smaller\n", outcome.err)
        dpi, width, height = map(float, found.groups())
        assert outcome.code == 1 and 0.5 < dpi / 72 < 0.95 and dpi / 72 == pytest.approx(width / 9, abs=0.03)
        assert height / 6 == pytest.approx(width / 9, abs=0.03)

    def test_is_one_line_if_others_hold_the_memory_of_the_gpu(self, tmp_path):
        error = jax.errors.JaxRuntimeError("FAILED_PRECONDITION: DNN library initialization failed. Look at the errors")
        outcome = stylized(tmp_path, end=raising(error))
        assert outcome.code == 1 and outcome.err.count("\n") == 1
        assert "another process" in outcome.err and "XLA_PYTHON_CLIENT_MEM_FRACTION" in outcome.err

    def test_does_not_hide_bugs(self, tmp_path):
        for error in (jax.errors.JaxRuntimeError("INTERNAL: something else"), ZeroDivisionError()):
            with pytest.raises(type(error)):
                stylized(tmp_path, end=raising(error))


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"platform": "cpu", "kind": "cpu", "count": 1, "cores": 1}, "CPU (1 core)"),
        ({"platform": "cpu", "kind": "cpu", "count": 1, "cores": 12}, "CPU (12 cores)"),
        ({"platform": "gpu", "kind": "NVIDIA H100", "count": 1}, "NVIDIA H100"),
        ({"platform": "tpu", "kind": "TPU v4", "count": 4}, "TPU v4 (the first of 4)"),
    ],
)
def test_device_names(record, name):
    assert device_name(record) == name


def test_record_is_valid_json_for_infinite_losses(tmp_path, monkeypatch):
    work = fake_stylize()

    def stylize(*arguments, **keywords):
        result = work(*arguments, **keywords)
        result.history.total[-1] = np.inf
        return result

    monkeypatch.setattr("jaxstyle.cli.run.stylize", stylize)
    out = succeed("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64, "--json")
    record = json.loads(out, parse_constant=lambda constant: pytest.fail(f"the record has {constant}"))
    assert record["losses"]["total"] == {"first": 1.0, "last": None}
    assert record["losses"]["tv"] == {"first": 5.0, "last": 0.5}


class TestGoingOn:
    """From the checkpoint of a run that was stopped, with real but quick stylizations."""

    @pytest.fixture(autouse=True)
    def checkpoint_after_every_call(self, monkeypatch):
        monkeypatch.setattr(monitor, "CHECKPOINT_EVERY", 0.0)

    def stylize(self, folder, *options):
        return run("stylize", CONTENT, STYLE, "-o", folder / "out.png", *QUICK, "--steps", 30, *options)

    def stopped(self, folder, monkeypatch, steps, *options):
        """A run that crashes in the callback after this number of steps."""
        step = monitor.Monitor.__call__

        def crash(monitor, progress):
            step(monitor, progress)
            if progress.step >= steps:
                raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(monitor.Monitor, "__call__", crash)
            outcome = self.stylize(folder, *options)
        assert outcome.code == 1 and (folder / "out.png.checkpoint").is_dir()

    def test_gives_the_same_bytes(self, tmp_path, monkeypatch):
        (tmp_path / "stopped").mkdir()
        assert self.stylize(tmp_path).code == 0
        self.stopped(tmp_path / "stopped", monkeypatch, 20)
        outcome = self.stylize(tmp_path / "stopped", "--save-every", 30)
        assert outcome.code == 0 and "going on from step 10 of 30" in outcome.err
        assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["out.png"]
        assert (tmp_path / "stopped/out.png").read_bytes() == (tmp_path / "out.png").read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "stopped"]

    @pytest.mark.parametrize("signals", [1, 2])
    def test_a_signal_saves_a_checkpoint_and_the_second_ends_at_once(self, tmp_path, monkeypatch, signals):
        monkeypatch.setattr(monitor, "CHECKPOINT_EVERY", 3600.0)
        step, released = monitor.Monitor.__call__, threading.Event()

        def wait_for_end(saved=None) -> None:
            if saved:
                saved.set()
            assert released.wait(60)
            raise SystemExit  # the end of the process

        def stop(monitor, progress):
            step(monitor, progress)
            if progress.step == 10:
                signal.raise_signal(signal.SIGTERM)
                while not monitor.is_stopping:
                    time.sleep(0.01)
                if signals == 2:
                    signal.raise_signal(signal.SIGINT)
                    wait_for_end()

        def leave(code: int) -> None:
            released.set()
            raise SystemExit(code)

        with monkeypatch.context() as patch:
            patch.setattr(monitor.Monitor, "__call__", stop)
            patch.setattr(monitor, "wait_for_end", wait_for_end)
            patch.setattr(os, "_exit", leave)
            (tmp_path / "stopped").mkdir()
            outcome = self.stylize(tmp_path / "stopped")
        taken = 20 if signals == 1 else 10
        ends = "the same command goes on from step 20", "there is no checkpoint, so start again with --overwrite"
        waiting, last = outcome.err.splitlines()
        assert outcome.code == 130 and waiting.startswith("jaxstyle: stopping after the steps")
        assert last.startswith(f"jaxstyle: stopped after {taken} of 30 steps; ")
        assert last.endswith(f"; {ends[signals - 1]}")
        if signals == 1:
            assert self.stylize(tmp_path).code == 0
            outcome = self.stylize(tmp_path / "stopped")
            assert outcome.code == 0 and "going on from step 20 of 30" in outcome.err
            assert (tmp_path / "stopped/out.png").read_bytes() == (tmp_path / "out.png").read_bytes()
            assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["out.png"]

    @pytest.mark.parametrize("damaged", ["run.json", "state"])
    def test_says_that_a_damaged_checkpoint_is_not_used(self, tmp_path, monkeypatch, damaged):
        self.stopped(tmp_path, monkeypatch, 20)
        found = [path for path in (tmp_path / "out.png.checkpoint" / damaged).rglob("*") if path.is_file()]
        for file in found or [tmp_path / "out.png.checkpoint" / damaged]:
            file.write_bytes(file.read_bytes()[:1])
        outcome = self.stylize(tmp_path)
        warning = "out.png.checkpoint: has no checkpoint that can be read; the run starts from the beginning"
        assert outcome.code == 0 and outcome.err.count(warning) == 1 and "going on" not in outcome.err
        assert [path.name for path in tmp_path.iterdir()] == ["out.png"]

    def test_replaces_the_picture_of_the_stopped_run_and_no_other(self, tmp_path, monkeypatch):
        self.stopped(tmp_path, monkeypatch, 10)
        (tmp_path / "out.png").write_text("precious")
        refused = self.stylize(tmp_path).err
        assert "exists already" in refused and "going on" not in refused
        (state,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        Unfinished(tmp_path / "out.png", json.loads((state / "run.json").read_text())["identity"], None).note_picture()
        assert self.stylize(tmp_path).code == 0 and grays_of(tmp_path / "out.png")

    def test_another_command_starts_again_only_with_overwrite(self, tmp_path, monkeypatch):
        self.stopped(tmp_path, monkeypatch, 20)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        for flags in ((), ("--dry-run",)):
            outcome = self.stylize(tmp_path, "--content-weight", 0.2, *flags)
            assert outcome.code == 3 and "of another run (different content-weight); repeat" in outcome.err
            assert outcome.err.count("\n") == 1 and outcome.out == ""
        self.stylize(tmp_path, "--content-weight", 0.2, "--overwrite", "--dry-run")
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        outcome = self.stylize(tmp_path, "--content-weight", 0.2, "--overwrite")
        assert outcome.code == 0 and "going on" not in outcome.err
        assert [path.name for path in tmp_path.iterdir()] == ["out.png"]

    def test_a_full_disk_does_not_end_the_run(self, tmp_path, monkeypatch):
        def save(*_):
            raise JaxStyleError("no space")

        monkeypatch.setattr(Unfinished, "save", save)
        outcome = self.stylize(tmp_path)
        assert outcome.code == 0 and "warning: no space; there are no more checkpoints" in outcome.err
