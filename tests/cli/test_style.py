"""`jaxstyle style save` and `show`, and saved styles in `jaxstyle stylize`, on small real pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, QUICK, STYLE, run, succeed
from support.examples import EXAMPLES

import jaxstyle
from jaxstyle.images import read_image
from jaxstyle.styles import load_style, read_style_file
from jaxstyle.stylize import measure_style
from jaxstyle.weights import EMBEDDED, path_of

SECOND = EXAMPLES / "style" / "facets.jpg"
MEASURE = ("--size", 64, "--style-layers", "relu1_1,relu2_1")
USAGE, PICTURE, WEIGHTS, STYLES = 2, 3, 4, 6  # exit codes


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, and each of them saved."""
    folder = tmp_path_factory.mktemp("styles")
    for picture in (CONTENT, STYLE, SECOND):
        shutil.copy(picture, folder)
    for name in ("swirls", "facets"):
        out = folder / f"{name}.safetensors"
        assert succeed("style", "save", folder / f"{name}.jpg", "-o", out, *MEASURE) == f"{out}\n"
    return folder


@pytest.fixture(autouse=True)
def _in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def record(folder: Path) -> dict:
    """The record of a run with a saved style."""
    out = folder / "saved.png"
    return json.loads(succeed("stylize", CONTENT, folder / "swirls.safetensors", "-o", out, *QUICK, "--json"))


class TestSave:
    def test_equals_the_python_function(self, network):
        layers = (("relu1_1", 1.0), ("relu2_1", 1.0))
        config = jaxstyle.StyleConfig(size=64, style_layers=layers)
        expected = measure_style(read_image(STYLE, size=64), network=network, config=config)
        found = load_style("swirls.safetensors")
        assert (found.sizes, found.layers, found.digest) == ((64,), ("relu1_1", "relu2_1"), EMBEDDED["vgg19"])
        for layer in expected.layers:
            np.testing.assert_array_equal(found.at(64).measured[layer], expected.at(64).measured[layer])
        np.testing.assert_array_equal(found.at(64).color, expected.at(64).color)

    def test_records_pictures_shares_and_network(self, tmp_path):
        out = tmp_path / "a.safetensors"
        succeed("style", "save", "swirls.jpg", "facets.jpg", "-o", out, *MEASURE, "--style-blend", "0.3,0.7")
        about = read_style_file(out).about
        assert about["pictures"] == ["swirls.jpg", "facets.jpg"] and about["style_blend"] == [0.3, 0.7]
        assert about["network"] == "vgg19" and about["jaxstyle"] == jaxstyle.__version__

    @pytest.mark.parametrize(
        "sources", [("swirls.jpg", "facets.jpg"), ("swirls.safetensors", "facets.jpg"), ("swirls.jpg",)]
    )
    def test_several_are_blended(self, tmp_path, sources):
        """Gram matrices are means, so those of a blend are the weighted means of the saved ones."""
        out = tmp_path / "a.safetensors"
        blend = {2: (0.3, 0.7), 1: (1.0,)}[len(sources)]
        succeed("style", "save", *sources, "-o", out, *MEASURE, "--style-blend", ",".join(map(str, blend)))
        found = load_style(out).at(64)
        sources = [load_style(Path(source).with_suffix(".safetensors")).at(64) for source in sources]
        for layer in ("relu1_1", "relu2_1"):
            expected = sum(
                share * np.float64(source.measured[layer]) for share, source in zip(blend, sources, strict=True)
            )
            np.testing.assert_allclose(found.measured[layer], expected, rtol=1e-6, atol=1e-3)
        expected = sum(share * np.float64(source.color) for share, source in zip(blend, sources, strict=True))
        np.testing.assert_allclose(found.color, expected, atol=1e-6)

    def test_only_what_is_visible_counts_unless_there_is_a_background(self, tmp_path):
        """A green square in the middle of transparent red, or of black."""
        image = Image.new("RGBA", (80, 40), (255, 0, 0, 0))
        image.paste((0, 255, 0, 255), (20, 0, 60, 40))
        image.save(tmp_path / "glass.png")
        save = ("style", "save", tmp_path / "glass.png", "--size", 64, "--style-layers", "relu1_1", "-o")
        for background, expected in (((), 1.0), (("--background", "black"), 0.5)):
            out = tmp_path / f"{expected}.safetensors"
            succeed(*save, out, *background)
            np.testing.assert_allclose(load_style(out).at(64).mean, [0, expected, 0], atol=2e-3)
        Image.new("RGBA", (40, 40)).save(tmp_path / "glass.png")
        outcome = run(*save, tmp_path / "none.safetensors")
        assert outcome.code == 3 and "glass.png: is transparent everywhere; expected visible pixels" in outcome.err

    def test_replaces_only_with_overwrite(self, tmp_path):
        out = tmp_path / "a.safetensors"
        out.write_text("precious")
        outcome = run("style", "save", "swirls.jpg", "-o", out, *MEASURE)
        assert outcome.code == STYLES and "exists already" in outcome.err and out.read_text() == "precious"
        succeed("style", "save", "swirls.jpg", "-o", out, *MEASURE, "--overwrite")
        assert out.read_bytes() == Path("swirls.safetensors").read_bytes()


def test_show(tmp_path):
    out = tmp_path / "a.safetensors"
    layers = ("--style-layers", "relu1_1,relu2_1", "--style-scale", 2, "--pooling", "avg")
    succeed("style", "save", "swirls.jpg", "facets.jpg", "-o", out, "--size", 64, *layers, "--style-blend", "1,3")
    lines = dict(line.split(maxsplit=1) for line in succeed("style", "show", out).splitlines())
    assert lines == {
        "pictures": "swirls.jpg, facets.jpg",
        "shares": "1.0, 3.0",
        "sizes": "128 px",
        "scales": "2",
        "angles": "0 degrees",
        "layers": "relu1_1, relu2_1",
        "measured": "gram",
        "network": "vgg19, avg pooling",
        "weights": f"vgg19; SHA-256 {EMBEDDED['vgg19']}",
    }


def test_show_of_a_style_with_bad_metadata(tmp_path):
    style = load_style("swirls.safetensors")
    for name, about in (("a", {}), ("b", {"pictures": 7, "style_blend": "half"}), ("c", {"pictures": ["\u001b[2J"]})):
        jaxstyle.save_style(tmp_path / f"{name}.safetensors", style, about=about)
        out = succeed("style", "show", tmp_path / f"{name}.safetensors")
        assert "sizes     64 px" in out and all(line.isprintable() for line in out.splitlines())


def test_show_lists_what_is_built_in_of_every_picture(tmp_path):
    """The values of saved styles that were blended are in their own records."""
    turned = {"name": "t.safetensors", "pictures": ["a.jpg", "b.jpg"], "style_scale": [1.5, 2], "rotate_style": 45.0}
    about = {"pictures": ["t.safetensors", "c.jpg"], "saved_styles": [turned], "style_scale": 1.0, "rotate_style": 0.0}
    style, out = load_style("swirls.safetensors"), tmp_path / "blend.safetensors"
    jaxstyle.save_style(out, style, about=about)
    assert "scales    1.5, 2, 1\nangles    45, 45, 0 degrees\n" in succeed("style", "show", out)
    jaxstyle.save_style(out, style, about={"saved_styles": [3], "style_scale": "1"}, overwrite=True)
    assert "scales    unknown\nangles    unknown\n" in succeed("style", "show", out)


class TestStylize:
    """`CONTENT STYLE` with saved styles among the STYLE."""

    def test_equals_the_result_with_the_picture(self, record, tmp_path):
        succeed("stylize", CONTENT, "swirls.jpg", "-o", tmp_path / "a.png", *QUICK)
        np.testing.assert_array_equal(pixels(record["output"]), pixels(tmp_path / "a.png"))

    def test_is_in_the_record_and_the_metadata(self, record):
        assert record["styles"] == ["swirls.safetensors"]
        (saved,) = record["saved_styles"]
        assert saved["name"] == "swirls.safetensors" and saved["sizes"] == [64]
        assert saved["pictures"] == ["swirls.jpg"]
        with Image.open(record["output"]) as image:
            assert json.loads(image.text["jaxstyle"])["saved_styles"] == [saved]

    def test_blends_with_pictures(self, tmp_path):
        saved = {}
        for style in ("swirls.jpg", "swirls.safetensors"):
            command = ("stylize", CONTENT, style, "facets.jpg", "-o", tmp_path / f"{style}.png", *QUICK)
            record = json.loads(succeed(*command, "--style-blend", "0.3,0.7", "--json"))
            assert record["styles"] == [style, "facets.jpg"]
            saved[style] = [found["name"] for found in record["saved_styles"]]
        assert saved == {"swirls.jpg": [], "swirls.safetensors": ["swirls.safetensors"]}
        one, other = (pixels(tmp_path / f"{style}.png").astype(int) for style in saved)
        assert np.abs(one - other).max() <= 1

    def test_is_used_at_similar_sizes(self, record, tmp_path):
        """Strokes are then a little smaller or larger than requested."""
        out = tmp_path / "a.png"
        outcome = run("stylize", CONTENT, "swirls.safetensors", "-o", out, *QUICK, "--style-scale", 1.4)
        assert outcome.code == 0 and "was measured at 64 px and is used for 90 px" in outcome.err
        np.testing.assert_array_equal(pixels(out), pixels(record["output"]))


@pytest.mark.parametrize(
    ("command", "code", "found"),
    [
        # Styles that do not fit the run
        ("harbour.jpg swirls.safetensors --size 100", USAGE, "swirls.safetensors: the style was measured at 64 px,"),
        ("harbour.jpg swirls.safetensors --style-scale 2", USAGE, "but 128 px is needed; measure it at that size"),
        (
            "harbour.jpg swirls.safetensors --pooling avg",
            USAGE,
            "another network (pooling max, but this network has avg)",
        ),
        (
            "harbour.jpg swirls.safetensors --network vgg16",
            USAGE,
            "another network (architecture vgg19, but this network has vgg16)",
        ),
        (
            "harbour.jpg swirls.jpg swirls.safetensors --style-layers relu3_1",
            USAGE,
            "was not measured in relu3_1, only",
        ),
        (
            "harbour.jpg swirls.safetensors --colors content=0.5",
            USAGE,
            "swirls.safetensors: --colors is content, and those",
        ),
        ("harbour.jpg swirls.safetensors --init style", USAGE, "but a measured style has no picture"),
        ("harbour.jpg swirls.safetensors --style-blend 1,2", USAGE, "--style-blend has 2 weights for 1 style"),
        # Files that are not styles
        ("harbour.jpg nothing.safetensors", STYLES, "nothing.safetensors: cannot be read (No such file"),
        ("harbour.jpg folder.safetensors", STYLES, "folder.safetensors: is a folder"),
        ("harbour.jpg cut.safetensors", STYLES, "cut.safetensors: is damaged or cut short"),
        ("harbour.jpg picture.safetensors", STYLES, "picture.safetensors: is not a saved style"),
        ("harbour.jpg weights.safetensors", STYLES, "weights.safetensors: has the format 'jaxstyle-weights-1'"),
        ("harbour.jpg style.jpg", PICTURE, "style.jpg: "),
        ("swirls.safetensors swirls.jpg", PICTURE, "swirls.safetensors: is not a picture of a known format"),
    ],
)
def test_bad_styles(folder, command, code, found):
    Path("folder.safetensors").mkdir(exist_ok=True)
    Path("cut.safetensors").write_bytes(Path("swirls.safetensors").read_bytes()[:-1])
    shutil.copy("swirls.jpg", "picture.safetensors")
    shutil.copy("swirls.safetensors", "style.jpg")
    shutil.copy(path_of("vgg16"), "weights.safetensors")
    check_refused(["stylize", "-o", "out.png", *QUICK, *command.split()], code, found)


@pytest.mark.parametrize(
    ("command", "code", "found"),
    [
        ("", USAGE, "PICTURE is missing; add it"),
        ("swirls.jpg", USAGE, "-o / --output is missing; add it"),
        ("swirls.jpg -o out.png", USAGE, "out.png: has the suffix '.png'; expected .safetensors"),
        ("swirls.jpg -o no/out.safetensors", STYLES, "is not a folder"),
        ("swirls.safetensors -o swirls.safetensors --overwrite", USAGE, "is one of the pictures to read"),
        ("nothing.jpg -o out.safetensors", PICTURE, "nothing.jpg: cannot be read"),
        ("nothing.safetensors -o out.safetensors", STYLES, "nothing.safetensors: cannot be read"),
        ("swirls.jpg -o out.safetensors --size 8", PICTURE, "at size 8; expected at least 16"),
        ("swirls.jpg -o out.safetensors --style-layers relu1_1=2", USAGE, "expected names alone"),
        ("swirls.jpg -o out.safetensors --style-layers relu7_1", USAGE, "vgg19 has no layer 'relu7_1'"),
        (
            "swirls.jpg -o out.safetensors --size 64 --style-layers relu1_1 --style-blend 1,2",
            USAGE,
            "--style-blend has 2 weights for 1 style",
        ),
        ("swirls.jpg -o out.safetensors --network vgg11", USAGE, "--network is 'vgg11'; expected one of"),
        ("swirls.jpg -o out.safetensors --weights no.pth", WEIGHTS, "no weights called 'no.pth'"),
        ("swirls.jpg -o out.safetensors --pooling min", USAGE, "--pooling is 'min'"),
        ("swirls.jpg -o out.safetensors --background reddish", USAGE, "no color is called 'reddish'"),
        # The style was saved at 64 px and has no statistics for 80 px.
        ("swirls.safetensors -o out.safetensors --size 80 --style-layers relu1_1", USAGE, "was measured at 64 px; exp"),
        ("swirls.safetensors -o out.safetensors --size 64", USAGE, "was not measured in relu3_1, relu4_1, relu5_1"),
    ],
)
def test_bad_saves(folder, command, code, found):
    check_refused(["style", "save", *command.split()], code, found)


def test_bad_shows():
    check_refused(["style", "show", "swirls.jpg"], STYLES, "swirls.jpg: is not a saved style")


def check_refused(command: list, code: int, found: str) -> None:
    """Check that the command exits with this code and one line on stderr with these words, and changes no file."""
    before = {path: path.stat().st_mtime_ns for path in Path().iterdir()}
    outcome = run(*command)
    assert {path: path.stat().st_mtime_ns for path in Path().iterdir()} == before
    assert outcome.out == "" and outcome.err.startswith("jaxstyle: error: ") and outcome.err.count("\n") == 1
    assert outcome.code == code and found in outcome.err, outcome
