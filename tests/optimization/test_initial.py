"""Initial pictures: color matching, pink noise, and mixtures."""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.optimization import initial, make_initial_picture, pink_noise
from jaxstyle.styles import StyleStatistics, first_and_second_moments


def colors(height: int, width: int, seed: int, spread: float = 0.05) -> np.ndarray:
    """Correlated colors near a random mean, far enough from 0 and 1 that matching does not clip them."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height, width, 3)) @ (np.eye(3) + random.uniform(-0.3, 0.3, (3, 3)))
    return (random.uniform(0.4, 0.6, 3) + spread * mixed / np.abs(mixed).max()).astype(np.float32)


def measured(picture: np.ndarray) -> StyleStatistics:
    return StyleStatistics({}, None, *first_and_second_moments(picture))


def match_colors(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return initial.match_colors(picture, measured(reference))


def mean_and_covariance(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = picture.reshape(-1, 3).astype(float)
    return flat.mean(0), np.cov(flat.T, bias=True)


class TestMatchColors:
    @pytest.mark.parametrize("seed", range(5))
    def test_gives_the_mean_and_covariance_of_the_reference(self, seed: int) -> None:
        picture, reference = colors(20, 30, seed, spread=0.3), colors(15, 12, seed + 10, spread=0.2)
        found, expected = mean_and_covariance(match_colors(picture, reference)), mean_and_covariance(reference)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
        # Not exactly, because 1e-5 is added to the variances of both pictures.
        np.testing.assert_allclose(found[1], expected[1], atol=3e-5)
        assert np.abs(mean_and_covariance(picture)[1] - expected[1]).max() > 1e-3

    def test_is_the_smallest_change_of_colors(self) -> None:
        """It is the linear map with this result that is symmetric and positive definite (Brenier)."""
        picture, reference = colors(20, 30, 0, spread=0.3), colors(15, 12, 1, spread=0.2)
        before, after = (
            x.reshape(-1, 3) - x.reshape(-1, 3).mean(0) for x in (picture, match_colors(picture, reference))
        )
        matrix, residual, *_ = np.linalg.lstsq(before, after, rcond=None)
        assert residual.max() < 1e-8
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
        assert np.linalg.eigvalsh(matrix).min() > 0

    def test_a_picture_as_its_own_reference_does_not_change(self) -> None:
        picture = np.random.default_rng(0).random((12, 9, 3), np.float32)
        np.testing.assert_allclose(match_colors(picture, picture), picture, atol=1e-5)

    def test_is_invertible(self) -> None:
        picture, reference = colors(20, 30, 0), colors(15, 12, 1)
        np.testing.assert_allclose(match_colors(match_colors(picture, reference), picture), picture, atol=2e-3)

    def test_does_not_depend_on_the_positions_of_the_reference_colors(self) -> None:
        picture, reference = colors(20, 30, 0), colors(15, 12, 1)
        shuffled = np.random.default_rng(2).permutation(reference.reshape(-1, 3)).reshape(9, 20, 3)
        np.testing.assert_allclose(match_colors(picture, shuffled), match_colors(picture, reference), atol=1e-4)

    @pytest.mark.parametrize("flat", ["picture", "reference", "both"])
    def test_pictures_of_one_color_can_be_matched(self, flat: str) -> None:
        picture, reference = colors(8, 9, 0), colors(7, 5, 1)
        if flat in ("picture", "both"):
            picture = np.full_like(picture, 0.25)
        if flat in ("reference", "both"):
            reference = np.full_like(reference, [0.1, 0.5, 0.8])
        found = match_colors(picture, reference)
        np.testing.assert_allclose(mean_and_covariance(found)[0], mean_and_covariance(reference)[0], atol=1e-3)
        if flat != "picture":
            assert found.std((0, 1)).max() < 0.05 * picture.std((0, 1)).max() + 5e-3

    def test_gray_pictures_become_colored(self) -> None:
        gray = np.repeat(np.random.default_rng(0).random((9, 8, 1), np.float32), 3, axis=-1)
        reference = colors(7, 5, 1)
        found = match_colors(gray, reference)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(mean_and_covariance(found)[0], mean_and_covariance(reference)[0], atol=1e-2)

    def test_no_color_is_stretched_more_than_5_times(self) -> None:
        """With uncorrelated channels, the map multiplies each by the ratio of standard deviations, up to 5."""
        signs = np.array(list(product((-1, 1), repeat=3)), np.float32).reshape(2, 4, 3)
        picture, reference = 0.5 + signs * [0.1, 0.02, 0.002], 0.4 + signs * [0.05, 0.06, 0.1]
        found = match_colors(picture, reference)
        expected = 0.4 + signs * 0.1 * [0.5, 0.6, 0.1]
        np.testing.assert_allclose(found, expected, atol=1e-3)  # 1e-5 is added to variances
        np.testing.assert_allclose(found[..., 2], expected[..., 2], atol=1e-6)

    def test_noise_of_a_level_in_a_gray_picture_is_no_confetti(self, photo: np.ndarray, painting: np.ndarray) -> None:
        levels = np.repeat(np.rint(255 * photo.mean(-1, keepdims=True)), 3, axis=-1)
        noise = np.random.default_rng(0).integers(-1, 2, levels.shape)
        gray, noisy = (np.float32(values.clip(0, 255) / 255) for values in (levels, levels + noise))
        as_content = match_colors(gray, painting), match_colors(noisy, painting)
        as_style = match_colors(painting, gray), match_colors(painting, noisy)
        for one, other in (as_content, as_style):
            assert np.abs(one - other).mean() < 0.02
        # A gray photograph still becomes colored: its colors change with its brightness, as those of the painting.
        assert np.ptp(as_content[0] - gray, axis=(0, 1)).min() > 0.05

    def test_in_jax_gives_the_same_and_has_the_derivative_of_finite_differences(self) -> None:
        """Where the stretching is limited in one direction, and for a gray picture, whose eigenvalues are equal."""
        reference, direction = colors(7, 5, 1, spread=0.3), np.random.default_rng(3).normal(size=(9, 8, 3))
        gray = np.repeat(0.5 + 0.1 * np.random.default_rng(0).random((9, 8, 1)), 3, axis=-1)
        for picture in (gray, colors(9, 8, 0, spread=0.2) * [1, 1, 0.02]):
            style = jax.tree.map(np.float32, measured(reference))
            found = jax.jit(initial.match_colors)(picture.astype(np.float32), style)
            np.testing.assert_allclose(found, match_colors(picture, reference), atol=2e-4)

            def moved(t: Any, picture: np.ndarray = picture, style: StyleStatistics = style) -> Any:
                return (direction * initial.match_colors(picture + t * direction, style)).sum()

            derivative = jax.grad(jax.jit(lambda t, moved=moved: moved(jnp.asarray(t))))(0.0)
            expected = (moved(1e-5) - moved(-1e-5)) / 2e-5
            assert derivative == pytest.approx(expected, rel=0.01)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 999), st.floats(0, 4))
    def test_result_is_a_picture(self, height: int, width: int, seed: int, contrast: float) -> None:
        random = np.random.default_rng(seed)
        picture, reference = (random.random((height, width, 3), np.float32) ** power for power in (1, contrast))
        found = match_colors(picture, reference)
        assert found.shape == picture.shape and found.dtype == np.float32
        assert found.min() >= 0 and found.max() <= 1


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


CONTENT, STYLE, PICTURE = colors(10, 14, 0), colors(8, 9, 1), colors(21, 7, 2)


def mix(*shares: tuple[str, float], picture: np.ndarray | None = PICTURE, seed: int = 0) -> np.ndarray:
    return make_initial_picture(shares, CONTENT, measured(STYLE), style=STYLE, picture=picture, seed=seed)


class TestInitialPicture:
    def test_content_has_the_colors_of_the_style(self) -> None:
        np.testing.assert_array_equal(mix(("content", 1.0)), match_colors(CONTENT, STYLE))

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
