"""Pairs that fail in a job of `jaxstyle batch`: every failure is one line, and the other pairs are done."""

import errno
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.batches import batch, pictures_in, records_in
from support.command import Outcome
from support.pictures import encoded

from jaxstyle.errors import DivergedError
from jaxstyle.jobs import run


def write_bad_pictures(folder: Path) -> dict[str, str]:
    """Write nine bad pictures of different kinds; return a word from the error of each by name."""
    good = encoded(Image.effect_noise((40, 40), 50).convert("RGB"), "PNG")
    bad: dict[str, tuple[bytes | None, str]] = {
        "zero.png": (b"", "is empty"),
        "text.jpg": (b"these are words", "holds text"),
        "cut.png": (good[: len(good) // 2], "cut short"),
        "noise.png": (bytes(range(256)), "not a picture of a known format"),
        "small.png": (encoded(Image.new("RGB", (15, 40)), "PNG"), "has 15x40"),
        "thin.png": (encoded(Image.new("RGB", (20, 400)), "PNG"), "use size"),
        "phone.heic": (b"\0\0\0\x18ftypheic", "phone.heic"),
        "head.png": (good[:30], "is damaged"),
        "nowhere.png": (None, "No such file"),
    }
    for name, (data, _) in bad.items():
        if data is not None:
            (folder / name).write_bytes(data)
    (folder / "nowhere.png").symlink_to("missing")
    return {name: word for name, (_, word) in bad.items()}


class TestBadPictures:
    def test_fail_with_one_line_and_no_other_pair_fails(self, paintings, tmp_path):
        """3 good pictures and 9 bad ones, which are not tried again until they change."""
        photos, out = tmp_path / "many", tmp_path / "out"
        photos.mkdir()
        rng = np.random.default_rng(0)
        for number in range(3):
            Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(photos / f"{number:02}.png")
        bad = write_bad_pictures(photos)
        where = ("--content", photos, "--style", paintings)
        outcome = batch(out, *where)
        assert outcome.code == 1 and len(pictures_in(out)) == 6 and len(records_in(out)) == 24
        *reasons, summary = outcome.err.splitlines()
        cost = r"[0-9.e+]+ a minute, 0:[0-9]{2} of device time"
        assert re.fullmatch(rf"jaxstyle: 6 of 24 pairs are done, 18 failed; {cost}; see {out}/results\.jsonl", summary)
        assert len(reasons) == 9
        for name, word in bad.items():
            (line,) = [line for line in reasons if f": {photos / name}: " in line]
            assert word in line and re.match(rf"jaxstyle: failed: {Path(name).stem}--\w+\.png: ", line)
            errors = {line["error"] for line in records_in(out) if line["content"] == name}
            assert len(errors) == 1 and word in errors.pop()

        again = batch(out, *where)
        assert again.code == 1 and len(records_in(out)) == 24
        assert again.err.count("(failed before; try again with --retry-failed)") == 9
        for name in bad.keys() - {"zero.png"}:
            (photos / name).unlink()
        shutil.copy(photos / "00.png", photos / "zero.png")
        assert batch(out, *where) == Outcome(0, f"{out}\n", "")
        assert len(pictures_in(out)) == 8 and len(records_in(out)) == 26

    def test_are_tried_again_with_retry_failed(self, photos, paintings, tmp_path):
        (photos / "bad.png").write_bytes(b"")
        out, where = tmp_path / "out", ("--content", photos, "--style", paintings)
        assert batch(out, *where).code == 1 and len(records_in(out)) == 6
        assert batch(out, *where, "--retry-failed").code == 1
        assert [line["output"] for line in records_in(out)[6:]] == ["bad--embers.png", "bad--facets.png"]

    @pytest.mark.parametrize("data", [b"", encoded(Image.effect_noise((40, 40), 50), "PNG")[:900]])
    def test_end_the_job_with_fail_fast(self, photos, paintings, tmp_path, data):
        (photos / "a bad one.png").write_bytes(data)
        out = tmp_path / "out"
        outcome = batch(out, "--content", photos, "--style", paintings, "--fail-fast")
        assert outcome.code == 1 and " not tried; " in outcome.err and len(pictures_in(out)) < 4
        again = batch(out, "--content", photos, "--style", paintings)
        assert again.code == 1 and len(pictures_in(out)) == 4

    def test_among_styles(self, photos, paintings, tmp_path):
        (paintings / "bad.png").write_bytes(b"")
        (paintings / "bad.safetensors").write_bytes(b"")
        outcome = batch(tmp_path / "out", "--content", photos, "--style", paintings)
        assert outcome.code == 1 and len(outcome.err.splitlines()) == 3 and len(pictures_in(tmp_path / "out")) == 4


def test_a_pair_that_diverges_does_not_affect_others(photos, paintings, tmp_path, monkeypatch):
    work = run.stylize_group

    def stylize_group(network, group, pairs, **more):
        results = work(network, group, pairs, **more)
        if group.pairs == (1,):
            object.__setattr__(results[0], "error", DivergedError("the loss is not finite"))
        return results

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    out = tmp_path / "out"
    outcome = batch(out, "--content", photos, "--style", paintings)
    assert outcome.code == 1 and "jaxstyle: failed: cat--facets.png: the loss is not finite\n" in outcome.err
    assert len(pictures_in(out)) == 3 and not (out / "cat--facets.png").exists()


def test_out_of_memory_is_a_failure_of_the_pair(photos, paintings, tmp_path, monkeypatch):
    def stylize_group(*_, **__):
        raise MemoryError

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    outcome = batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert outcome.code == 1 and outcome.err.count("not enough memory") == 4


def test_bugs_are_not_failures_of_pairs(photos, paintings, tmp_path, monkeypatch):
    def stylize_group(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    with pytest.raises(ZeroDivisionError):
        batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert not (tmp_path / "out" / "results.jsonl").exists()


def test_a_full_disk_is_one_line_that_names_the_result(photos, paintings, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("jaxstyle.images.writing.write_atomically", fail)
    out = tmp_path / "out"
    outcome = batch(out, "--content", photos / "cat.jpg", "--style", paintings / "facets.jpg")
    line = f"{out / 'cat--facets.png'}: cannot be written (No space left on device)"
    assert outcome.code == 3 and outcome.err.startswith(f"jaxstyle: error: {line}") and outcome.err.count("\n") == 1
    assert not out.exists()  # not even empty folders


def test_a_disk_on_which_no_folder_can_be_created(photos, paintings, tmp_path, monkeypatch):
    create = Path.mkdir

    def fail(path, *arguments, **options):
        if path.name.startswith("writing-"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        create(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", fail)
    outcome = batch(tmp_path / "out", "--content", photos / "cat.jpg", "--style", paintings / "facets.jpg")
    assert outcome.code == 1 and "cannot be written (No space left on device)" in outcome.err
    assert outcome.err.count("\n") == 1
