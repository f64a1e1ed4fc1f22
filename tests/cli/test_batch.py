"""`jaxstyle batch`: results and records of pairs from folders and manifests."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.batches import TINY, batch, pictures_in, records_in
from support.command import CONTENT, Outcome, run, succeed

from jaxstyle.images import read_image
from jaxstyle.jobs import find_pictures


class TestAllPairs:
    @pytest.fixture
    def out(self, photos, paintings, tmp_path) -> Path:
        out = tmp_path / "out"
        assert batch(out, "--content", photos, "--style", paintings) == Outcome(0, f"{out}\n", "")
        return out

    def test_have_the_results_of_single_commands(self, out, photos, paintings, tmp_path):
        assert sorted(pictures_in(out)) == [
            "cat--embers.png",
            "cat--facets.png",
            "coffee--embers.png",
            "coffee--facets.png",
        ]
        single = tmp_path / "single.png"
        succeed("stylize", photos / "cat.jpg", paintings / "facets.jpg", "-o", single, *TINY)
        assert single.read_bytes() == (out / "cat--facets.png").read_bytes()

    def test_have_one_record_per_pair(self, out):
        lines = records_in(out)
        assert len(lines) == 4 and {line["output"] for line in lines} == set(pictures_in(out))
        for line in lines:
            assert line["error"] is None and line["settings"]["size"] == 32 and line["together"] == 1
            assert line["losses"]["total"]["last"] < line["losses"]["total"]["first"]
            assert set(line["seconds"]) == {"wait", "compute", "write"} and line["device"]["platform"]

    def test_leave_no_temporary_files(self, out):
        assert {path.name for path in (out / ".jaxstyle").iterdir()} <= {
            "lock",
            "0-of-1.lock",
            "checkpoints",
            "pictures.json",
        }
        assert list((out / ".jaxstyle").glob("checkpoints/*")) == []

    def test_are_not_computed_again(self, out, photos, paintings):
        times = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.is_file()}
        os.utime(photos / "cat.jpg", (0, 0))
        record = json.loads(batch(out, "--content", photos, "--style", paintings, "--json").out)
        assert (record["pairs"], record["done"], record["done_before"]) == (4, 4, 4)
        assert len(times) == 5 and times == {path: path.stat().st_mtime_ns for path in times}

    def test_are_computed_again_if_a_picture_or_setting_changed(self, out, photos, paintings):
        before = pictures_in(out)
        Image.open(photos / "coffee.jpg").rotate(180).save(photos / "cat.jpg")
        (out / "coffee--embers.png").unlink()
        assert batch(out, "--content", photos, "--style", paintings).code == 0
        new = sorted(line["output"] for line in records_in(out)[4:])
        assert new == ["cat--embers.png", "cat--facets.png", "coffee--embers.png"]
        after = pictures_in(out)
        assert {name for name in after if after[name] != before[name]} == {"cat--embers.png", "cat--facets.png"}
        assert batch(out, "--content", photos, "--style", paintings, "--steps", 4).code == 0
        assert len(records_in(out)) == 11 and {line["settings"]["steps"] for line in records_in(out)[7:]} == {4}
        assert all(after[name] != data for name, data in pictures_in(out).items())

    def test_are_shown_on_one_contact_sheet(self, out, photos, paintings, tmp_path):
        """The first row shows the styles, the first column the contents; the corner is empty."""
        sheet = tmp_path / "sheet.png"
        assert batch(out, "--content", photos, "--style", paintings, "--contact-sheet", sheet).code == 0
        picture = read_image(sheet)
        side = picture.shape[0] // 3
        assert picture.shape == (3 * side, 3 * side, 3)
        tiles = picture.reshape(3, side, 3, side, 3).swapaxes(1, 2)
        assert (tiles[0, 0] == 1).all()
        distinct = {tile.tobytes() for row in tiles for tile in row}
        assert len(distinct) == 9 and all(tile.std() > 0.1 for row in tiles for tile in row if not (tile == 1).all())
        content = read_image(photos / "cat.jpg").mean((0, 1))
        inside = tiles[1, 0][: side - 4, : side - 4]
        assert np.abs(inside[(inside < 1).any((1, 2))].mean((0, 1)) - content).max() < 0.02


def test_batches_give_nearly_the_same(photos, paintings, tmp_path):
    where = ("--content", photos, "--style", paintings)
    for name, size in (("one", 1), ("two", 2)):
        assert batch(tmp_path / name, *where, "--batch-size", size).code == 0
    assert {line["together"] for line in records_in(tmp_path / "two")} == {2}
    for path in (tmp_path / "one").glob("*.png"):
        np.testing.assert_allclose(read_image(path), read_image(tmp_path / "two" / path.name), atol=2.1 / 255)


def test_manifest(photos, paintings, tmp_path):
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(
        "content,style,output,seed,init,steps,pooling\n"
        "photos/cat.jpg,paintings/embers.jpg;paintings/facets.jpg,deep/both.jpg,,,,\n"
        "photos/cat.jpg,paintings/embers.jpg,,1,noise,,\n"
        "photos/cat.jpg,paintings/embers.jpg,,2,noise,2,avg\n"
    )
    out = tmp_path / "out"
    assert batch(out, manifest, "--tv-weight", 1) == Outcome(0, f"{out}\n", "")
    lines = {line["output"]: line for line in records_in(out)}
    assert sorted(lines) == ["cat--embers-2.png", "cat--embers.png", "deep/both.jpg"]
    assert all((out / name).is_file() for name in lines)
    assert lines["deep/both.jpg"]["styles"] == ["embers.jpg", "facets.jpg"]
    second = lines["cat--embers-2.png"]
    assert (second["settings"]["seed"], second["settings"]["steps"], second["network"]["pooling"]) == (2, 2, "avg")
    assert all(line["settings"]["tv_weight"] == 1 for line in lines.values())
    single = tmp_path / "single.jpg"
    styles = [paintings / "embers.jpg", paintings / "facets.jpg"]
    succeed("stylize", photos / "cat.jpg", *styles, "-o", single, *TINY, "--tv-weight", 1)
    assert single.read_bytes() == (out / "deep" / "both.jpg").read_bytes()


def test_transparency_is_kept_where_the_format_has_it(photos, paintings, tmp_path):
    image = Image.open(photos / "cat.jpg").convert("RGBA")
    image.putalpha(128)
    image.save(tmp_path / "clear.png")
    (tmp_path / "pairs.jsonl").write_text(
        "".join(
            json.dumps({"content": "clear.png", "style": "paintings/embers.jpg", "output": f"out{suffix}"}) + "\n"
            for suffix in (".png", ".jpg")
        )
    )
    outcome = batch(tmp_path / "out", tmp_path / "pairs.jsonl")
    assert outcome.code == 1 and "out.jpg: .jpg cannot store transparency" in outcome.err
    with Image.open(tmp_path / "out" / "out.png") as result:
        assert np.unique(np.asarray(result)[..., 3]).tolist() == [128]


class TestDryRun:
    def test_prints_the_remaining_pairs_and_computes_nothing(self, photos, paintings, tmp_path):
        (photos / "bad.png").write_bytes(b"")
        out, where = tmp_path / "out", ("--content", photos, "--style", paintings)
        text = succeed("batch", *where, "-o", out, *TINY, "--dry-run")
        assert (
            text.startswith("6 pairs: 0 done, 2 failed, 4 to do\n")
            and f"failed: bad--embers.png: {photos}/bad.png: is empty" in text
        )
        assert text.count("bad.png:") == 1 and " (2 pairs)\n" in text
        assert "has at most 1 level" in run("batch", *where, "-o", out, *TINY, "--levels", 9, "--dry-run").err
        assert "4 pairs at 32 x 21 pixels" in text and "unknown until" in text
        assert not out.exists()
        batch(out, *where)
        before = (out / "results.jsonl").read_bytes()
        record = json.loads(succeed("batch", *where, "-o", out, *TINY, "--steps", 6, "--dry-run", "--json"))
        assert (record["done"], len(record["failed"]), len(record["todo"])) == (0, 2, 4)
        assert record["seconds"] > 0 and record["groups"][0]["bytes"] > 1e6
        record = json.loads(succeed("batch", *where, "-o", out, *TINY, "--dry-run", "--json"))
        assert (record["done"], record["todo"], record["groups"], record["seconds"]) == (4, [], [], 0)
        assert (out / "results.jsonl").read_bytes() == before

    def test_prints_names_on_one_line_each(self, paintings, tmp_path):
        shutil.copy(CONTENT, tmp_path / "two\nlines\x1b[2J.jpg")
        style = next(paintings.iterdir())
        text = succeed("batch", "--content", tmp_path, "--style", style, "-o", tmp_path / "out", *TINY, "--dry-run")
        assert rf"{tmp_path}/two\nlines\x1b[2J.jpg with {style}: two\nlines\x1b[2J--" in text and "\x1b" not in text


def test_a_pattern_does_not_match_the_results(photos: Path, paintings: Path, tmp_path: Path):
    """Which the same command would take for pictures when it resumes."""
    out, where = photos / "out", ("--content", f"{photos}/**/*.*g", "--style", next(paintings.iterdir()))
    assert batch(out, *where).code == 0
    assert batch(out, *where).code == 0 and len(records_in(out)) == 2
    (photos / "other").mkdir()
    shutil.copy(CONTENT, photos / "other" / "new.jpg")
    assert "has pictures to read in it" in batch(photos / "other", *where).err


class TestErrors:
    def refused(self, tmp_path, *arguments: object, code: int = 2) -> str:
        outcome = batch(tmp_path / "out", *arguments)
        assert (outcome.code, outcome.out) == (code, "") and outcome.err.count("\n") == 1
        return outcome.err

    def test_without_pairs(self, photos, paintings, tmp_path):
        assert "expected --content and --style" in self.refused(tmp_path)
        assert "expected --content and --style" in self.refused(tmp_path, "--content", photos)
        assert "quote a pattern of files" in self.refused(tmp_path, tmp_path / "pairs.csv", "--content", photos)
        surplus = ("a.jpg", "b (1).jpg", "c.jpg", "--style", paintings, "--content", photos)
        assert "there is 'b (1).jpg c.jpg' after the last argument; leave it out, or quote" in self.refused(
            tmp_path, *surplus
        )
        assert "which matches no picture" in self.refused(tmp_path, "--content", tmp_path, "--style", paintings)
        assert "pairs.csv: cannot be read" in self.refused(tmp_path, tmp_path / "pairs.csv")
        assert not (tmp_path / "out").exists()

    def test_shares_that_fit_no_pair(self, photos, paintings, tmp_path):
        where = ("--content", photos, "--style", paintings)
        assert "--style-blend has 2 weights for 1 style;" in self.refused(tmp_path, *where, "--style-blend", "1,2")

    def test_existing_files(self, photos, paintings, tmp_path):
        where = ("--content", photos, "--style", paintings)
        out = tmp_path / "out"
        out.mkdir()
        (out / "cat--embers.png").write_text("precious")
        assert "cat--embers.png: exists already" in self.refused(tmp_path, *where, code=3)
        assert "has pictures to read" in run("batch", *where, "-o", photos, *TINY).err
        (tmp_path / "sheet.png").write_text("precious")
        sheet = ("--contact-sheet", tmp_path / "sheet.png", "--zip")
        (out / "cat--embers.png").unlink()
        assert "exists already" in self.refused(tmp_path, *where, *sheet)
        (out / "cat--embers.png").write_text("precious")
        assert batch(out, *where, *sheet, "--overwrite").code == 0
        assert sorted(pictures_in(out)) == ["cat--embers.png", "coffee--facets.png"]

    @pytest.mark.parametrize(
        ("sheet", "message"), [("sheet.txt", "has the suffix '.txt'"), ("missing/sheet.png", "missing is not a folder")]
    )
    def test_contact_sheets_that_cannot_be(self, photos, paintings, tmp_path, sheet, message):
        sheet = tmp_path / sheet
        error = self.refused(tmp_path, "--content", photos, "--style", paintings, "--contact-sheet", sheet)
        assert f"error: --contact-sheet: {sheet}: " in error and message in error

    def test_a_folder_of_results_that_is_a_file(self, photos, paintings, tmp_path):
        (tmp_path / "file.txt").touch()
        for out in ("file.txt", "file.txt/out"):
            outcome = batch(tmp_path / out, "--content", photos, "--style", paintings)
            assert outcome.code == 2 and f"{tmp_path}/file.txt is a file; expected a folder" in outcome.err

    def test_a_manifest_that_would_replace_its_pictures(self, photos, paintings, tmp_path):
        manifest = tmp_path / "pairs.csv"
        manifest.write_text("content,style,output\nphotos/cat.jpg,paintings/embers.jpg,cat.jpg\n")
        assert "is one of the pictures to read" in run("batch", manifest, "-o", photos, *TINY).err


def test_skipped_files_are_counted(photos, paintings, tmp_path):
    (photos / "notes.txt").touch()
    for folder in ("folder.jpg", "raw"):
        (photos / folder).mkdir()
    outcome = batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert outcome.code == 0
    assert outcome.err == f"jaxstyle: skipped 2 files in {photos} whose suffix is not that of a picture\n"
    contents, _ = find_pictures("--content", f"{photos}/*")
    assert [path.name for path in contents] == ["cat.jpg", "coffee.jpg", "notes.txt"]
