"""`jaxstyle texture`: results, records and errors."""

import json
import os
import signal
import threading

import numpy as np
import pytest
from support.command import STYLE, Outcome, fake_stylize, run, succeed

from jaxstyle import texture
from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image
from jaxstyle.options.parsing import parse_weighted

QUICK = ("--size", 64, "--steps", 12, "--optimizer", "adam", "--style-layers", "relu1_1,relu1_2")
CONFIG = StyleConfig(steps=12, optimizer="adam", style_layers=parse_weighted("", "relu1_1,relu1_2"))


def test_equals_the_python_function(tmp_path, network):
    out = tmp_path / "out.png"
    record = json.loads(succeed("texture", STYLE, "-o", out, *QUICK, "--width", 80, "--seed", 3, "--json"))
    style = read_image(STYLE, size=80)
    expected = texture(style, height=64, width=80, network=network, config=CONFIG, seed=3)
    assert np.abs(read_image(out) - expected.image).max() < 1 / 255
    assert (
        record["content"] is None
        and record["styles"] == ["swirls.jpg"]
        and (record["width"], record["height"]) == (80, 64)
    )
    assert record["settings"]["content_layers"] == [] and record["settings"]["init"] == [["pink", 1.0]]
    assert record["losses"]["style"]["last"] == pytest.approx(float(expected.history.style[-1]), rel=1e-5)


def test_of_saved_styles_and_other_networks(tmp_path):
    saved, out = tmp_path / "swirls.safetensors", tmp_path / "out.png"
    same = ("--size", 64, "--style-layers", "conv1", "--network", "random:alexnet")
    succeed("style", "save", STYLE, "-o", saved, *same)
    record = json.loads(succeed("texture", saved, STYLE, "-o", out, *same, "--steps", 2, "--json"))
    assert record["network"]["name"] == "random:alexnet" and record["network"]["sha256"] == "random-0"
    assert [style["name"] for style in record["saved_styles"]] == ["swirls.safetensors"]


def test_ctrl_c_writes_the_current_picture(tmp_path, monkeypatch):
    released = threading.Event()

    def interrupt():
        signal.raise_signal(signal.SIGINT)
        released.wait(30)
        raise SystemExit  # the end of the process

    def leave(code):
        released.set()
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize(interrupt))
    out = tmp_path / "out.png"
    outcome = run("texture", STYLE, "-o", out, "--size", 64)
    assert outcome.code == 130 and outcome.err.startswith("jaxstyle: stopped after 40 of 40 steps")
    assert read_image(out).min() == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--network", "random:resnet"), "--network is 'random:resnet'; expected one of vgg16"),
        (("--network", "resnet"), "--network is 'resnet'; expected one of vgg16"),
        (("--content-weight", 1), "there is no option --content-weight; "),
        (("--background", "white"), "there is no option --background; "),
    ],
)
def test_errors_are_one_line(tmp_path, words, message):
    outcome = run("texture", STYLE, "-o", tmp_path / "out.png", *words)
    assert outcome.code == 2 and outcome.out == "" and message in outcome.err and outcome.err.count("\n") == 1


def test_a_texture_that_is_too_small_is_an_error(tmp_path):
    outcome = run("texture", STYLE, "-o", tmp_path / "out.png", "--height", 8)
    expected = "jaxstyle: error: the texture would be 512 x 8 pixels; expected at least 16 on each side\n"
    assert outcome == Outcome(3, "", expected)


def test_the_style_picture_is_not_replaced(tmp_path):
    style = tmp_path / "style.jpg"
    style.write_bytes(STYLE.read_bytes())
    outcome = run("texture", style, "-o", style, "--overwrite")
    assert outcome.code == 2 and "choose another name" in outcome.err
    assert style.read_bytes() == STYLE.read_bytes()


def test_help_has_the_defaults_of_textures():
    outcome = run("texture", "--help")
    assert outcome.code == 0 and "default: pink" in outcome.out and "content-layers" not in outcome.out
