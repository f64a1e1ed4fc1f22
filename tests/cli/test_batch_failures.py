"""Pairs that fail within a job of `jaxstyle batch`: each costs a line and itself, and the rest is done."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.batches import batch, bytes_of, lines_of
from support.command import Ended
from support.pictures import encoded

from jaxstyle.errors import DivergedError
from jaxstyle.optimization.solver import run


def spoil(folder: Path) -> dict[str, str]:
    """Ten bad pictures, of ten kinds, and a word of what is said about each."""
    good = encoded(Image.effect_noise((40, 40), 50).convert("RGB"), "PNG")
    bad: dict[str, tuple[bytes | None, str]] = {
        "zero.png": (b"", "is empty"),
        "text.jpg": (b"these are words", "holds text"),
        "cut.png": (good[: len(good) // 2], "cut short"),
        "noise.png": (bytes(range(256)), "no picture of a known kind"),
        "small.png": (encoded(Image.new("RGB", (15, 40)), "PNG"), "has 15x40"),
        "thin.png": (encoded(Image.new("RGB", (20, 400)), "PNG"), "use size"),
        "phone.heic": (b"\0\0\0\x18ftypheic", "HEIC"),
        "head.png": (good[:30], "is damaged"),
        "folder.png": (None, "is a folder"),
        "nowhere.png": (None, "No such file"),
    }
    for name, (data, _) in bad.items():
        if data is not None:
            (folder / name).write_bytes(data)
    (folder / "folder.png").mkdir()
    (folder / "nowhere.png").symlink_to("missing")
    return {name: word for name, (_, word) in bad.items()}


class TestBadPictures:
    def test_cost_one_line_and_one_pair_each(self, paintings, tmp_path):
        """30 good ones and 10 bad ones; the bad ones are not tried again until they change."""
        photos, out = tmp_path / "many", tmp_path / "out"
        photos.mkdir()
        rng = np.random.default_rng(0)
        for number in range(30):
            Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(photos / f"{number:02}.png")
        bad = spoil(photos)
        where = ("--content", photos, "--style", paintings)
        ended = batch(out, *where)
        assert ended.code == 1 and len(bytes_of(out)) == 60 and len(lines_of(out)) == 80
        *reasons, summary = ended.err.splitlines()
        assert summary == f"jaxstyle: 60 of 80 pairs are done, 20 failed; {out}/results.jsonl tells of each"
        assert len(reasons) == 10
        for name, word in bad.items():
            (line,) = [line for line in reasons if line.startswith(f"jaxstyle: failed: {photos / name}: ")]
            assert word in line
            errors = {line["error"] for line in lines_of(out) if line["content"] == name}
            assert len(errors) == 1 and word in errors.pop()

        again = batch(out, *where)
        assert again.code == 1 and len(lines_of(out)) == 80
        assert again.err.count("(before; --retry-failed tries it again)") == 10
        for name in bad.keys() - {"zero.png"}:
            path = photos / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copy(photos / "00.png", photos / "zero.png")
        assert batch(out, *where) == Ended(0, f"{out}\n", "")
        assert len(bytes_of(out)) == 62 and len(lines_of(out)) == 82

    def test_are_tried_again_when_asked(self, photos, paintings, tmp_path):
        (photos / "bad.png").write_bytes(b"")
        out, where = tmp_path / "out", ("--content", photos, "--style", paintings)
        assert batch(out, *where).code == 1 and len(lines_of(out)) == 6
        assert batch(out, *where, "--retry-failed").code == 1
        assert [line["output"] for line in lines_of(out)[6:]] == ["bad--embers.png", "bad--facets.png"]

    @pytest.mark.parametrize("data", [b"", encoded(Image.effect_noise((40, 40), 50), "PNG")[:900]])
    def test_end_the_job_when_asked(self, photos, paintings, tmp_path, data):
        (photos / "a bad one.png").write_bytes(data)
        out = tmp_path / "out"
        ended = batch(out, "--content", photos, "--style", paintings, "--fail-fast")
        assert ended.code == 1 and " not tried; " in ended.err and len(bytes_of(out)) < 4
        told = batch(out, "--content", photos, "--style", paintings)
        assert told.code == 1 and len(bytes_of(out)) == 4

    def test_among_styles_too(self, photos, paintings, tmp_path):
        (paintings / "bad.png").write_bytes(b"")
        (paintings / "bad.safetensors").write_bytes(b"")
        ended = batch(tmp_path / "out", "--content", photos, "--style", paintings)
        assert ended.code == 1 and len(ended.err.splitlines()) == 3 and len(bytes_of(tmp_path / "out")) == 4


def test_a_lost_pair_disturbs_no_other(photos, paintings, tmp_path, monkeypatch):
    work = run.stylize_group

    def stylize_group(network, group, pairs, **more):
        results = work(network, group, pairs, **more)
        if group.pairs == (1,):
            object.__setattr__(results[0], "error", DivergedError("the loss went away"))
        return results

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    out = tmp_path / "out"
    ended = batch(out, "--content", photos, "--style", paintings)
    assert ended.code == 1 and "jaxstyle: failed: cat--facets.png: the loss went away\n" in ended.err
    assert len(bytes_of(out)) == 3 and not (out / "cat--facets.png").exists()


def test_too_little_memory_is_a_failure_of_the_pair(photos, paintings, tmp_path, monkeypatch):
    def stylize_group(*_, **__):
        raise MemoryError

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    ended = batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert ended.code == 1 and ended.err.count("the memory is not enough") == 4


def test_defects_are_no_failures_of_pairs(photos, paintings, tmp_path, monkeypatch):
    def stylize_group(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(run, "stylize_group", stylize_group)
    with pytest.raises(ZeroDivisionError):
        batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert lines_of(tmp_path / "out") == []
