"""`--watch`: a job goes on with pictures that arrive."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from support.batches import batch, pictures_in
from support.command import CONTENT, STYLE

from jaxstyle import jobs
from jaxstyle.cli import arrivals
from jaxstyle.cli import batch as batch_module
from jaxstyle.cli.arrivals import PictureState, wait_for_change
from jaxstyle.errors import ConfigError


def test_changes_count_when_they_are_over(photos: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder that cannot be read, a picture that is being copied, an error that stays, which is said, and no more."""
    new, calls, pauses, errors = photos / "new.jpg", [], [], []
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: new.write_bytes(b"half"),
        lambda: new.write_bytes(b"half of it"),
        lambda: shutil.copy(CONTENT, new),
        *[lambda: None] * 5,
    ]

    def find_tasks() -> list[jobs.Task]:
        calls.append(None)
        if len(calls) == 2:
            raise ConfigError("it is being written")
        if 6 <= len(calls) <= 9:
            raise ConfigError("line 2 has 1 cell for 3 columns")
        return jobs.pair_up(sorted(photos.iterdir()), [STYLE], jobs.Options(), zipped=False)

    known = PictureState.of(jobs.pair_up(sorted(photos.iterdir()), [STYLE], jobs.Options(), zipped=False))

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        steps.pop(0)()

    monkeypatch.setattr(arrivals.time, "sleep", pause)
    found = wait_for_change(find_tasks, known, errors.append)
    assert errors == ["line 2 has 1 cell for 3 columns"]
    assert not steps and len(found.tasks) == 3 and new in found.files and min(pauses) >= 2
    os.utime(new, (1, 1))
    assert PictureState.of(found.tasks) != found
    new.unlink()
    assert PictureState.of(found.tasks).files[new] == []


def test_the_command_goes_on(photos: Path, paintings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (photos / "damaged.png").write_bytes(b"")
    rounds = []

    def wait(find_tasks: Callable[[], list[jobs.Task]], known: PictureState, _: object) -> PictureState:
        rounds.append(len(pictures_in(tmp_path / "out")))
        if len(rounds) == 2:
            raise typer.Exit(130)
        shutil.copy(CONTENT, photos / "new.jpg")
        return PictureState.of(find_tasks())

    monkeypatch.setattr(batch_module, "wait_for_change", wait)
    outcome = batch(tmp_path / "out", "--content", photos, "--style", next(paintings.iterdir()), "--watch")
    assert outcome.code == 130 and rounds == [2, 3]
    assert "2 of 3 pairs are done, 1 failed" in outcome.err and outcome.err.count("waiting for pictures") == 2
    assert "3 of 4 pairs are done, 2 of them before this run" in outcome.err
    assert outcome.err.count("damaged.png: ") == 1, "an old failure is shown once"


def test_the_folder_may_be_empty_at_first_and_errors_end_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """At first, a folder is in the place of the result."""
    inbox, out, steps = tmp_path / "inbox", tmp_path / "out", []
    inbox.mkdir()

    def wait(find_tasks: Callable[[], list[jobs.Task]], known: PictureState, _: object) -> PictureState:
        steps.append(len(known.tasks))
        match len(steps):
            case 1:
                shutil.copy(CONTENT, inbox / "a.jpg")
                (out / "a--swirls.png").mkdir(parents=True)
            case 2:
                (out / "a--swirls.png").rmdir()
            case 3:
                raise typer.Exit(130)
        return PictureState.of(find_tasks())

    monkeypatch.setattr(batch_module, "wait_for_change", wait)
    outcome = batch(out, "--content", inbox, "--style", STYLE, "--watch")
    assert outcome.code == 130 and steps == [0, 1, 1] and [*pictures_in(out)] == ["a--swirls.png"]
    assert outcome.err.count("jaxstyle: error: ") == 1
