"""Colors: matching them to those of another picture, and keeping those of the content."""

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.quick import QUICK, first_layer, random_picture, run

from jaxstyle import stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, colors, pictures_to_optimize, with_kept_chroma
from jaxstyle.styles import StyleStatistics, first_and_second_moments
from jaxstyle.stylize import measure_style

KEPT = StyleConfig(colors=(("content", 1.0),))
LUMINANCE = StyleConfig(colors=(("luminance", 1.0),))


def correlated(height: int, width: int, seed: int, spread: float = 0.05) -> np.ndarray:
    """Correlated colors near a random mean, far enough from 0 and 1 that matching does not clip them."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height, width, 3)) @ (np.eye(3) + random.uniform(-0.3, 0.3, (3, 3)))
    return (random.uniform(0.4, 0.6, 3) + spread * mixed / np.abs(mixed).max()).astype(np.float32)


def measured(picture: np.ndarray) -> StyleStatistics:
    return StyleStatistics({}, None, *first_and_second_moments(picture), None)


def match_colors(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return colors.match_colors(picture, measured(reference))


def mean_and_covariance(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = picture.reshape(-1, 3).astype(float)
    return flat.mean(0), np.cov(flat.T, bias=True)


class TestMatchColors:
    @pytest.mark.parametrize("seed", range(5))
    def test_gives_the_mean_and_covariance_of_the_reference(self, seed: int) -> None:
        picture, reference = correlated(20, 30, seed, spread=0.3), correlated(15, 12, seed + 10, spread=0.2)
        found, expected = mean_and_covariance(match_colors(picture, reference)), mean_and_covariance(reference)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
        # Not exactly, because 1e-5 is added to the variances of both pictures.
        np.testing.assert_allclose(found[1], expected[1], atol=3e-5)
        assert np.abs(mean_and_covariance(picture)[1] - expected[1]).max() > 1e-3

    def test_is_the_smallest_change_of_colors(self) -> None:
        """It is the linear map with this result that is symmetric and positive definite (Brenier)."""
        picture, reference = correlated(20, 30, 0, spread=0.3), correlated(15, 12, 1, spread=0.2)
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
        picture, reference = correlated(20, 30, 0), correlated(15, 12, 1)
        np.testing.assert_allclose(match_colors(match_colors(picture, reference), picture), picture, atol=2e-3)

    def test_does_not_depend_on_the_positions_of_the_reference_colors(self) -> None:
        picture, reference = correlated(20, 30, 0), correlated(15, 12, 1)
        shuffled = np.random.default_rng(2).permutation(reference.reshape(-1, 3)).reshape(9, 20, 3)
        np.testing.assert_allclose(match_colors(picture, shuffled), match_colors(picture, reference), atol=1e-4)

    @pytest.mark.parametrize("flat", ["picture", "reference", "both"])
    def test_pictures_of_one_color_can_be_matched(self, flat: str) -> None:
        picture, reference = correlated(8, 9, 0), correlated(7, 5, 1)
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
        reference = correlated(7, 5, 1)
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
        reference, direction = correlated(7, 5, 1, spread=0.3), np.random.default_rng(3).normal(size=(9, 8, 3))
        gray = np.repeat(0.5 + 0.1 * np.random.default_rng(0).random((9, 8, 1)), 3, axis=-1)
        for picture in (gray, correlated(9, 8, 0, spread=0.2) * [1, 1, 0.02]):
            style = jax.tree.map(np.float32, measured(reference))
            found = jax.jit(colors.match_colors)(picture.astype(np.float32), style)
            np.testing.assert_allclose(found, match_colors(picture, reference), atol=2e-4)

            def moved(t: Any, picture: np.ndarray = picture, style: StyleStatistics = style) -> Any:
                return (direction * colors.match_colors(picture + t * direction, style)).sum()

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


class TestPicturesToOptimize:
    CONTENT, STYLE = correlated(20, 30, 0, spread=0.3), correlated(15, 12, 1, spread=0.2)

    def recolored(self, config: StyleConfig, content: np.ndarray = CONTENT, style: np.ndarray = STYLE) -> np.ndarray:
        _, (found,) = pictures_to_optimize(config, content, [style])
        assert isinstance(found, np.ndarray) and found.dtype == np.float32
        return found

    def test_colors_of_the_style_change_nothing(self) -> None:
        content, styles = pictures_to_optimize(StyleConfig(), self.CONTENT, [self.STYLE])
        assert content is self.CONTENT and styles[0] is self.STYLE

    def test_the_style_gets_the_mean_and_covariance_of_the_content(self) -> None:
        content, _ = pictures_to_optimize(KEPT, self.CONTENT, [self.STYLE])
        assert content is self.CONTENT
        found, expected = (mean_and_covariance(picture) for picture in (self.recolored(KEPT), self.CONTENT))
        np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
        np.testing.assert_allclose(found[1], expected[1], atol=3e-5)

    def test_a_share_is_a_mixture(self) -> None:
        found = self.recolored(StyleConfig(colors=(("content", 0.25),)))
        np.testing.assert_allclose(found, 0.75 * self.STYLE + 0.25 * self.recolored(KEPT), atol=1e-6)

    def test_luminance_is_gray_with_the_mean_and_deviation_of_the_content(self) -> None:
        content, (style,) = pictures_to_optimize(LUMINANCE, self.CONTENT, [self.STYLE])
        expected = self.CONTENT @ [0.299, 0.587, 0.114]
        for channel in range(3):
            np.testing.assert_allclose(content[..., channel], expected, atol=1e-6)
            assert style[..., channel].mean() == pytest.approx(expected.mean(), abs=1e-4)
            assert style[..., channel].std() == pytest.approx(expected.std(), abs=1e-3)
        np.testing.assert_allclose(np.ptp(style, axis=-1), 0, atol=1e-5)

    @pytest.mark.parametrize("config", [KEPT, LUMINANCE])
    def test_hidden_pixels_have_no_effect(self, config: StyleConfig) -> None:
        def hidden(picture: np.ndarray, color: float) -> np.ndarray:
            alpha = np.zeros((*picture.shape[:2], 1), np.float32)
            alpha[2:9, 3:11] = 1
            return np.concatenate([np.where(alpha > 0, picture, np.float32(color)), alpha], -1)

        found = [self.recolored(config, hidden(self.CONTENT, value), hidden(self.STYLE, 1 - value)) for value in (0, 1)]
        np.testing.assert_allclose(found[0][2:9, 3:11], found[1][2:9, 3:11], atol=1e-6)
        expected = self.recolored(config, self.CONTENT[2:9, 3:11], self.STYLE[2:9, 3:11])
        np.testing.assert_allclose(found[0][2:9, 3:11, :3], expected, atol=1e-5)
        np.testing.assert_array_equal(found[0][..., 3], hidden(self.STYLE, 0)[..., 3])

    def test_a_measured_style_is_an_error(self, network: Network) -> None:
        style = measure_style(self.STYLE.repeat(3, 0), network=first_layer(network), config=QUICK)
        with pytest.raises(ConfigError, match="measured style"):
            pictures_to_optimize(KEPT, self.CONTENT, [self.STYLE, style])


class TestKeptChroma:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 999), st.sampled_from([1, 2]))
    def test_chroma_is_that_of_the_content_and_the_result_is_a_picture(self, seed: int, scale: int) -> None:
        content, picture = random_picture(9 * scale, 8 * scale, seed), random_picture(9, 8, seed + 1)
        expected, found = resize(content, 9, 8), with_kept_chroma(LUMINANCE, picture, content)
        assert found.min() >= 0 and found.max() <= 1
        for one, other in ((0, 1), (1, 2)):  # differences of channels are those of the chroma
            np.testing.assert_allclose(
                found[..., one] - found[..., other], expected[..., one] - expected[..., other], atol=1e-6
            )

    def test_luminance_is_that_of_the_picture_where_the_color_exists(self) -> None:
        weights = [0.299, 0.587, 0.114]
        content, picture = np.float32([[[0.2, 0.3, 0.4]] * 3]), np.float32([[[0, 0, 0], [0.5, 0.4, 0.3], [1, 1, 1]]])
        found = with_kept_chroma(LUMINANCE, picture, content)
        assert found[0, 1] @ weights == pytest.approx(picture[0, 1] @ weights, abs=1e-6)
        np.testing.assert_allclose(found[0, [0, 2]], [[0, 0.1, 0.2], [0.8, 0.9, 1]], atol=1e-6)

    @pytest.mark.parametrize("config", [StyleConfig(), KEPT])
    def test_other_colors_change_nothing(self, config: StyleConfig) -> None:
        picture = random_picture(4, 5)
        assert with_kept_chroma(config, picture, random_picture(8, 10)) is picture


class TestStylize:
    CONTENT, STYLE = random_picture(48, 64), random_picture(40, 40, 1)

    def test_luminance_keeps_the_chroma_also_in_the_callback_and_in_batches(self, network: Network) -> None:
        config = StyleConfig(**vars(QUICK) | {"colors": LUMINANCE.colors})
        calls: list[Progress] = []
        result = run(network, self.CONTENT, self.STYLE, config=config, callback=calls.append)
        np.testing.assert_allclose(
            result.image[..., 0] - result.image[..., 2], self.CONTENT[..., 0] - self.CONTENT[..., 2], atol=1e-6
        )
        np.testing.assert_array_equal(calls[-1].picture, result.image)
        (alone,) = stylize_batch([self.CONTENT], [self.STYLE], network=first_layer(network), config=config)
        np.testing.assert_array_equal(alone.image, result.image)

    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ((("hue", 1.0),), "'hue'"),
            ((("content", 1.5),), "1.5"),
            ((("content", 0.8), ("style", 0.4)), "0.4"),
            ((("luminance", 0.5),), "luminance alone"),
            ((), "colors is empty; expected one of style, content, luminance"),
            ((("content", 0.5), ("content", 0.5)), "more than once"),
        ],
    )
    def test_other_settings_are_errors(self, value: Any, found: str) -> None:
        with pytest.raises(ConfigError, match=found):
            StyleConfig(colors=value)

    def test_without_a_content_there_are_no_colors_to_keep(self, network: Network) -> None:
        with pytest.raises(ConfigError, match="no content"):
            measure_style(self.STYLE, network=network, config=KEPT)
