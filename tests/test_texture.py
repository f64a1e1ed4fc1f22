"""Textures: the style's statistics, and nothing else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import naive
from support.quick import QUICK

from jaxstyle import Progress, texture
from jaxstyle.errors import PictureError
from jaxstyle.networks.network import Network
from jaxstyle.stylize import Stylized, measure_style

CONFIG = replace(QUICK, steps=20)


def make(network: Network, style: Any, **options: Any) -> Stylized:
    first = network.replace(parameters={"conv1_1": network.parameters["conv1_1"]})
    return texture(style, network=first, **{"height": 40, "width": 64, "config": CONFIG} | options)


@pytest.fixture(scope="module")
def result(network: Network, painting: np.ndarray) -> Stylized:
    return make(network, painting)


def test_has_the_style_s_statistics_and_no_content(result: Stylized, painting: np.ndarray) -> None:
    assert result.image.shape == (40, 64, 3) and result.image.dtype == np.float32
    assert result.image.min() >= 0 and result.image.max() <= 1
    assert result.history.style[-1] < 0.02 * result.history.style[0]
    assert not result.history.content.any()
    noise, target = np.random.default_rng(0).random((40, 64, 3)), naive.color_moments(painting)
    before, after = (naive.color_distance(naive.color_moments(x), target) for x in (noise, result.image))
    assert after < 0.05 * before


def test_every_seed_gives_another(network: Network, painting: np.ndarray, result: Stylized) -> None:
    assert make(network, painting).image.tobytes() == result.image.tobytes()
    assert np.abs(make(network, painting, seed=1).image - result.image).mean() > 0.02


def test_what_the_settings_say_of_the_content_means_nothing(
    network: Network, painting: np.ndarray, result: Stylized
) -> None:
    other = make(network, painting, config=replace(CONFIG, size=999, content_weight=7.0, content_layers=()))
    assert other.image.tobytes() == result.image.tobytes()


def test_a_measured_style_serves_as_its_picture(network: Network, painting: np.ndarray) -> None:
    first = network.replace(parameters={"conv1_1": network.parameters["conv1_1"]})
    style = measure_style(painting, network=first, config=CONFIG)
    found, expected = (make(network, each).image for each in (style, painting))
    np.testing.assert_array_equal(found, expected)


def test_goes_from_coarse_to_fine_and_tells_on_the_way(network: Network, painting: np.ndarray) -> None:
    looks: list[Progress] = []
    result = make(network, painting, height=256, width=160, config=replace(CONFIG, steps=10), callback=looks.append)
    assert [look.size for look in looks] == [128] * 3 + [256] * 2
    assert result.image.shape == (256, 160, 3) and [*result.sizes] == [128] * 15 + [256] * 10


def test_starts_from_other_noise_if_asked(network: Network, painting: np.ndarray, result: Stylized) -> None:
    white = make(network, painting, config=replace(CONFIG, init=(("noise", 1.0),)))
    assert np.abs(white.image - result.image).mean() > 0.02


@pytest.mark.parametrize("shape", [(15, 64), (64, 0)])
def test_too_small_is_refused(network: Network, painting: np.ndarray, shape: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match="the texture would be .* pixels; expected at least 16"):
        make(network, painting, height=shape[0], width=shape[1])
