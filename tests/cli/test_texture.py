"""`jaxstyle texture`."""

import json

import numpy as np
import pytest
from support.command import STYLE, Ended, pretend, run, succeed

from jaxstyle import texture
from jaxstyle.config import StyleConfig
from jaxstyle.images.reading import read_image
from jaxstyle.jobs.parsing import parse_weighted

QUICK = ("--size", 64, "--steps", 12, "--style-layers", "relu1_1,relu2_1")
CONFIG = StyleConfig(steps=12, style_layers=parse_weighted("", "relu1_1,relu2_1"))


def test_is_what_the_function_makes(tmp_path, network):
    out = tmp_path / "out.png"
    told = json.loads(succeed("texture", STYLE, "-o", out, *QUICK, "--width", 80, "--seed", 3, "--json"))
    style = read_image(STYLE, size=80)
    expected = texture(style, height=64, width=80, network=network, config=CONFIG, seed=3)
    assert np.abs(read_image(out) - expected.image).max() <= 0.5 / 255 + 1e-6
    assert told["content"] is None and told["styles"] == ["swirls.jpg"] and (told["width"], told["height"]) == (80, 64)
    assert told["settings"]["content_layers"] == [] and told["settings"]["init"] == [["pink", 1.0]]
    assert told["losses"]["style"]["last"] == pytest.approx(float(expected.history.style[-1]), rel=1e-5)


def test_of_saved_styles_and_other_networks(tmp_path):
    saved, out = tmp_path / "swirls.safetensors", tmp_path / "out.png"
    same = ("--size", 64, "--style-layers", "conv1", "--network", "random:alexnet")
    succeed("style", "save", STYLE, "-o", saved, *same)
    told = json.loads(succeed("texture", saved, STYLE, "-o", out, *same, "--steps", 2, "--json"))
    assert told["network"]["name"] == "random:alexnet" and told["network"]["sha256"] == "random-0"
    assert [style["name"] for style in told["saved_styles"]] == ["swirls.safetensors"]


def test_ctrl_c_writes_it_as_it_stands(tmp_path, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxstyle.cli.run.stylize", pretend(interrupt))
    out = tmp_path / "out.png"
    ended = run("texture", STYLE, "-o", out, "--size", 64)
    assert ended.code == 130 and ended.err.startswith("jaxstyle: stopped after 40 of 40 steps")
    assert read_image(out).min() == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--network", "random:resnet"), "unknown architecture 'resnet'; expected one of vgg16"),
        (("--network", "resnet"), "--network is 'resnet'; expected one of vgg16"),
        (("--content-weight", 1), "No such option"),
        (("--background", "white"), "No such option"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, words, message):
    ended = run("texture", STYLE, "-o", tmp_path / "out.png", *words)
    assert ended.code == 2 and ended.out == "" and message in ended.err and ended.err.count("\n") == 1


def test_too_small_is_refused(tmp_path):
    ended = run("texture", STYLE, "-o", tmp_path / "out.png", "--height", 8)
    expected = "jaxstyle: error: the texture would be 512 x 8 pixels; expected at least 16 on each side\n"
    assert ended == Ended(3, "", expected)


def test_the_picture_of_the_style_is_not_replaced(tmp_path):
    style = tmp_path / "style.jpg"
    style.write_bytes(STYLE.read_bytes())
    ended = run("texture", style, "-o", style, "--overwrite")
    assert ended.code == 2 and "choose another name" in ended.err
    assert style.read_bytes() == STYLE.read_bytes()


def test_help_tells_its_own_defaults():
    ended = run("texture", "--help")
    assert ended.code == 0 and "default: pink" in ended.out and "content-layers" not in ended.out
