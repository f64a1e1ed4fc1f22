"""`jaxstyle gram maximize`, `show` and `sample`, on small real pictures and shallow layers."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command import CONTENT, STYLE, run, succeed
from support.examples import EXAMPLES

from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image
from jaxstyle.laboratory import sample_style, summarize_gram
from jaxstyle.styles import load_style, style_targets
from jaxstyle.stylize import measure_style

USAGE, PICTURE, STYLES = 2, 3, 6  # exit codes
SMALL = ("--layer", "relu1_1", "--size", 32, "--steps", 5)


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painting's style, measured in one layer."""
    file = tmp_path_factory.mktemp("saved") / "swirls.safetensors"
    succeed("style", "save", STYLE, "-o", file, "--size", 64, "--style-layers", "relu1_1")
    return file


class TestMaximize:
    def test_prints_the_value_in_the_saved_picture(self, network):
        out = succeed("gram", "maximize", CONTENT, STYLE, *SMALL, "--entry", "3,7", "-o", "out.png", "--json")
        record = json.loads(out)
        (row,) = record["entries"]
        gram = style_targets(network, read_image("out.png"), ("relu1_1",))["relu1_1"]
        natural = [style_targets(network, read_image(p, size=256), ("relu1_1",))["relu1_1"] for p in (CONTENT, STYLE)]
        assert row["entry"] == [3, 7]
        assert row["value"] == pytest.approx(float(gram[3, 7]), rel=1e-3)
        assert row["largest"] == pytest.approx(max(float(gram[3, 7]) for gram in natural), rel=1e-3)
        assert row["ratio"] == pytest.approx(row["value"] / row["largest"])
        with Image.open("out.png") as image:
            assert image.size == (32, 32) and json.loads(image.info["jaxstyle"]) == record

    def test_several_entries_make_a_sheet(self):
        entries = [word for entry in ("0,0", "0,1", "1,1") for word in ("--entry", entry)]
        out = succeed("gram", "maximize", *SMALL, *entries, "-o", "out.png")
        assert [line.split(":")[0] for line in out.splitlines()] == [
            "relu1_1 0,0",
            "relu1_1 0,1",
            "relu1_1 1,1",
            "out.png",
        ]
        with Image.open("out.png") as image:
            assert image.width == 3 * (32 + 4) and image.height > 32


class TestShow:
    def test_prints_the_summaries_of_the_layers(self, network):
        layers = ("--layer", "relu1_1", "--layer", "relu1_2")
        summaries = json.loads(succeed("gram", "show", STYLE, *layers, "--size", 64, "-o", "out.png", "--json"))
        grams = style_targets(network, read_image(STYLE, size=64), ("relu1_1", "relu1_2"))
        for layer, gram in grams.items():
            assert summaries[layer] == pytest.approx(vars(summarize_gram(np.asarray(gram))), rel=1e-3, abs=1e-3)
        with Image.open("out.png") as image:
            assert image.height > 2 * 192 and image.width > 4 * 192

    def test_saved_styles(self, saved):
        table = succeed("gram", "show", saved).splitlines()
        assert table[0].split() == ["layer", "mean", "sparsity", "dead", "effective_rank", "first"]
        assert [line.split()[0] for line in table[1:]] == ["relu1_1"]


class TestSample:
    @pytest.mark.parametrize("sampler", ["permuted", "shuffled", "spectral"])
    def test_equals_the_python_function(self, network, saved, sampler):
        options = "--sampler", sampler, "--seed", 5, "--strength", 0.5
        assert succeed("gram", "sample", saved, "-o", "a.safetensors", *options) == "a.safetensors\n"
        config = StyleConfig(size=64, style_layers=(("relu1_1", 1.0),))
        style = measure_style(read_image(STYLE, size=64), network=network, config=config)
        expected = sample_style(style, sampler, seed=5, strength=0.5).at(64)
        result = load_style("a.safetensors").at(64)
        gram = np.asarray(expected.measured["relu1_1"])
        np.testing.assert_allclose(result.measured["relu1_1"], gram, rtol=1e-4, atol=1e-4 * gram.max())

    def test_works_as_a_style(self, saved):
        succeed("gram", "sample", saved, "-o", "a.safetensors")
        layers = ("--size", 64, "--steps", 2, "--style-layers", "relu1_1")
        succeed("texture", "a.safetensors", "-o", "out.png", *layers)
        assert Path("out.png").exists()


@pytest.mark.parametrize(
    ("command", "code", "found"),
    [
        ("maximize --layer relu3_1 -o out.png", USAGE, "--entry is missing; add it"),
        ("maximize --layer relu9_1 --entry 1,1 -o out.png", USAGE, "vgg19 has no layer 'relu9_1'"),
        (
            "maximize --layer relu3_1 --entry 1,256 -o out.png",
            USAGE,
            "relu3_1 has no entry 1,256; expected two channel",
        ),
        ("maximize --layer relu3_1 --entry 1 -o out.png", USAGE, "--entry is '1'; expected two channels from 0 up"),
        ("maximize --layer relu3_1 --entry 1,-1 -o out.png", USAGE, "--entry is '1,-1'; expected two channels"),
        ("maximize --layer relu3_1 --entry 1,1 --size 8 -o out.png", USAGE, "size is 8; expected at least 16"),
        ("maximize --layer relu3_1 --entry 1,1 --steps 0 -o out.png", USAGE, "steps is 0"),
        ("maximize --layer relu3_1 --entry 1,1 -o out.txt", USAGE, "out.txt"),
        ("maximize no.jpg --layer relu3_1 --entry 1,1 -o out.png", PICTURE, "no.jpg: cannot be read"),
        ("show no.jpg", PICTURE, "no.jpg: cannot be read"),
        ("show PAINTING --layer relu9_1", USAGE, "vgg19 has no layer 'relu9_1'"),
        ("show SAVED --layer relu2_1", USAGE, "was not measured in relu2_1, only in relu1_1"),
        ("sample SAVED -o out.png", USAGE, "out.png: has the suffix '.png'; expected .safetensors"),
        ("sample SAVED -o a.safetensors --sampler guess", USAGE, "sampler is 'guess'; expected one of permuted"),
        ("sample SAVED -o a.safetensors --strength 2", USAGE, "strength is 2.0; expected a number from 0 to 1"),
        ("sample SAVED -o SAVED --overwrite", USAGE, "is one of the pictures to read"),
        ("sample SHIFTED -o a.safetensors", USAGE, "has other statistics than one Gram matrix a layer"),
        ("show SAVED --size 64 --pooling avg", USAGE, "is a saved style, to which --size and --pooling cannot apply;"),
        ("sample SAVED -o a.safetensors --network vgg16", USAGE, "to which --network cannot apply; leave them out"),
        ("show SHIFTED", USAGE, "has other statistics than one Gram matrix a layer"),
    ],
)
def test_errors_are_one_line(saved, shifted, command, code, found):
    names = {"SAVED": saved, "PAINTING": STYLE, "SHIFTED": shifted}
    before = saved.read_bytes()
    outcome = run("gram", *(names.get(word, word) for word in command.split()))
    assert outcome.code == code and found in outcome.err, outcome
    assert outcome.out == "" and outcome.err.startswith("jaxstyle: error: ") and outcome.err.count("\n") == 1
    assert not list(Path().iterdir()) and saved.read_bytes() == before


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painting's style in another representation."""
    file = tmp_path_factory.mktemp("shifted") / "facets.safetensors"
    options = "--size", 64, "--style-layers", "relu1_1", "--style-representation", "shifted"
    succeed("style", "save", EXAMPLES / "style" / "facets.jpg", "-o", file, *options)
    return file
