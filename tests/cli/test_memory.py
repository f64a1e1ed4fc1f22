"""Too much memory is one line before anything is computed; `--size max` takes the largest size that fits."""

import json
import re
from pathlib import Path

import pytest
from support.command import CONTENT, QUICK, STYLE, Terminal, fake_stylize, run, succeed

from jaxstyle.optimization import AvailableMemory, memory

CONTENTS, STYLES = CONTENT.parent, STYLE.parent


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with 1.75 GiB of memory."""
    monkeypatch.setattr(memory, "available_memory", lambda: AvailableMemory(7 * 2**28, "this container"))


@pytest.fixture
def compute_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize())


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (("stylize", CONTENT, STYLE), 1024),
        (("texture", STYLE), 1024),
        (("texture", STYLE, "--width", 6000, "--height", 1000), 6000),
        (("grid", CONTENT, STYLE, "--columns", "size=64;1024"), 1024),
        (("grid", CONTENT, STYLE, "--columns", "seed=0;1"), 1024),
        (("batch", "--content", CONTENTS, "--style", STYLES), 1024),
    ],
)
def test_too_much_is_one_line(tmp_path: Path, words: tuple[object, ...], size: int) -> None:
    output = tmp_path / ("out" if words[0] == "batch" else "out.png")
    outcome = run(*words, "-o", output, *(() if "size=64;1024" in words else ("--size", 1024)))
    assert (outcome.code, outcome.out) == (1, "") and list(tmp_path.rglob("*.png")) == []
    line = (
        rf"jaxstyle: error: size {size} needs about \d+\.\d GiB of memory, but this container has 1.8 GiB available; "
        r"the largest size that fits is (\d+)\n"
    )
    match = re.fullmatch(line, outcome.err)
    assert match and 200 < int(match[1]) < size


def test_a_style_at_a_larger_scale_counts(tmp_path: Path, compute_nothing: None) -> None:
    words = ("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 256, "--tile-size", 4096, "--style-scale")
    assert run(*words, 8).code == 1
    assert run(*words, 1).code == 0


def test_tiles_are_used_where_the_whole_does_not_fit(tmp_path: Path, compute_nothing: None) -> None:
    words = ("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 256, "--json", "--overwrite")
    whole, tiled = (json.loads(run(*words, "--style-scale", scale).out) for scale in (1, 8))
    assert whole["settings"]["tile_size"] is None
    assert tiled["settings"]["tile_size"] in memory.TILE_SIZES
    given = json.loads(succeed(*words, "--tile-size", 64))
    assert given["settings"]["tile_size"] == 64


def size_of(*words: object) -> int:
    record = json.loads(succeed(*words, "--size", "max", "--json", "--overwrite"))
    assert max(record["width"], record["height"]) == record["settings"]["size"]
    return record["settings"]["size"]


def test_the_largest_size_fits_and_a_larger_one_does_not(tmp_path: Path, compute_nothing: None) -> None:
    out = ("-o", tmp_path / "out.png")
    for words in (("stylize", CONTENT, STYLE), ("texture", STYLE), ("stylize", CONTENT, STYLE, "--style-scale", 2)):
        size = size_of(*words, *out)
        assert 200 < size < 1000
        assert run(*words, *out, "--overwrite", "--size", size).code == 0
        # A twentieth of the memory is left to other programs; the error says the size that takes all of it.
        outcome = run(*words, *out, "--overwrite", "--size", 2 * size)
        (fitting,) = map(int, re.findall(r"the largest size that fits is (\d+)", outcome.err))
        assert outcome.code == 1 and size <= fitting < 1.12 * size
        assert run(*words, *out, "--overwrite", "--size", fitting).code == 0
        # The next multiple of 16 can fit by a hair, because there the shapes of the pictures are rounded to pixels.
        assert run(*words, *out, "--overwrite", "--size", fitting + 32).code == 1
    whole = ("stylize", CONTENT, STYLE, "--tile-size", 4096, *out)
    assert size_of(*whole, "--style-scale", 3) < min(size_of(*whole), size)


def test_the_largest_size_is_no_larger_than_pictures_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute_nothing: None
) -> None:
    monkeypatch.setattr("jaxstyle.images.resizing.MAX_PIXELS", 960 * 960)
    monkeypatch.setattr("jaxstyle.images.reading.MAX_PIXELS", 960 * 960)
    monkeypatch.setattr(memory, "available_memory", lambda: AvailableMemory(2**40, "this machine"))
    size = size_of("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--style-scale", 2)
    assert size > 0.75 * 1000 * 0.7 and 0.8 * (2 * size) ** 2 <= 960 * 960 < 0.8 * (2 * size + 4) ** 2


def test_the_largest_size_of_a_grid_fits_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def stop(job, *_, **__):
        sizes.extend(task.settings.config.size for task in job.tasks)
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxstyle.cli.grid.run_with_progress", stop)
    run("grid", CONTENT, STYLE, "-o", tmp_path / "out.png", "--columns", "style-scale=1;3", "--size", "max")
    monkeypatch.undo()
    assert len(sizes) == 2 and sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("batch", "--content", CONTENTS, "--style", STYLES), "size is 'max'; expected a number of pixels"),
        (("texture", STYLE, "--width", 64), "--size is max, and there is --height or --width too"),
    ],
)
def test_where_max_has_no_meaning(tmp_path: Path, words: tuple[object, ...], found: str) -> None:
    outcome = run(*words, "-o", tmp_path / "out.png", "--size", "max")
    assert outcome.code == 2 and found in outcome.err and outcome.err.count("\n") == 1


def test_a_terminal_shows_both(tmp_path: Path, compute_nothing: None) -> None:
    outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", "--size", 64, stderr=Terminal())
    assert re.match(r"harbour.jpg at 64 x 49 pixels, on .*, about 0\.\d of 1\.8 GiB of memory\n", outcome.err)


def test_a_dry_run_predicts_memory_and_time_and_computes_nothing(tmp_path, monkeypatch):
    """The operations of one layer: a product and a sum for each of 27 x 64 weights and each pixel, forth and back."""
    monkeypatch.setattr("jaxstyle.batch.prediction.matrix_product_rate", lambda _: 1e9)
    command = ("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", *QUICK, "--size", 256, "--levels", 1, "--dry-run")
    line = r"256 x 196 pixels: about [\d.]+ of [\d.]+ GiB of memory; about 0:02 for its steps on "
    assert re.match(line, succeed(*command))
    whole, tiled = (json.loads(succeed(*command, "--json", *flags)) for flags in ((), ("--tile-size", 64)))
    assert whole["seconds"] == pytest.approx(4 * 27 * 64 * 256 * 196 * 12 / 1.8e9)
    assert (whole["tile_size"], tiled["tile_size"]) == (None, 64)
    assert 1.5 < tiled["seconds"] / whole["seconds"] < 2.5
    assert whole["memory"]["needed"] < whole["memory"]["available"]
    assert list(tmp_path.iterdir()) == []
