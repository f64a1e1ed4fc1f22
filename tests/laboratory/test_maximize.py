"""Pictures that maximize a Gram matrix entry: how far the entry grows, and what the picture depends on."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import ConfigError
from jaxstyle.laboratory import MaximizedEntries, entry_values, maximize_entries
from jaxstyle.laboratory.maximize import picture_from_spectrum
from jaxstyle.networks import Network, make_network, parameter_shapes
from jaxstyle.styles import style_targets

ENTRIES = ((3, 3), (4, 9), (60, 17))


@pytest.fixture(scope="module")
def color_network() -> Network:
    """A network whose channels 0, 1 and 2 in the first layer are the picture's red, blue and 1 - green."""
    parameters = {
        name: np.zeros(shape, np.float32) for name, shape in parameter_shapes("vgg19").items() if "conv1_1" in name
    }
    for channel, color, sign in ((0, 0, 1), (1, 2, 1), (2, 1, -1)):
        parameters["conv1_1.kernel"][1, 1, color, channel] = sign
    parameters["conv1_1.bias"][2] = 1
    return make_network("vgg19", parameters, np.zeros(3), np.ones(3), pooling="max", digest="toy")


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_1"])
def test_approaches_a_known_maximum(color_network, layer):
    """An entry of these channels is at most 1, where both of its colors are saturated (or absent, for 1 - green).

    The optimization stops short of it: pixels that the sigmoid has saturated the wrong way hardly move.
    """
    optimal_colors = {(0, 0): (1, None, None), (0, 1): (1, None, 1), (1, 2): (None, 0, 1), (2, 0): (1, 0, None)}
    result = maximize_entries(color_network, layer, list(optimal_colors), size=16, steps=300)
    assert (result.history[:, 0] < 0.35).all()
    assert (result.history[:, -1] > 0.65).all() and (result.history <= 1).all()
    for picture, colors in zip(result.pictures, optimal_colors.values(), strict=True):
        for mean, expected in zip(picture.mean((0, 1)), colors, strict=True):
            assert expected is None or abs(mean - expected) < 0.35


def test_activates_a_channel_that_is_inactive_in_the_initial_picture(color_network):
    """Red minus 0.97 is negative everywhere in the noise, where the rectifier has no gradient."""
    kernel = color_network.parameters["conv1_1"]["kernel"]
    bias = jnp.zeros(64).at[0].set(-0.97)
    network = color_network.replace(parameters={"conv1_1": {"kernel": kernel, "bias": bias}})
    result = maximize_entries(network, "relu1_1", [(0, 0)], size=16, steps=200)
    assert result.history[0, 0] == 0
    assert result.history[0, -1] > 0.5 * 0.03**2


@pytest.fixture(scope="module")
def result(network: Network) -> MaximizedEntries:
    return maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12)


class TestPretrainedNetwork:
    def test_entries_exceed_those_of_a_photograph(self, network, photo, result):
        natural = style_targets(network, photo, ("relu1_2",))["relu1_2"]
        for entry, history in zip(ENTRIES, result.history, strict=True):
            assert history[-1] > 3 * history[0]
            assert history[-1] > natural[entry]

    def test_results_are_pictures(self, result):
        assert result.pictures.shape == (3, 32, 32, 3) and result.history.shape == (3, 12)
        assert (result.pictures >= 0).all() and (result.pictures <= 1).all()

    def test_values_are_entries_of_gram_matrices(self, network, result):
        values = entry_values(network, result.pictures, np.array(ENTRIES), layer="relu1_2")
        for picture, (i, j), value in zip(result.pictures, ENTRIES, values, strict=True):
            features = np.asarray(network.features(picture, ("relu1_2",))["relu1_2"], np.float64)
            np.testing.assert_allclose(value, np.mean(features[..., i] * features[..., j]), rtol=1e-4)

    def test_a_picture_depends_on_its_entry_alone(self, network, result):
        alone = maximize_entries(network, "relu1_2", ENTRIES[1:2], size=32, steps=12)
        np.testing.assert_allclose(alone.pictures[0], result.pictures[1], atol=1e-3)

    def test_same_seed_same_picture(self, network, result):
        again = maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12)
        np.testing.assert_array_equal(again.pictures, result.pictures)
        other = maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12, seed=1)
        assert np.abs(other.pictures - result.pictures).max() > 0.1


def test_power_falls_with_the_square_of_the_frequency():
    """Random coefficients give a power spectrum of 1 / f^2: a quarter at double the frequency."""
    spectrum = jax.random.normal(jax.random.key(0), (2, 64, 33, 3))
    picture = np.asarray(picture_from_spectrum(0.1 * spectrum, 64), np.float64)
    logits = np.log(picture / (1 - picture)).mean(-1)
    power = np.abs(np.fft.fft2(logits)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    bands = [power[(frequency > low) & (frequency <= 2 * low)].mean() for low in (0.06, 0.12, 0.24)]
    for coarse, fine in pairwise(bands):
        assert 2.5 < coarse / fine < 6


@pytest.mark.parametrize(
    ("layer", "entries", "options", "message"),
    [
        ("relu9_1", [(0, 0)], {}, "vgg19 has no layer 'relu9_1'"),
        ("relu1_1", [(0, 64)], {}, "relu1_1 has no entry 0,64; expected two channels from 0 to 63"),
        ("relu1_1", [(1, 1), (-1, 2)], {}, "no entry -1,2"),
        ("relu1_1", [], {}, "no entry of relu1_1 is given; expected two channels from 0 to 63"),
        ("relu1_1", [(0, 0)], {"size": 15}, "size is 15; expected at least 16"),
        ("relu1_1", [(0, 0)], {"steps": 0}, "steps is 0; expected a whole number from 1"),
    ],
)
def test_invalid_arguments(color_network, layer, entries, options, message):
    with pytest.raises(ConfigError, match=message):
        maximize_entries(color_network, layer, entries, **options)
