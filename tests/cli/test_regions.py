"""`jaxstyle stylize` with other style representations, regions and masks: results, records and errors."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, STYLE, run, succeed

from jaxstyle.images import read_image

QUICK = (
    "--size",
    64,
    "--steps",
    8,
    "--optimizer",
    "adam",
    "--content-layers",
    "relu1_1",
    "--style-layers",
    "conv1_1,relu1_1",
)
USAGE, PICTURE = 2, 3  # exit codes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures, and masks of their upper halves, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(CONTENT, "content.jpg")
    shutil.copy(STYLE, "style.jpg")
    for name, size in (("mask", (64, 49)), ("style-mask", (200, 160)), ("wide", (80, 20))):
        levels = np.zeros((size[1], size[0]), np.uint8)
        levels[: size[1] // 2] = 255
        Image.fromarray(levels).save(f"{name}.png")
    Image.new("L", (64, 49)).save("black.png")
    Image.new("RGB", (200, 160), "green").save("green.png")
    Path("text.png").write_text("These are words.")
    return tmp_path


def painted(*options: object) -> tuple[np.ndarray, dict[str, Any]]:
    """Run `jaxstyle stylize`; return the result in [0, 1] and the record."""
    command = ("stylize", "content.jpg", "style.jpg", "-o", "out.png", "--overwrite", *QUICK, *options, "--json")
    record = json.loads(succeed(*command))
    with Image.open("out.png") as image:
        return np.asarray(image, np.float32) / 255, record


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The result without regions, with the default representation."""
    out = tmp_path_factory.mktemp("plain") / "out.png"
    succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK)
    return read_image(out)


@pytest.mark.usefixtures("folder")
class TestResults:
    @pytest.mark.parametrize("representation", ["moments", "nearest", "shifted", "sliced"])
    def test_a_representation_gives_another_picture(self, plain: np.ndarray, representation: str) -> None:
        other, record = painted("--style-representation", representation)
        assert record["settings"]["style_representation"] == representation
        assert record["losses"]["total"]["last"] < record["losses"]["total"]["first"]
        assert np.abs(plain - other).max() > 4 / 255

    def test_swapped_masks_give_another_picture_and_are_in_the_record(self) -> None:
        straight, record = painted("--content-mask", "mask.png", "--style-mask", "style-mask.png")
        assert record["masks"] == ["mask.png", "style-mask.png"]
        with Image.open("style-mask.png") as mask:
            Image.fromarray(255 - np.asarray(mask)).save("swapped.png")
        swapped, _ = painted("--content-mask", "mask.png", "--style-mask", "swapped.png")
        assert np.abs(straight - swapped).mean() > 10 / 255

    def test_regions_give_another_picture(self, plain: np.ndarray) -> None:
        local, record = painted("--regions", 2)
        assert record["settings"]["regions"] == 2
        assert np.abs(plain - local).mean() > 2 / 255

    def test_a_saved_style_has_a_representation(self) -> None:
        measured = ("--size", 64, "--style-layers", "conv1_1,relu1_1", "--style-representation", "moments")
        succeed("style", "save", "style.jpg", "-o", "style.safetensors", *measured)
        assert "measured  moments" in succeed("style", "show", "style.safetensors")
        expected, _ = painted("--style-representation", "moments")
        command = ("stylize", "content.jpg", "style.safetensors", "-o", "saved.png", *QUICK)
        succeed(*command, "--style-representation", "moments")
        with Image.open("saved.png") as image:
            np.testing.assert_array_equal(np.asarray(image, np.float32) / 255, expected)
        outcome = run(*command, "--overwrite")
        assert outcome.code == USAGE
        assert "the style was measured as 'moments', but --style-representation is 'gram'" in outcome.err


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [
        ("--style-representation grams", USAGE, "--style-representation is 'grams'; expected one of gram, moments"),
        ("--regions 0", USAGE, "regions is 0; expected a whole number from 1 to 16"),
        ("--content-mask mask.png", USAGE, "there is --content-mask without --style-mask; give both"),
        ("--style-mask mask.png", USAGE, "there is --style-mask without --content-mask; give both"),
        (
            "--content-mask black.png --style-mask style-mask.png",
            USAGE,
            "black.png has 1 color, #000000; expected 2 to",
        ),
        ("--content-mask content.jpg --style-mask style-mask.png", USAGE, "content.jpg is no mask ("),
        (
            "--content-mask mask.png --style-mask green.png",
            USAGE,
            "green.png has #008000 and mask.png has #000000, #ffff",
        ),
        ("--content-mask text.png --style-mask style-mask.png", PICTURE, "text.png: holds text"),
        ("--content-mask mask.png --style-mask none.png", PICTURE, "none.png: cannot be read"),
        (
            "--content-mask wide.png --style-mask style-mask.png",
            PICTURE,
            "wide.png has 80 x 20 pixels and content.jpg has",
        ),
        ("--content-mask mask.png --style-mask wide.png", PICTURE, "wide.png has 80 x 20 pixels and style.jpg has"),
        ("--init wide.png", PICTURE, "wide.png has 80 x 20 pixels and content.jpg has 800 x 612; expected the same"),
        ("--content-mask mask.png --style-mask mask.png --style-mask mask.png", USAGE, "2 style masks for 1 style"),
        (
            "--content-mask mask.png --style-mask style-mask.png --regions 2",
            USAGE,
            "regions is 2, and there are masks too",
        ),
        ("--content-mask mask.png --style-mask out.png", USAGE, "out.png is one of the pictures to read"),
    ],
)
def test_errors_are_one_line(folder: Path, options: str, code: int, found: str) -> None:
    shutil.copy("style-mask.png", "out.png")
    before = Path("out.png").read_bytes()
    outcome = run("stylize", "content.jpg", "style.jpg", "-o", "out.png", "--overwrite", *QUICK, *options.split())
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith("jaxstyle: error: ") and outcome.err.count("\n") == 1
    assert found in outcome.err
    assert Path("out.png").read_bytes() == before
