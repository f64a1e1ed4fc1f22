"""`jaxstyle stylize` from options to files, on small real pictures; `jaxstyle info`, and shell completion."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, QUICK, STYLE, run, succeed
from support.examples import EXAMPLES

import jaxstyle
from jaxstyle.images import read_image, read_picture
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.weights import EMBEDDED, path_of

SECOND_STYLE = EXAMPLES / "style" / "facets.jpg"


def text_of(path: Path) -> dict[str, str]:
    with Image.open(path) as image:
        return image.text


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The record of a run, whose result other tests compare with."""
    out = tmp_path_factory.mktemp("first") / "out.png"
    return json.loads(succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK, "--save-every", 10, "--json"))


class TestRecord:
    def test_has_the_path_and_the_shape_of_the_result(self, record):
        assert (record["width"], record["height"], record["steps"]) == (64, 49, 12)
        assert pixels(record["output"]).shape == (49, 64, 3)

    def test_has_inputs_network_versions_and_device(self, record):
        assert (
            record["content"] == "harbour.jpg"
            and record["styles"] == ["swirls.jpg"]
            and record["initial_picture"] is None
        )
        assert record["network"] == {
            "name": "vgg19",
            "sha256": EMBEDDED["vgg19"],
            "architecture": "vgg19",
            "pooling": "max",
            "precision": "float32",
        }
        assert record["versions"]["jaxstyle"] == jaxstyle.__version__
        assert {"python", "jax", "jaxlib", "flax", "optax", "numpy", "pillow"} < set(record["versions"])
        assert record["device"]["platform"] and record["device"]["kind"]

    def test_has_every_setting(self, record):
        config = jaxstyle.StyleConfig(
            size=64,
            steps=12,
            optimizer="adam",
            content_layers=(("relu1_1", 1.0),),
            style_layers=(("relu1_1", 1.0),),
        )
        expected = vars(config) | {"seed": 0, "background": None, "bits": 8, "dpi": None, "profile": "srgb"}
        assert record["settings"] == json.loads(json.dumps(expected))

    def test_has_losses_that_went_down(self, record):
        assert set(record["losses"]) == {"total", "content", "style", "color", "tv", "grain"}
        assert record["losses"]["total"]["last"] < record["losses"]["total"]["first"]

    def test_has_the_seconds_of_all_phases(self, record):
        seconds = record["seconds"]
        (size,) = seconds["sizes"]
        assert size["size"] == 64
        phases = seconds["load"] + size["first_steps"] + size["other_steps"] + seconds["write"]
        assert phases == pytest.approx(seconds["total"], rel=0.1) and min(size.values()) > 0

    def test_is_in_the_metadata_of_the_picture(self, record):
        text = text_of(record["output"])
        assert text["Software"] == f"jaxstyle {jaxstyle.__version__}"
        measured = {"interrupted", "output", "width", "height", "losses", "seconds"}
        assert json.loads(text["jaxstyle"]) == {key: value for key, value in record.items() if key not in measured}


def test_result_equals_that_of_the_python_function(record, network):
    settings = {
        name: tuple(map(tuple, value)) if isinstance(value, list) else value
        for name, value in record["settings"].items()
        if name not in ("seed", "background", "bits", "dpi", "profile")
    }
    content, style = (read_image(path, size=64) for path in (CONTENT, STYLE))
    result = jaxstyle.stylize(content, style, network=network, config=jaxstyle.StyleConfig(**settings))
    assert np.abs(pixels(record["output"]) - result.image * 255).max() < 1  # dithered


def test_same_run_writes_the_same_bytes_and_prints_only_the_path(record, tmp_path):
    out = tmp_path / "again.png"
    assert succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK) == f"{out}\n"
    assert out.read_bytes() == Path(record["output"]).read_bytes()
    assert list(tmp_path.iterdir()) == [out]


def test_snapshot_is_written_beside_the_result(record):
    folder = Path(record["output"]).parent
    assert {path.name for path in folder.iterdir()} == {"out.png", "out-0010.png"}
    assert pixels(folder / "out-0010.png").shape == (49, 64, 3)
    assert json.loads(text_of(folder / "out-0010.png")["jaxstyle"])["steps"] == 10


def test_blend_of_styles(record, tmp_path):
    """A share of 0 equals leaving that style out; equal shares give another picture."""
    for name, blend in (("one", "1,0"), ("two", "0.5,0.5")):
        out = tmp_path / f"{name}.png"
        succeed("stylize", CONTENT, STYLE, SECOND_STYLE, "-o", out, *QUICK, "--style-blend", blend)
    np.testing.assert_array_equal(pixels(tmp_path / "one.png"), pixels(record["output"]))
    assert np.abs(pixels(tmp_path / "two.png").astype(int) - pixels(tmp_path / "one.png")).mean() > 1
    assert json.loads(text_of(tmp_path / "two.png")["jaxstyle"])["styles"] == ["swirls.jpg", "facets.jpg"]


@pytest.mark.parametrize("init", ["noise", "style", "content=0.7,noise=0.3", f"{CONTENT}=0.5,noise=0.5"])
def test_initial_pictures_differ_and_repeat(record, tmp_path, init):
    def result(name: str, seed: int) -> np.ndarray:
        out = tmp_path / f"{name}.png"
        succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK, "--init", init, "--seed", seed)
        return pixels(out)

    first = result("first", 1)
    np.testing.assert_array_equal(first, result("again", 1))
    assert (first != pixels(record["output"])).any()
    assert (first != result("other", 2)).any() == ("noise" in init)


def test_network_by_name_and_by_file(tmp_path):
    file = tmp_path / "own.safetensors"
    file.write_bytes(path_of("vgg16").read_bytes())
    by_name = json.loads(
        succeed("stylize", CONTENT, STYLE, "-o", tmp_path / "a.png", *QUICK, "--network", "vgg16", "--json")
    )
    by_file = json.loads(
        succeed("stylize", CONTENT, STYLE, "-o", tmp_path / "b.png", *QUICK, "--weights", file, "--json")
    )
    assert (by_name["network"]["name"], by_file["network"]["name"]) == ("vgg16", "own.safetensors")
    assert by_name["network"]["sha256"] == by_file["network"]["sha256"] == EMBEDDED["vgg16"]
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))


class TestTransparency:
    @pytest.fixture
    def sticker(self, tmp_path: Path) -> Path:
        """The photograph with a transparent left half."""
        with Image.open(CONTENT) as image:
            alpha = Image.new("L", image.size, 255)
            alpha.paste(0, (0, 0, image.width // 2, image.height))
            image.putalpha(alpha)
            image.save(tmp_path / "sticker.png")
        return tmp_path / "sticker.png"

    def test_is_that_of_the_content(self, sticker, tmp_path):
        succeed("stylize", sticker, STYLE, "-o", tmp_path / "out.png", *QUICK)
        expected = read_picture(sticker, size=64).alpha
        np.testing.assert_array_equal(pixels(tmp_path / "out.png")[..., 3], np.rint(expected * 255))

    def test_is_replaced_by_a_background(self, sticker, tmp_path):
        out = tmp_path / "out.jpg"
        succeed("stylize", sticker, STYLE, "-o", out, *QUICK, "--background", "#000")
        assert pixels(out).shape == (49, 64, 3)

    def test_needs_a_format_with_alpha(self, sticker, tmp_path):
        outcome = run("stylize", sticker, STYLE, "-o", tmp_path / "out.jpg", *QUICK)
        assert outcome.code == 3 and "cannot store transparency" in outcome.err


def test_existing_file_is_replaced_only_with_overwrite(record, tmp_path):
    out = tmp_path / "out.png"
    out.write_text("precious")
    assert "exists already" in run("stylize", CONTENT, STYLE, "-o", out, *QUICK).err
    assert out.read_text() == "precious"
    succeed("stylize", CONTENT, STYLE, "-o", out, *QUICK, "--overwrite")
    assert out.read_bytes() == Path(record["output"]).read_bytes()


def test_info_of_a_network_prints_its_layers_and_their_uses():
    lines = succeed("info", "vgg16").splitlines()
    assert [line.split()[0] for line in lines] == list(ARCHITECTURES["vgg16"].layers)
    assert {"relu1_1     style", "relu4_2     content", "pool1"} <= set(lines)
    assert succeed("info", "random:vgg16").splitlines() == lines
    outcome = run("info", "vgg91")
    assert outcome.code == 2 and outcome.err.startswith("jaxstyle: error: NETWORK is 'vgg91'; expected one of")
    assert outcome.err.endswith("random:ARCHITECTURE; did you mean vgg19?\n")


def test_info_prints_versions_device_cache_and_networks():
    out = succeed("info")
    for name in ("jaxstyle", "python", "jax", "jaxlib", "flax", "optax", "numpy", "pillow", "device", "cache"):
        assert f"\n{name} " in f"\n{out}"
    assert str(path_of("vgg16")) in out and str(path_of("vgg19")) in out
    assert "GiB" in out


def test_version():
    assert succeed("--version") == f"jaxstyle {jaxstyle.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("stylize --optimizer ", "lbfgs adam"),
        ("stylize --network vgg19", "vgg19 vgg19-full"),
        ("stylize --init n", "noise"),
        ("stylize --style-s", "--style-scale"),
        ("we", "weights"),
    ],
)
def test_shell_completion(monkeypatch, words, expected):
    monkeypatch.setenv("_JAXSTYLE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"jaxstyle {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    assert run().out.split() == expected.split()
