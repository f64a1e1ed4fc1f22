"""Texture synthesis."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import naive
from support.quick import QUICK, first_layer

from jaxstyle import Progress, texture
from jaxstyle.errors import PictureError
from jaxstyle.networks import Network
from jaxstyle.stylize import Stylized, measure_style

CONFIG = replace(QUICK, optimizer="lbfgs", steps=20)


def make(network: Network, style: Any, **options: Any) -> Stylized:
    """A texture from the network's first layer."""
    return texture(style, network=first_layer(network), **{"height": 40, "width": 64, "config": CONFIG} | options)


@pytest.fixture(scope="module")
def result(network: Network, painting: np.ndarray) -> Stylized:
    return make(network, painting)


def test_has_the_statistics_of_the_style_and_no_content(result: Stylized, painting: np.ndarray) -> None:
    assert result.image.shape == (40, 64, 3) and result.image.dtype == np.float32
    assert result.image.min() >= 0 and result.image.max() <= 1
    assert result.history.style[-1] < 0.02 * result.history.style[0]
    assert not result.history.content.any()
    noise, target = np.random.default_rng(0).random((40, 64, 3)), naive.color_moments(painting)
    before, after = (naive.color_distance(naive.color_moments(x), target) for x in (noise, result.image))
    assert after < 0.05 * before


def test_another_seed_gives_another_texture(network: Network, painting: np.ndarray, result: Stylized) -> None:
    assert make(network, painting).image.tobytes() == result.image.tobytes()
    assert np.abs(make(network, painting, seed=1).image - result.image).mean() > 0.02


def test_settings_of_the_content_have_no_effect(network: Network, painting: np.ndarray, result: Stylized) -> None:
    other = make(network, painting, config=replace(CONFIG, size=999, content_weight=7.0, content_layers=()))
    assert other.image.tobytes() == result.image.tobytes()


def test_a_measured_style_gives_the_same_as_its_picture(network: Network, painting: np.ndarray) -> None:
    style = measure_style(painting, network=first_layer(network), config=CONFIG)
    np.testing.assert_array_equal(make(network, style).image, make(network, painting).image)


@pytest.mark.usefixtures("small_pyramid")
def test_goes_from_coarse_to_fine_and_calls_the_callback(network: Network, painting: np.ndarray) -> None:
    calls: list[Progress] = []
    result = make(network, painting, height=64, width=40, config=replace(CONFIG, steps=10), callback=calls.append)
    assert [progress.size for progress in calls] == [32] * 2 + [64] * 2
    assert result.image.shape == (64, 40, 3) and [*result.sizes] == [32] * 10 + [64] * 10


def test_can_start_from_white_noise(network: Network, painting: np.ndarray, result: Stylized) -> None:
    white = make(network, painting, config=replace(CONFIG, init=(("noise", 1.0),)))
    assert np.abs(white.image - result.image).mean() > 0.02


@pytest.mark.parametrize("shape", [(15, 64), (64, 1)])
def test_sizes_that_are_too_small(network: Network, painting: np.ndarray, shape: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match="the texture would be .* pixels; expected at least 16"):
        make(network, painting, height=shape[0], width=shape[1])
