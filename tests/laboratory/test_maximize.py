"""Pictures of one Gram entry: the entry grows, by as much as it should, and the picture is its own alone."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import ConfigError
from jaxstyle.laboratory.maximize import Maximized, entry_values, maximize_entries, picture_of
from jaxstyle.networks import parameter_shapes
from jaxstyle.networks.network import Network, make_network
from jaxstyle.styles.measured import style_targets

ENTRIES = ((3, 3), (4, 9), (60, 17))


@pytest.fixture(scope="module")
def brightness() -> Network:
    """A network whose first layer has the picture's red and blue, and 1 - green, as its channels 0, 1 and 2."""
    parameters = {
        name: np.zeros(shape, np.float32) for name, shape in parameter_shapes("vgg19").items() if "conv1_1" in name
    }
    for channel, color, sign in ((0, 0, 1), (1, 2, 1), (2, 1, -1)):
        parameters["conv1_1.kernel"][1, 1, color, channel] = sign
    parameters["conv1_1.bias"][2] = 1
    return make_network("vgg19", parameters, np.zeros(3), np.ones(3), pooling="max", digest="toy")


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_1"])
def test_goes_most_of_the_way_to_a_maximum_that_is_known(brightness, layer):
    """With these channels an entry is at most 1, where both of its colors are all there, or all missing.

    The way ends before it: what has become black or white by chance stays so.
    """
    wanted = {(0, 0): (1, None, None), (0, 1): (1, None, 1), (1, 2): (None, 0, 1), (2, 0): (1, 0, None)}
    made = maximize_entries(brightness, layer, list(wanted), size=16, steps=300)
    assert (made.history[:, 0] < 0.35).all()
    assert (made.history[:, -1] > 0.65).all() and (made.history <= 1).all()
    for picture, colors in zip(made.pictures, wanted.values(), strict=True):
        for found, expected in zip(picture.mean((0, 1)), colors, strict=True):
            assert expected is None or abs(found - expected) < 0.35


def test_a_channel_that_nothing_activates_comes_alive(brightness):
    """Red less 0.97 is below the rectifier everywhere in the noise, where the rectifier has no gradient."""
    kernel = brightness.parameters["conv1_1"]["kernel"]
    bias = jnp.zeros(64).at[0].set(-0.97)
    network = brightness.replace(parameters={"conv1_1": {"kernel": kernel, "bias": bias}})
    made = maximize_entries(network, "relu1_1", [(0, 0)], size=16, steps=200)
    assert made.history[0, 0] == 0
    assert made.history[0, -1] > 0.5 * 0.03**2


@pytest.fixture(scope="module")
def made(network: Network) -> Maximized:
    return maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12)


class TestNetwork:
    def test_entries_grow_beyond_those_of_photographs(self, network, photo, made):
        natural = style_targets(network, photo, ("relu1_2",))["relu1_2"]
        for entry, history in zip(ENTRIES, made.history, strict=True):
            assert history[-1] > 3 * history[0]
            assert history[-1] > natural[entry]

    def test_are_pictures(self, made):
        assert made.pictures.shape == (3, 32, 32, 3) and made.history.shape == (3, 12)
        assert (made.pictures >= 0).all() and (made.pictures <= 1).all()

    def test_values_are_entries_of_gram_matrices(self, network, made):
        values = entry_values(network, made.pictures, np.array(ENTRIES), layer="relu1_2")
        for picture, (i, j), value in zip(made.pictures, ENTRIES, values, strict=True):
            features = np.asarray(network.features(picture, ("relu1_2",))["relu1_2"], np.float64)
            np.testing.assert_allclose(value, np.mean(features[..., i] * features[..., j]), rtol=1e-4)

    def test_depend_on_their_own_entry_alone(self, network, made):
        alone = maximize_entries(network, "relu1_2", ENTRIES[1:2], size=32, steps=12)
        np.testing.assert_allclose(alone.pictures[0], made.pictures[1], atol=1e-3)

    def test_same_seed_same_picture(self, network, made):
        again = maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12)
        np.testing.assert_array_equal(again.pictures, made.pictures)
        other = maximize_entries(network, "relu1_2", ENTRIES, size=32, steps=12, seed=1)
        assert np.abs(other.pictures - made.pictures).max() > 0.1


def test_waves_fall_with_frequency():
    """Of white waves, those at double the frequency are half as high: a picture's power falls as 1 / f^2."""
    waves = jax.random.normal(jax.random.key(0), (2, 64, 33, 3))
    picture = np.asarray(picture_of(0.1 * waves, 64), np.float64)
    logits = np.log(picture / (1 - picture)).mean(-1)
    power = np.abs(np.fft.fft2(logits)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    bands = [power[(frequency > low) & (frequency <= 2 * low)].mean() for low in (0.06, 0.12, 0.24)]
    for coarse, fine in pairwise(bands):
        assert 2.5 < coarse / fine < 6


@pytest.mark.parametrize(
    ("layer", "entries", "options", "found"),
    [
        ("relu9_1", [(0, 0)], {}, "vgg19 has no layer 'relu9_1'"),
        ("relu1_1", [(0, 64)], {}, "relu1_1 has no entry 0,64; expected two channels from 0 to 63"),
        ("relu1_1", [(1, 1), (-1, 2)], {}, "no entry -1,2"),
        ("relu1_1", [], {}, "none is given"),
        ("relu1_1", [(0, 0)], {"size": 15}, "size is 15; expected at least 16"),
        ("relu1_1", [(0, 0)], {"steps": 0}, "steps is 0"),
    ],
)
def test_what_cannot_be_meant(brightness, layer, entries, options, found):
    with pytest.raises(ConfigError, match=found):
        maximize_entries(brightness, layer, entries, **options)
