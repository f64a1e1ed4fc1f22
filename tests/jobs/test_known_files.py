"""Files are looked at once, and again only if they have changed."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from support.command import CONTENT

from jaxstyle.jobs import STATE_FOLDER, known_files
from jaxstyle.jobs.known_files import FileFacts, KnownFiles

YEAR = 365 * 24 * 3600 * 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a job."""
    (tmp_path / STATE_FOLDER).mkdir()
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on; a year later, so that none of them is new."""
    reads, read, now = [], known_files._read, time.time_ns

    def count(file: Path) -> FileFacts:
        reads.append(file)
        return read(file)

    monkeypatch.setattr(known_files, "_read", count)
    monkeypatch.setattr(time, "time_ns", lambda: now() + YEAR)
    return reads


def test_digests_are_of_bytes(folder: Path):
    files = [folder / name for name in "abc"]
    for file, data in zip(files, (b"one", b"one", b"two"), strict=True):
        file.write_bytes(data)
    known = KnownFiles(folder)
    known.find(files)
    a, b, c, nested, nothing = (known[file].digest for file in (*files, folder, folder / "d"))
    assert a == b and len({a, c, nothing}) == 3 and nested == nothing


def test_shapes_are_those_of_pictures(folder: Path):
    (folder / "words.jpg").write_text("words")
    (folder / "style.safetensors").touch()
    known = KnownFiles(folder)
    assert known[CONTENT].shape == (612, 800)
    assert known[folder / "words.jpg"].shape is None and known[folder / "style.safetensors"].shape is None


def test_a_file_is_read_once_for_all_runs(folder: Path, reads: list[Path]):
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(CONTENT, folder / name)
    (folder / "style.safetensors").write_text("style")
    files = [folder / name for name in ("a.jpg", "b.jpg", "a.jpg", "style.safetensors")]
    first = KnownFiles(folder)
    first.find(files)
    first.save()
    assert sorted(reads) == sorted(set(files))
    second = KnownFiles(folder)
    second.find(files)
    assert len(reads) == 3 and [second[file] for file in files] == [first[file] for file in files]


def test_a_changed_file_is_read_again(folder: Path, reads: list[Path]):
    """Also one with the same size and modification time, as `cp -p` leaves it."""
    file = folder / "style.safetensors"
    file.write_bytes(b"one")
    known = KnownFiles(folder)
    os.utime(file, (1, 1))
    known.find([file])
    known.save()
    file.write_bytes(b"two")
    os.utime(file, (1, 1))
    assert KnownFiles(folder)[file].digest != known[file].digest and len(reads) == 2


def test_files_that_cannot_be_read_or_are_new_are_not_remembered(
    folder: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
):
    (folder / "words.jpg").write_text("words")
    shutil.copy(CONTENT, folder / "new.jpg")
    known = KnownFiles(folder)
    known.find([folder / "words.jpg", folder / "missing.jpg"])
    monkeypatch.setattr(time, "time_ns", lambda: (folder / "new.jpg").stat().st_mtime_ns + 10**9)
    known.find([folder / "new.jpg"])
    known.save()
    assert not (folder / STATE_FOLDER / "pictures.json").exists()


@pytest.mark.parametrize("damage", ["", "[]", "{", "null", "valid"])
def test_damage_is_ignored(folder: Path, damage: str):
    path = folder / STATE_FOLDER / "pictures.json"
    path.write_text(json.dumps({str(CONTENT): [1]}) if damage == "valid" else damage)
    assert KnownFiles(folder)[CONTENT].shape == (612, 800)


def test_nothing_is_written_without_a_job(tmp_path: Path, reads: list[Path]):
    known = KnownFiles(tmp_path / "out")
    known.find([CONTENT])
    known.save()
    assert list(tmp_path.iterdir()) == []
