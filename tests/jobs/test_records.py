"""The record of a job survives whatever ends the process, and keeps two jobs apart."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jaxstyle.errors import JaxStyleError
from jaxstyle.jobs import STATE_FOLDER, Share, read_records, records
from jaxstyle.jobs.records import Records, format_settings, is_running, pair_key

LINE = {"output": "a.png", "key": "1", "error": None}


def written(folder: Path, *lines: dict, share: Share = Share(0, 1)) -> Path:  # noqa: B008 - frozen
    with closing(Records(folder, share)) as file:
        for line in lines:
            file.add(line)
        return file.path


def test_lines_are_added_in_order_with_the_time(tmp_path):
    path = written(tmp_path / "new", LINE, LINE | {"output": "b.png", "error": "bad"})
    written(tmp_path / "new", LINE | {"key": "2"})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["output"], line["key"]) for line in lines] == [("a.png", "1"), ("b.png", "1"), ("a.png", "2")]
    assert [line["ended"] for line in lines] == sorted(line["ended"] for line in lines)
    assert {name: record["key"] for name, record in read_records(tmp_path / "new").items()} == {
        "a.png": "2",
        "b.png": "1",
    }


def test_a_line_cut_short_anywhere_costs_only_itself(tmp_path):
    path = written(tmp_path, LINE | {"output": "é.png"}, LINE | {"output": "b.png"})
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        expected = [*["é.png"] * (end >= first - 1), *["b.png"] * (end >= len(whole) - 1)]
        assert list(read_records(tmp_path)) == expected  # as it was left: a line without its end may still be whole
        written(tmp_path, LINE | {"output": "c.png"})
        lines = [json.loads(line)["output"] for line in path.read_text("utf-8").splitlines()]
        assert lines == [*["é.png"] * (end >= first), *["b.png"] * (end == len(whole)), "c.png"]


def test_lines_that_are_no_records_count_for_nothing(tmp_path):
    path = written(tmp_path, LINE)
    with path.open("ab") as file:
        file.write(b'\xff\xfe\n[]\n{"output": "x"}\n\x00\x00\n')
    assert list(read_records(tmp_path)) == ["a.png"]
    assert read_records(tmp_path / "missing") == {}


def test_the_latest_of_all_shares_counts(tmp_path):
    for index, key in ((1, "old"), (0, "new")):
        written(tmp_path, LINE | {"key": key}, share=Share(index, 2))
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["results-0.jsonl", "results-1.jsonl"]
    assert read_records(tmp_path)["a.png"]["key"] == "new"
    written(tmp_path, LINE | {"key": "newest"})
    assert read_records(tmp_path)["a.png"]["key"] == "newest"
    assert read_records(tmp_path, fields=("key",)) == {"a.png": {"key": "newest"}}


def test_a_clock_that_is_set_back_does_not_change_the_order(tmp_path):
    path = written(tmp_path, LINE)
    with path.open("a") as file:
        file.write(json.dumps(LINE | {"key": "2", "ended": "1999-01-01T00:00:00+00:00"}) + "\n")
    assert read_records(tmp_path)["a.png"]["key"] == "2"


class TestTwoJobs:
    def test_do_not_work_in_one_folder(self, tmp_path):
        with closing(Records(tmp_path, Share())), pytest.raises(JaxStyleError, match="another job is running"):
            Records(tmp_path, Share())
        written(tmp_path, LINE)

    def test_but_the_shares_of_one_do(self, tmp_path):
        with closing(Records(tmp_path, Share(0, 2))), closing(Records(tmp_path, Share(1, 2))):
            for share in (Share(), Share(1, 2)):
                with pytest.raises(JaxStyleError, match="is running in"):
                    Records(tmp_path, share)
            assert is_running(tmp_path, Share(1, 2)) and not is_running(tmp_path, Share(0, 1))
        assert not is_running(tmp_path, Share(1, 2))

    def test_a_killed_one_leaves_the_folder_free(self, tmp_path):
        code = "import sys, time, pathlib; from jaxstyle.jobs.records import *\n"
        code += "records = Records(pathlib.Path(sys.argv[1]), Share()); print(flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline()
            with pytest.raises(JaxStyleError, match="another job is running"):
                Records(tmp_path, Share())
            process.send_signal(signal.SIGKILL)
        written(tmp_path, LINE)

    def test_of_other_numbers_of_shares_are_kept_apart(self, tmp_path):
        with closing(Records(tmp_path, Share(0, 2))), pytest.raises(JaxStyleError, match="share 1/3, or"):
            Records(tmp_path, Share(1, 3))
        written(tmp_path, LINE, share=Share(1, 3))

    def test_are_not_kept_apart_where_there_are_no_locks(self, tmp_path, monkeypatch):
        def acquire(*_, **__):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(records.FileLock, "acquire", acquire)
        with closing(Records(tmp_path, Share())):
            written(tmp_path, LINE)


def test_a_job_that_records_nothing_leaves_nothing(tmp_path):
    written(tmp_path / "new")
    with closing(Records(tmp_path / "new", Share())), pytest.raises(JaxStyleError):
        Records(tmp_path / "new", Share())
    assert list(tmp_path.iterdir()) == []
    written(tmp_path / "old", LINE)
    written(tmp_path / "old")
    assert sorted(path.name for path in (tmp_path / "old").iterdir()) == [STATE_FOLDER, "results.jsonl"]


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch):
    path = written(tmp_path, LINE)
    before = path.read_bytes()

    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(JaxStyleError, match=r"results.jsonl: cannot be written \(No space left on device\)"):
        written(tmp_path, LINE)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JaxStyleError, match="file"):
        Records(tmp_path / "file" / "out", Share())
    assert not (tmp_path / STATE_FOLDER).exists()


def test_keys_depend_on_every_part_but_the_name_of_the_network():
    identity = ("c", ["s"], (None, None), {"size": 1}, {"name": "vgg19", "sha256": "x"})
    others = (
        ("d", *identity[1:]),
        ("c", ["t"], *identity[2:]),
        ("c", ["s", "s"], *identity[2:]),
        ("c", ["s"], ("p", None), *identity[3:]),
        ("c", ["s"], (None, "p"), *identity[3:]),
        (*identity[:3], {"size": 2}, identity[4]),
        (*identity[:4], {"name": "vgg19", "sha256": "y"}),
    )

    def key(*files: Any) -> str:
        return pair_key(*files[:3], format_settings(*files[3:]))

    assert len({key(*arguments) for arguments in (identity, *others)}) == 8
    assert key(*identity) == key(*identity[:4], {"name": "own", "sha256": "x"})
    # Keys stay the same with every version, because records have them.
    text = '["c", ["s"], null, {"size": 1}, {"name": null, "sha256": "x"}]'
    assert key(*identity) == hashlib.sha256(text.encode()).hexdigest()
    with_mask = '["c", ["s"], "i", {"size": 1}, {"name": null, "sha256": "x"}, "m"]'
    assert key("c", ["s"], ("i", "m"), *identity[3:]) == hashlib.sha256(with_mask.encode()).hexdigest()
