"""Stylization with a saved or measured style in place of its picture, with one layer of the network."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from support.quick import QUICK, first_layer, random_picture, run
from support.tiny import STYLE_LAYERS, tiny_networks

from jaxstyle.errors import ConfigError
from jaxstyle.styles import load_style, measure_padded_statistics, measure_statistics, save_style
from jaxstyle.stylize import measure_style


@pytest.mark.usefixtures("small_pyramid")
@pytest.mark.parametrize(("measured", "used"), [(64, 64), (128, 64), (150, 75)])
def test_gives_the_same_bytes_as_the_picture(network, photo, tmp_path, measured, used):
    picture = random_picture(90, 120)
    style = measure_style(picture, network=first_layer(network), config=replace(QUICK, size=measured))
    save_style(tmp_path / "a.safetensors", style)
    config = replace(QUICK, optimizer="lbfgs", size=used, steps=2)
    expected = run(network, photo, picture, config=config)
    found = run(network, photo, load_style(tmp_path / "a.safetensors"), config=config)
    assert found.image.tobytes() == expected.image.tobytes()
    assert found.history.total.tobytes() == expected.history.total.tobytes()


@pytest.mark.parametrize("kinds", [(0, 0), (0, 1), (1, 0)], ids=["saved", "first is a picture", "last is a picture"])
def test_blends_like_pictures(network, photo, painting, tmp_path, kinds):
    pictures = [painting, random_picture(50, 70)]
    config = replace(QUICK, style_blend=(0.3, 0.7))
    styles: list[Any] = []
    for index, (picture, kind) in enumerate(zip(pictures, kinds, strict=True)):
        path = tmp_path / f"{index}.safetensors"
        save_style(path, measure_style(picture, network=first_layer(network), config=QUICK))
        styles.append(picture if kind else load_style(path))
    expected = run(network, photo, pictures, config=config)
    found = run(network, photo, styles, config=config)
    np.testing.assert_allclose(found.image, expected.image, atol=1e-5)
    np.testing.assert_allclose(found.history.total, expected.history.total, rtol=1e-5)


def test_a_blend_has_the_common_layers(network, photo, painting):
    measured = measure_style(painting, network=first_layer(network), config=QUICK)
    more = replace(
        measured,
        statistics=tuple(
            replace(level, measured=level.measured | {"conv1_1": level.color}) for level in measured.statistics
        ),
    )
    expected = run(network, photo, [painting, painting]).image
    for styles in ([more, painting], [painting, more], [more, measured]):
        np.testing.assert_allclose(run(network, photo, styles).image, expected, atol=1e-5)


def test_styles_that_do_not_fit_the_run(network, photo, painting):
    style = measure_style(painting, network=first_layer(network), config=QUICK)
    bad = [
        (replace(style, pooling="avg"), QUICK, r"\(pooling avg, but this network has max\)"),
        (replace(style, architecture="vgg16"), QUICK, r"\(architecture vgg16, but this network has first-layer\)"),
        (replace(style, digest="beef"), QUICK, r"\(weights with SHA-256 beef, but this network has a36c"),
        (style, replace(QUICK, style_layers=(("conv1_1", 1.0),)), "was not measured in conv1_1, only in relu1_1"),
        (style, replace(QUICK, style_representation="moments"), "measured as 'gram', but style_representation is"),
        (
            replace(style, representation="neighbors"),
            replace(QUICK, style_layers=(("conv1_1", 1.0),), style_representation="neighbors"),
            "measured as 'neighbors' in the layers relu1_1; expected exactly these style layers",
        ),
        (style, replace(QUICK, size=120), "measured at 64 px, but 120 px is needed"),
        (style, replace(QUICK, style_scale=0.5), "measured at 64 px, but 32 px is needed"),
        (style, replace(QUICK, init=(("style", 1.0),)), "a measured style has no picture"),
    ]
    for unfit, config, message in bad:
        with pytest.raises(ConfigError, match=message):
            run(network, photo, unfit, config=config)


@pytest.mark.parametrize("architecture", ["plain", "mixed"])
@pytest.mark.parametrize("representation", ["gram", "shifted"])
def test_padding_a_picture_changes_no_statistic(architecture: str, representation: str):
    picture = random_picture(37, 50)
    padded = np.pad(picture, ((0, 13), (0, 0), (0, 0)))
    with tiny_networks() as networks:
        network = networks[architecture]
        expected = measure_statistics(network, picture, STYLE_LAYERS, representation)
        found = measure_padded_statistics(network, padded, np.array([37, 50]), STYLE_LAYERS, representation)
    for name, value in jax.tree.leaves_with_path(expected):
        np.testing.assert_allclose(dict(jax.tree.leaves_with_path(found))[name], value, rtol=2e-5, atol=1e-7)
