"""Results as files for print: 16 bits, resolution, color profiles, size and proof."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, QUICK, STYLE, run, succeed
from support.pictures import ADOBE_RGB, printer_profile, rgb_profile

import jaxstyle
from jaxstyle.images import read_image, write_image
from jaxstyle.jobs import read_records
from jaxstyle.optimization import AvailableMemory, memory


def read_levels(path: Path) -> np.ndarray:
    return np.rint(read_image(path) * 65535).astype(int)


def test_sixteen_bits_come_from_floats(tmp_path: Path) -> None:
    out = tmp_path / "out.tiff"
    record = json.loads(succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK, "--bits", 16, "--dpi", 300, "--json"))
    assert (record["settings"]["bits"], record["settings"]["dpi"]) == (16, 300)
    with Image.open(out) as image:
        assert image.info["dpi"] == (300, 300)
    levels = read_levels(out)
    assert np.unique(levels % 257).size > 200  # of 257 remainders; levels of 8 bits have only 0
    settings = {name: value for name, value in record["settings"].items() if name in ("size", "steps", "optimizer")}
    layers = {"content_layers": (("relu1_1", 1.0),), "style_layers": (("relu1_1", 1.0),)}
    content, style = (read_image(path, size=64) for path in (CONTENT, STYLE))
    result = jaxstyle.stylize(content, style, config=jaxstyle.StyleConfig(**settings, **layers))
    np.testing.assert_array_equal(levels, np.rint(result.image * 65535))


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_not_painted_has_the_levels_of_the_photograph(tmp_path: Path, bits: int) -> None:
    white = 2**bits - 1
    photograph = np.random.default_rng(0).integers(0, white + 1, (48, 64, 3)) / white
    write_image(tmp_path / "photo.tif", photograph, bits=bits)
    mask = np.zeros((48, 64, 3))
    mask[:, :30] = 1
    write_image(tmp_path / "mask.png", mask)
    masked = ("--strength-mask", tmp_path / "mask.png", "--colors", "luminance")
    out = tmp_path / "out.png"
    succeed("stylize", tmp_path / "photo.tif", STYLE, "-o", out, *QUICK, "--grain-weight", 0, "--bits", bits, *masked)
    levels, expected = read_levels(out), np.rint(photograph * 65535)
    np.testing.assert_array_equal(levels[:, 31:], expected[:, 31:])
    assert np.abs(levels[:, :29] - expected[:, :29]).mean() > 300


def test_a_batch_writes_sixteen_bits_where_a_manifest_says_so(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(
        f"content,style,output,bits,dpi\n{CONTENT},{STYLE},fine.png,16,300\n{CONTENT},{STYLE},plain.png,,\n"
    )
    quick = ("--size", 32, "--steps", 2, *QUICK[4:])
    succeed("batch", tmp_path / "pairs.csv", "-o", tmp_path / "out", *quick)
    fine, plain = (tmp_path / "out" / name for name in ("fine.png", "plain.png"))
    assert (read_levels(plain) % 257 == 0).all() and np.unique(read_levels(fine) % 257).size > 200
    np.testing.assert_allclose(read_image(fine), read_image(plain), atol=1.01 / 255)
    with Image.open(fine) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert {record["settings"]["bits"] for record in read_records(tmp_path / "out").values()} == {8, 16}


def test_the_paper_sets_the_size(tmp_path: Path) -> None:
    words = ("--dpi", 50, "--print", "3x2cm", "--json")
    outcome = run("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", *QUICK[2:], *words)
    assert "covers 2.61 x 2 of 3 x 2 cm; crop it" in outcome.err
    record = json.loads(outcome.out)
    assert (record["width"], record["height"], record["settings"]["dpi"]) == (51, 39, 50)
    record = json.loads(run("texture", STYLE, "-o", tmp_path / "more.png", *QUICK[2:6], *QUICK[8:], *words).out)
    assert (record["width"], record["height"], record["settings"]["dpi"]) == (59, 39, 50)
    cases = (("stylize", CONTENT), "--size"), (("texture",), "--size"), (("texture",), "--width")
    for (command, flag), size in itertools.product(cases, (64, 512)):  # also if it is the default
        outcome = run(*command, STYLE, "-o", tmp_path / "none.png", *words, flag, size)
        assert outcome.code == 2 and f"{flag} " in outcome.err and "--print" in outcome.err


def test_what_to_do_is_said_of_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "small.png", np.random.default_rng(0).random((48, 64, 3)))
    monkeypatch.setattr(memory, "available_memory", lambda: AvailableMemory(5 * 2**28, "this machine"))
    words = ("stylize", tmp_path / "small.png", STYLE, "-o", tmp_path / "out.png", *QUICK[4:], "--dry-run")
    outcome = run(*words, "--print", "A3", "--dpi", 400)
    advice = r"at --dpi 400, .* use --dpi (\d+) or less, or --print (\d+x\d+mm) or smaller\n"
    ((dpi, smaller),) = re.findall(advice, outcome.err)
    for paper, resolution in (("A3", dpi), (smaller, 400)):
        outcome = run(*words, "--print", paper, "--dpi", resolution)
        assert outcome.code == 0 and "small.png has 64 x 48 pixels and is enlarged " in outcome.err
    assert "expected a number from 64" in run(*words, "--tile-size", 63).err


def test_a_proof_is_written_beside_the_result(tmp_path: Path) -> None:
    (tmp_path / "printer.icc").write_bytes(printer_profile())
    words = ("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png", *QUICK, "--proof", tmp_path / "printer.icc")
    outcome = run(*words)
    assert outcome.code == 0 and f"the proof is in {tmp_path / 'out-proof.png'}" in outcome.err
    proof, result = read_image(tmp_path / "out-proof.png"), read_image(tmp_path / "out.png")
    assert np.ptp(proof, axis=-1).max() < 0.01 < np.ptp(result, axis=-1).max()
    (tmp_path / "out.png").unlink()
    outcome = run(*words)
    assert outcome.code == 3 and "out-proof.png: exists already" in outcome.err
    outcome = run(*words[:-1], CONTENT, "--overwrite")
    assert outcome.code == 3 and "is no color profile" in outcome.err and outcome.err.count("\n") == 1


WIDE = rgb_profile(ADOBE_RGB, 2.2)


@pytest.fixture
def wide_content(tmp_path: Path) -> Path:
    """A photograph in Adobe RGB."""
    levels = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "wide.png", icc_profile=WIDE)
    return tmp_path / "wide.png"


def test_the_profile_of_the_content_is_kept(tmp_path: Path, wide_content: Path) -> None:
    mask = np.zeros((48, 64, 3))
    mask[:, :30] = 1
    write_image(tmp_path / "mask.png", mask)
    words = ("stylize", wide_content, STYLE, *QUICK, "--strength-mask", tmp_path / "mask.png")
    for name, options in (("kept.png", ("--profile", "keep")), ("srgb.png", ())):
        succeed(*words, "-o", tmp_path / name, *options)
    with Image.open(tmp_path / "kept.png") as kept, Image.open(wide_content) as content:
        assert kept.info["icc_profile"] == WIDE
        np.testing.assert_array_equal(np.asarray(kept)[:, 31:], np.asarray(content)[:, 31:])
    # Both look alike where sRGB has the colors: the style was converted, too.
    kept, srgb = (read_image(tmp_path / name)[:, :29].mean((0, 1)) for name in ("kept.png", "srgb.png"))
    np.testing.assert_allclose(kept, srgb, atol=0.05)


def test_a_batch_keeps_the_profile_of_each_content(tmp_path: Path, wide_content: Path) -> None:
    (tmp_path / "pairs.csv").write_text(
        f"content,style,output,profile\n{wide_content},{STYLE},a.png,keep\n{CONTENT},{STYLE},b.png,keep\n"
        f"{wide_content},{STYLE},c.png,\n"
    )
    succeed("batch", tmp_path / "pairs.csv", "-o", tmp_path / "out", "--size", 32, "--steps", 2, *QUICK[4:])
    profiles = []
    for name in ("a.png", "b.png", "c.png"):
        with Image.open(tmp_path / "out" / name) as image:
            profiles.append(image.info["icc_profile"] == WIDE)
    assert profiles == [True, False, False]


def test_a_saved_style_is_in_srgb(tmp_path: Path, wide_content: Path) -> None:
    saved = tmp_path / "saved.safetensors"
    succeed("style", "save", STYLE, "-o", saved, "--size", 64, "--style-layers", "relu1_1")
    words = ("stylize", wide_content, saved, "-o", tmp_path / "out.png", *QUICK)
    outcome = run(*words, "--profile", "keep")
    assert outcome.code == 2 and "measured in sRGB, and the content is in another profile" in outcome.err
    assert run("stylize", wide_content, STYLE, "-o", tmp_path / "out.bmp", *QUICK, "--profile", "keep").code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-o", "out.jpg", "--bits", 16), ".jpg cannot store 16 bits"),
        (("-o", "out.png", "--bits", 12), "bits is 12; expected 8 or 16"),
        (("-o", "out.png", "--profile", "p3"), "profile is 'p3'; expected srgb or keep"),
        (("-o", "out.png", "--dpi", 0), "--dpi is 0; expected 1 to 65535 pixels per inch"),
    ],
)
def test_values_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("stylize", CONTENT, STYLE, *words, "--size", 64)
    assert run("stylize", CONTENT, STYLE, *words, "--size", 64, "--dry-run") == outcome
    assert outcome.code in (2, 3) and expected in outcome.err and outcome.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
