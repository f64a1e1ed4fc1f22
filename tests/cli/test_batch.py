"""`jaxstyle batch` from folders and manifests to results."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.batches import TINY, batch, bytes_of, lines_of
from support.command import Ended, run, succeed

from jaxstyle.images.reading import read_image


class TestAllPairs:
    @pytest.fixture
    def out(self, photos, paintings, tmp_path) -> Path:
        out = tmp_path / "out"
        assert batch(out, "--content", photos, "--style", paintings) == Ended(0, f"{out}\n", "")
        return out

    def test_are_what_single_commands_make(self, out, photos, paintings, tmp_path):
        assert sorted(bytes_of(out)) == [
            "cat--embers.png",
            "cat--facets.png",
            "coffee--embers.png",
            "coffee--facets.png",
        ]
        single = tmp_path / "single.png"
        succeed("stylize", photos / "cat.jpg", paintings / "facets.jpg", "-o", single, *TINY)
        assert single.read_bytes() == (out / "cat--facets.png").read_bytes()

    def test_have_a_line_each(self, out):
        lines = lines_of(out)
        assert len(lines) == 4 and {line["output"] for line in lines} == set(bytes_of(out))
        for line in lines:
            assert line["error"] is None and line["settings"]["size"] == 32 and line["together"] == 1
            assert line["losses"]["total"]["last"] < line["losses"]["total"]["first"]
            assert set(line["seconds"]) == {"wait", "compute", "write"} and line["device"]["platform"]

    def test_leave_nothing_else_behind(self, out):
        assert {path.name for path in (out / ".jaxstyle").iterdir()} <= {"lock", "checkpoints"}
        assert list((out / ".jaxstyle").glob("checkpoints/*")) == []

    def test_are_not_made_again(self, out, photos, paintings):
        times = {path: path.stat().st_mtime_ns for path in out.iterdir() if path.is_file()}
        os.utime(photos / "cat.jpg", (0, 0))
        told = json.loads(batch(out, "--content", photos, "--style", paintings, "--json").out)
        assert (told["pairs"], told["done"], told["done_before"]) == (4, 4, 4)
        assert len(times) == 5 and times == {path: path.stat().st_mtime_ns for path in times}

    def test_are_made_again_where_anything_is_new(self, out, photos, paintings):
        before = bytes_of(out)
        Image.open(photos / "coffee.jpg").rotate(180).save(photos / "cat.jpg")
        (out / "coffee--embers.png").unlink()
        assert batch(out, "--content", photos, "--style", paintings).code == 0
        new = sorted(line["output"] for line in lines_of(out)[4:])
        assert new == ["cat--embers.png", "cat--facets.png", "coffee--embers.png"]
        after = bytes_of(out)
        assert {name for name in after if after[name] != before[name]} == {"cat--embers.png", "cat--facets.png"}
        assert batch(out, "--content", photos, "--style", paintings, "--steps", 4).code == 0
        assert len(lines_of(out)) == 11 and {line["settings"]["steps"] for line in lines_of(out)[7:]} == {4}
        assert all(after[name] != data for name, data in bytes_of(out).items())

    def test_are_seen_on_one_sheet(self, out, photos, paintings, tmp_path):
        """The first row and column are thumbnails; there is nothing in the corner."""
        sheet = tmp_path / "sheet.png"
        assert batch(out, "--content", photos, "--style", paintings, "--contact-sheet", sheet).code == 0
        picture = read_image(sheet)
        side = picture.shape[0] // 3
        assert picture.shape == (3 * side, 3 * side, 3)
        tiles = picture.reshape(3, side, 3, side, 3).swapaxes(1, 2)
        assert (tiles[0, 0] == 1).all()
        seen = {tile.tobytes() for row in tiles for tile in row}
        assert len(seen) == 9 and all(tile.std() > 0.1 for row in tiles for tile in row if not (tile == 1).all())
        content = read_image(photos / "cat.jpg").mean((0, 1))
        inside = tiles[1, 0][: side - 4, : side - 4]
        assert np.abs(inside[(inside < 1).any((1, 2))].mean((0, 1)) - content).max() < 0.02


def test_batches_give_nearly_the_same(photos, paintings, tmp_path):
    where = ("--content", photos, "--style", paintings)
    for name, size in (("one", 1), ("two", 2)):
        assert batch(tmp_path / name, *where, "--batch-size", size).code == 0
    assert {line["together"] for line in lines_of(tmp_path / "two")} == {2}
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
    assert batch(out, manifest, "--tv-weight", 1) == Ended(0, f"{out}\n", "")
    lines = {line["output"]: line for line in lines_of(out)}
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


def test_transparency_comes_back_where_it_can(photos, paintings, tmp_path):
    image = Image.open(photos / "cat.jpg").convert("RGBA")
    image.putalpha(128)
    image.save(tmp_path / "clear.png")
    (tmp_path / "pairs.jsonl").write_text(
        "".join(
            json.dumps({"content": "clear.png", "style": "paintings/embers.jpg", "output": f"out{suffix}"}) + "\n"
            for suffix in (".png", ".jpg")
        )
    )
    ended = batch(tmp_path / "out", tmp_path / "pairs.jsonl")
    assert ended.code == 1 and "out.jpg: .jpg holds no transparency" in ended.err
    with Image.open(tmp_path / "out" / "out.png") as made:
        assert np.unique(np.asarray(made)[..., 3]).tolist() == [128]


class TestDryRun:
    def test_says_what_there_is_to_do_and_does_nothing(self, photos, paintings, tmp_path):
        (photos / "bad.png").write_bytes(b"")
        out, where = tmp_path / "out", ("--content", photos, "--style", paintings)
        said = succeed("batch", *where, "-o", out, *TINY, "--dry-run")
        assert said.startswith("6 pairs: 0 done, 2 failed, 4 to do\n") and f"failed: {photos}/bad.png: is empty" in said
        assert "4 pairs at 32 x 21 pixels" in said and "unknown until" in said
        assert not out.exists()
        batch(out, *where)
        before = (out / "results.jsonl").read_bytes()
        told = json.loads(succeed("batch", *where, "-o", out, *TINY, "--steps", 6, "--dry-run", "--json"))
        assert (told["done"], len(told["failed"]), len(told["todo"])) == (0, 2, 4)
        assert told["seconds"] > 0 and told["groups"][0]["bytes"] > 1e6
        told = json.loads(succeed("batch", *where, "-o", out, *TINY, "--dry-run", "--json"))
        assert (told["done"], told["todo"], told["groups"], told["seconds"]) == (4, [], [], 0)
        assert (out / "results.jsonl").read_bytes() == before


class TestRefusals:
    def refused(self, tmp_path, *arguments: object, code: int = 2) -> str:
        ended = batch(tmp_path / "out", *arguments)
        assert (ended.code, ended.out) == (code, "") and ended.err.count("\n") == 1
        return ended.err

    def test_of_what_names_no_pairs(self, photos, paintings, tmp_path):
        assert "expected --content and --style" in self.refused(tmp_path)
        assert "expected --content and --style" in self.refused(tmp_path, "--content", photos)
        assert "exclude each other" in self.refused(tmp_path, tmp_path / "pairs.csv", "--content", photos)
        assert "where there is no picture" in self.refused(tmp_path, "--content", tmp_path, "--style", paintings)
        assert "pairs.csv: cannot be read" in self.refused(tmp_path, tmp_path / "pairs.csv")
        assert not (tmp_path / "out").exists()

    def test_of_shares_that_fit_no_pair(self, photos, paintings, tmp_path):
        where = ("--content", photos, "--style", paintings)
        assert "style_blend has 2 weights for 1 styles" in self.refused(tmp_path, *where, "--style-blend", "1,2")

    def test_of_places_where_something_is(self, photos, paintings, tmp_path):
        where = ("--content", photos, "--style", paintings)
        out = tmp_path / "out"
        out.mkdir()
        (out / "cat--embers.png").write_text("precious")
        assert "cat--embers.png: exists already" in self.refused(tmp_path, *where, code=3)
        assert "has pictures to read" in run("batch", *where, "-o", photos, *TINY).err
        (tmp_path / "sheet.png").write_text("precious")
        sheet = ("--contact-sheet", tmp_path / "sheet.png", "--zip")
        (out / "cat--embers.png").unlink()
        assert "exists already" in self.refused(tmp_path, *where, *sheet, code=3)
        (out / "cat--embers.png").write_text("precious")
        assert batch(out, *where, *sheet, "--overwrite").code == 0
        assert sorted(bytes_of(out)) == ["cat--embers.png", "coffee--facets.png"]

    def test_of_a_manifest_that_would_replace_its_pictures(self, photos, paintings, tmp_path):
        manifest = tmp_path / "pairs.csv"
        manifest.write_text("content,style,output\nphotos/cat.jpg,paintings/embers.jpg,cat.jpg\n")
        assert "is one of the pictures to read" in run("batch", manifest, "-o", photos, *TINY).err


def test_files_left_out_are_counted(photos, paintings, tmp_path):
    (photos / "notes.txt").touch()
    ended = batch(tmp_path / "out", "--content", photos, "--style", paintings)
    assert ended.code == 0
    assert ended.err == f"jaxstyle: left out 1 files in {photos} that are no pictures by their names\n"
