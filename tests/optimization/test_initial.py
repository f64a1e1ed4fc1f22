"""Initial pictures: pink noise and mixtures."""

import jax
import numpy as np
import pytest
from support.quick import random_picture

from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.optimization import make_initial_picture, match_colors, pink_noise
from jaxstyle.styles import StyleStatistics, first_and_second_moments


class TestPinkNoise:
    def test_amplitude_is_proportional_to_1_over_the_frequency(self) -> None:
        """The mean power over many seeds, times the squared frequency, is the same at every frequency."""
        height, width = 24, 33
        powers = []
        for seed in range(300):
            noise = pink_noise(np.random.default_rng(seed).standard_normal((height, width, 3)))
            powers.append(np.abs(np.fft.fft2(noise, axes=(0, 1))).mean(-1) ** 2)
        vertical, horizontal = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
        level = np.mean(powers, 0) * (vertical**2 + horizontal**2)
        level = level[(vertical != 0) | (horizontal != 0)] / np.median(level)
        # Clipping moves some of the power to high frequencies.
        assert level.min() > 0.8 and level.max() < 1.8

    def test_has_the_mean_and_standard_deviation_of_white_noise(self) -> None:
        noise = pink_noise(np.random.default_rng(0).standard_normal((40, 50, 3)))
        assert noise.mean() == pytest.approx(1 / 2, abs=0.02) and noise.std() == pytest.approx(0.289, abs=0.03)
        assert noise.min() >= 0 and noise.max() <= 1

    def test_is_the_same_in_jax(self) -> None:
        white = np.random.default_rng(0).standard_normal((21, 16, 3))
        found = jax.jit(pink_noise)(white.astype(np.float32))
        np.testing.assert_allclose(found, pink_noise(white), atol=1e-5)


CONTENT, STYLE, PICTURE = random_picture(10, 14), random_picture(8, 9, 1), random_picture(21, 7, 2)
STATISTICS = StyleStatistics({}, None, *first_and_second_moments(STYLE), None)


def mix(*shares: tuple[str, float], picture: np.ndarray | None = PICTURE, seed: int = 0) -> np.ndarray:
    return make_initial_picture(shares, CONTENT, STATISTICS, style=STYLE, picture=picture, seed=seed)


class TestInitialPicture:
    def test_content_has_the_colors_of_the_style(self) -> None:
        np.testing.assert_array_equal(mix(("content", 1.0)), match_colors(CONTENT, STATISTICS))

    @pytest.mark.parametrize(("name", "source"), [("style", STYLE), ("picture", PICTURE)])
    def test_other_pictures_are_resized_to_the_content(self, name: str, source: np.ndarray) -> None:
        np.testing.assert_array_equal(mix((name, 1.0)), resize(source, 10, 14))

    def test_noise_is_uniform_and_depends_only_on_the_seed(self) -> None:
        first, again, other = (mix(("noise", 1.0), seed=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() == pytest.approx(1 / 3, abs=0.05)
        histogram, _ = np.histogram(first, bins=4, range=(0, 1))
        assert histogram.sum() == first.size and histogram.min() > 0.15 * first.size

    def test_pink_noise_depends_only_on_the_seed(self) -> None:
        first, again, other = (mix(("pink", 1.0), seed=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() > 0.1

    def test_the_seed_has_no_effect_without_noise(self) -> None:
        shares = (("content", 1.0), ("style", 1.0))
        np.testing.assert_array_equal(mix(*shares, seed=0), mix(*shares, seed=1))

    @pytest.mark.parametrize("scale", [1, 0.01, 50])
    def test_mixtures_are_weighted_means(self, scale: float) -> None:
        shares = {"content": 1.0, "noise": 2.0, "style": 3.0, "picture": 4.0}
        expected = sum(share / 10 * mix((name, 1.0)).astype(float) for name, share in shares.items())
        found = mix(*((name, scale * share) for name, share in shares.items()))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert found.shape == CONTENT.shape and found.dtype == np.float32

    def test_pictures_without_a_share_are_not_needed(self) -> None:
        np.testing.assert_array_equal(
            mix(("content", 2.0), ("noise", 0.0), ("picture", 0.0), picture=None), mix(("content", 1.0))
        )

    def test_a_missing_picture_is_an_error(self) -> None:
        with pytest.raises(ConfigError) as caught:
            mix(("content", 1.0), ("picture", 1.0), picture=None)
        assert (
            "'picture'" in str(caught.value)
            and "initial_picture=" in str(caught.value)
            and str(caught.value).isprintable()
        )

    def test_is_made_in_numpy(self) -> None:
        assert not isinstance(mix(("content", 1.0), ("noise", 1.0)), jax.Array)
