"""Where the optimization begins: colors matched as the theory says, and blends that add up."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.errors import ConfigError
from jaxstyle.images.resizing import resize
from jaxstyle.optimization import initial as starts
from jaxstyle.styles.measured import StyleStatistics, color_means


def colors(height: int, width: int, seed: int, spread: float = 0.05) -> np.ndarray:
    """Correlated colors near a random middle, far enough from 0 and 1 that a match is not clipped."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height, width, 3)) @ (np.eye(3) + random.uniform(-0.3, 0.3, (3, 3)))
    return (random.uniform(0.4, 0.6, 3) + spread * mixed / np.abs(mixed).max()).astype(np.float32)


def measured(picture: np.ndarray) -> StyleStatistics:
    return StyleStatistics({}, None, *color_means(picture))


def match_colors(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return starts.match_colors(picture, measured(reference))


def statistics(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = picture.reshape(-1, 3).astype(float)
    return flat.mean(0), np.cov(flat.T, bias=True)


class TestMatchColors:
    @pytest.mark.parametrize("seed", range(5))
    def test_mean_and_covariance_become_the_references(self, seed: int) -> None:
        picture, reference = colors(20, 30, seed, spread=0.3), colors(15, 12, seed + 10, spread=0.2)
        found, expected = statistics(match_colors(picture, reference)), statistics(reference)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
        # But for the 1e-5 of variance that every picture is given.
        np.testing.assert_allclose(found[1], expected[1], atol=3e-5)
        assert np.abs(statistics(picture)[1] - expected[1]).max() > 1e-3

    def test_moves_colors_least(self) -> None:
        """Of the linear maps with this result the least is the one that is symmetric and positive (Brenier)."""
        picture, reference = colors(20, 30, 0, spread=0.3), colors(15, 12, 1, spread=0.2)
        before, after = (
            x.reshape(-1, 3) - x.reshape(-1, 3).mean(0) for x in (picture, match_colors(picture, reference))
        )
        matrix, residual, *_ = np.linalg.lstsq(before, after, rcond=None)
        assert residual.max() < 1e-8
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-4)
        assert np.linalg.eigvalsh(matrix).min() > 0

    def test_to_itself_changes_nothing(self) -> None:
        picture = np.random.default_rng(0).random((12, 9, 3), np.float32)
        np.testing.assert_allclose(match_colors(picture, picture), picture, atol=1e-5)

    def test_there_and_back(self) -> None:
        picture, reference = colors(20, 30, 0), colors(15, 12, 1)
        np.testing.assert_allclose(match_colors(match_colors(picture, reference), picture), picture, atol=2e-3)

    def test_does_not_depend_on_where_the_reference_has_its_colors(self) -> None:
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
        np.testing.assert_allclose(statistics(found)[0], statistics(reference)[0], atol=1e-3)
        if flat != "picture":
            assert found.std((0, 1)).max() < 0.05 * picture.std((0, 1)).max() + 5e-3

    def test_grays_take_on_color(self) -> None:
        gray = np.repeat(np.random.default_rng(0).random((9, 8, 1), np.float32), 3, axis=-1)
        found = match_colors(gray, colors(7, 5, 1))
        assert np.isfinite(found).all()
        np.testing.assert_allclose(statistics(found)[0], statistics(colors(7, 5, 1))[0], atol=1e-2)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 999), st.floats(0, 4))
    def test_is_a_picture(self, height: int, width: int, seed: int, contrast: float) -> None:
        random = np.random.default_rng(seed)
        picture, reference = (random.random((height, width, 3), np.float32) ** power for power in (1, contrast))
        found = match_colors(picture, reference)
        assert found.shape == picture.shape and found.dtype == np.float32
        assert found.min() >= 0 and found.max() <= 1


class TestPinkNoise:
    def test_amplitudes_fall_as_the_frequency_rises(self) -> None:
        """The mean over many seeds of the power, times the frequency squared, is the same at every frequency."""
        height, width = 24, 33
        powers = []
        for seed in range(300):
            noise = starts.pink_noise(np.random.default_rng(seed).standard_normal((height, width, 3)))
            powers.append(np.abs(np.fft.fft2(noise, axes=(0, 1))).mean(-1) ** 2)
        down, across = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
        level = np.mean(powers, 0) * (down**2 + across**2)
        level = level[(down != 0) | (across != 0)] / np.median(level)
        # Clipping moves some of it to high frequencies.
        assert level.min() > 0.8 and level.max() < 1.8

    def test_has_the_brightness_and_the_contrast_of_white_noise(self) -> None:
        noise = starts.pink_noise(np.random.default_rng(0).standard_normal((40, 50, 3)))
        assert noise.mean() == pytest.approx(1 / 2, abs=0.02) and noise.std() == pytest.approx(0.289, abs=0.03)
        assert noise.min() >= 0 and noise.max() <= 1

    def test_is_the_same_in_jax(self) -> None:
        white = np.random.default_rng(0).standard_normal((21, 16, 3))
        found = jax.jit(starts.pink_noise)(white.astype(np.float32))
        np.testing.assert_allclose(found, starts.pink_noise(white), atol=1e-5)


CONTENT, STYLE, PICTURE = colors(10, 14, 0), colors(8, 9, 1), colors(21, 7, 2)


def start(*shares: tuple[str, float], picture: np.ndarray | None = PICTURE, seed: int = 0) -> np.ndarray:
    return starts.make_initial_picture(shares, CONTENT, measured(STYLE), style=STYLE, picture=picture, seed=seed)


class TestStartingPicture:
    def test_content_is_in_the_colors_of_the_style(self) -> None:
        np.testing.assert_array_equal(start(("content", 1.0)), match_colors(CONTENT, STYLE))

    @pytest.mark.parametrize(("name", "source"), [("style", STYLE), ("picture", PICTURE)])
    def test_others_are_stretched_to_the_content(self, name: str, source: np.ndarray) -> None:
        np.testing.assert_array_equal(start((name, 1.0)), resize(source, 10, 14))

    def test_noise_is_uniform_and_only_the_seed_s(self) -> None:
        first, again, other = (start(("noise", 1.0), seed=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() == pytest.approx(1 / 3, abs=0.05)
        histogram, _ = np.histogram(first, bins=4, range=(0, 1))
        assert histogram.sum() == first.size and histogram.min() > 0.15 * first.size

    def test_pink_noise_is_only_the_seed_s(self) -> None:
        first, again, other = (start(("pink", 1.0), seed=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).mean() > 0.1

    def test_the_seed_means_nothing_without_noise(self) -> None:
        shares = (("content", 1.0), ("style", 1.0))
        np.testing.assert_array_equal(start(*shares, seed=0), start(*shares, seed=1))

    @pytest.mark.parametrize("scale", [1, 0.01, 50])
    def test_blends_add_up(self, scale: float) -> None:
        shares = {"content": 1.0, "noise": 2.0, "style": 3.0, "picture": 4.0}
        expected = sum(share / 10 * start((name, 1.0)).astype(float) for name, share in shares.items())
        found = start(*((name, scale * share) for name, share in shares.items()))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert found.shape == CONTENT.shape and found.dtype == np.float32

    def test_nothing_is_made_of_what_has_no_share(self) -> None:
        np.testing.assert_array_equal(
            start(("content", 2.0), ("noise", 0.0), ("picture", 0.0), picture=None), start(("content", 1.0))
        )

    def test_a_picture_that_is_not_there_is_missed(self) -> None:
        with pytest.raises(ConfigError) as caught:
            start(("content", 1.0), ("picture", 1.0), picture=None)
        assert (
            "'picture'" in str(caught.value)
            and "initial_picture=" in str(caught.value)
            and str(caught.value).isprintable()
        )

    def test_starts_no_device(self) -> None:
        assert not isinstance(start(("content", 1.0), ("noise", 1.0)), jax.Array)
