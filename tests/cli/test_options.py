"""Every option takes effect."""

from pathlib import Path

import pytest
from support.command import CONTENT, STYLE, fake_stylize, succeed

from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image
from jaxstyle.networks import resolve_layers


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict:
    """The arguments with which the command called `stylize`."""
    arguments: dict = {}
    work = fake_stylize()

    def stylize(content, styles, **keywords):
        arguments.update(keywords, content=content, styles=styles)
        return work(content, styles, **keywords)

    monkeypatch.setattr("jaxstyle.cli.run.stylize", stylize)
    return arguments


def test_defaults_are_those_of_the_python_function(arguments, tmp_path):
    succeed("stylize", CONTENT, STYLE, "-o", tmp_path / "out.png")
    assert arguments["config"] == resolve_layers(StyleConfig(), "vgg19")
    assert arguments["seed"] == 0 and arguments["initial_picture"] is None
    assert (arguments["network"].architecture, arguments["network"].pooling) == ("vgg19", "max")
    for picture, path in ((arguments["content"], CONTENT), (arguments["styles"][0], STYLE)):
        assert (picture == read_image(path, size=512)).all()


def test_every_option_is_passed_on(arguments, tmp_path):
    options = {
        "--size": 80,
        "--strength": 1.5,
        "--content-weight": 2,
        "--style-weight": 3,
        "--color-weight": 4,
        "--tv-weight": 5,
        "--content-layers": "relu3_1=0.5,relu4_1",
        "--style-layers": "pool1",
        "--normalization": "gatys",
        "--style-blend": "0.25,0.75",
        "--style-scale": "0.5,0.75",
        "--rotate-style": -30,
        "--init": f"{CONTENT}=0.5,noise=0.5",
        "--steps": 7,
        "--levels": 1,
        "--tile-size": 512,
        "--optimizer": "adam",
        "--seed": 11,
        "--network": "vgg16",
        "--pooling": "avg",
        "--precision": "bfloat16",
    }
    words = [word for pair in options.items() for word in pair]
    succeed("stylize", CONTENT, STYLE, CONTENT, "-o", tmp_path / "out.png", *words)
    assert arguments["config"] == StyleConfig(
        size=80,
        strength=1.5,
        content_weight=2,
        style_weight=3,
        color_weight=4,
        tv_weight=5,
        content_layers=(("relu3_1", 0.5), ("relu4_1", 1.0)),
        style_layers=(("pool1", 1.0),),
        normalization="gatys",
        style_blend=(0.25, 0.75),
        style_scale=(0.5, 0.75),
        rotate_style=-30,
        init=(("picture", 0.5), ("noise", 0.5)),
        steps=7,
        levels=1,
        tile_size=512,
        optimizer="adam",
    )
    assert arguments["seed"] == 11
    network = arguments["network"]
    assert (network.architecture, network.pooling, network.precision) == ("vgg16", "avg", "bfloat16")
    assert [style.shape for style in arguments["styles"]] == [(32, 40, 3), (46, 60, 3)]
    assert (arguments["initial_picture"] == read_image(CONTENT, size=80)).all()


def test_home_folder_is_expanded(arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "initial.jpg").write_bytes(Path(CONTENT).read_bytes())
    succeed("stylize", CONTENT, STYLE, "-o", "~/out.png", "--init", "~/initial.jpg", "--size", 64)
    assert (tmp_path / "out.png").exists() and arguments["initial_picture"] is not None
