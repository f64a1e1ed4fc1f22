"""The grain of pictures, against loops in NumPy and by what it must ignore."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import naive

from jaxstyle.styles import grain_excess, grain_sums, measure_grain

measure = jax.jit(measure_grain)


def picture_of(seed: int, height: int = 7, width: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values, np.float32)[..., None], 3, -1)


class TestMeasure:
    def test_is_the_mean_of_the_laplacian_and_of_its_square(self) -> None:
        np.testing.assert_allclose(measure(picture_of(0)), naive.grain(picture_of(0)), rtol=1e-5)

    @settings(max_examples=20)
    @given(st.integers(0, 2**32 - 1))
    def test_only_what_has_weight_counts(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        weights = rng.random((7, 9), np.float32) * (rng.random((7, 9)) < 0.7)
        weights[3, 4] = 1
        picture = picture_of(seed)
        np.testing.assert_allclose(measure(picture, weights=weights), naive.grain(picture, weights), atol=1e-6)
        hidden = np.where(weights[..., None] > 0, picture, 9)
        np.testing.assert_array_equal(measure(hidden, weights=weights), measure(picture, weights=weights))

    def test_areas_and_even_gradients_have_none(self) -> None:
        rows, columns = np.mgrid[:7, :9].astype(np.float32)
        slope = np.stack([0.03 * rows + 0.02 * columns] * 3, -1)
        inside = grain_sums(slope, np.ones((7, 9)), np.pad(np.ones((5, 7)), 1))[0]
        np.testing.assert_allclose(inside, 0, atol=1e-6)
        np.testing.assert_array_equal(measure(np.full((7, 9, 3), 0.3, np.float32)), 0)

    def test_grays_have_none_of_chroma_and_a_change_of_chroma_has_none_of_luma(self) -> None:
        noise = picture_of(1)[..., :1]
        luma, chroma = measure(np.repeat(noise, 3, -1)).reshape(2, 2).T
        assert (luma > 0.1).all() and (chroma < 1e-6).all()
        luma, chroma = measure(0.5 + 0.1 * (noise - 0.5) * np.array([1, -0.299 / 0.587, 0], np.float32)).reshape(2, 2).T
        assert chroma[0] > 0.005 and chroma[1] > 1e-4 and (luma < 1e-6).all()

    def test_sums_of_a_tile_and_of_the_rest_are_those_of_the_whole(self) -> None:
        picture, tile = picture_of(2), np.zeros((7, 9), np.float32)
        tile[:3, :5] = 1
        ones = np.ones_like(tile)
        sums = [grain_sums(picture, ones, counted) for counted in (tile, 1 - tile)]
        for whole, inside, outside in zip(grain_sums(picture, ones), *sums, strict=True):
            np.testing.assert_allclose(inside + outside, whole, rtol=1e-6)


def scaled(target: np.ndarray, *factors: float) -> np.ndarray:
    """The grain of a picture whose differences are those of another, times factors for luma and chroma."""
    return target * np.float32([*factors, *np.square(factors)])


class TestExcess:
    TARGET = np.float32([0.2, 0.05, 0.06, 0.004])

    def test_is_zero_for_no_more_than_nine_tenths_of_the_style(self) -> None:
        assert grain_excess(scaled(self.TARGET, 0.91, 0.91), self.TARGET) > 0
        for share in (0.89, 0.5, 0.0):
            value = scaled(self.TARGET, share, share)
            assert grain_excess(value, self.TARGET) == 0
            assert not jax.grad(grain_excess)(value, self.TARGET).any()

    def test_is_the_squared_logarithm_of_the_ratio(self) -> None:
        excess = 2 * np.log(2) ** 2  # of the mean and of the root mean square
        assert grain_excess(scaled(self.TARGET, 1.8, 1.8), self.TARGET) == pytest.approx(excess, rel=0.1)
        assert grain_excess(scaled(self.TARGET, 1.8, 0.5), self.TARGET) == pytest.approx(excess / 2, rel=0.1)
        for value in (3 * self.TARGET, np.float32([0.1, 0.3, 0.4, 0.02])):
            assert grain_excess(value, self.TARGET) == pytest.approx(naive.grain_excess(value, self.TARGET), rel=1e-5)

    def test_specks_count_where_the_mean_is_that_of_the_style(self) -> None:
        specks, checks = np.zeros((12, 12)), np.indices((12, 12)).sum(0) % 2
        specks[4::8, 4::8] = 1
        strength = float(measure(gray(specks))[0] / measure(gray(checks))[0])
        grain_of_specks, grain_of_mesh = measure(gray(specks)), measure(gray(strength * checks))
        assert grain_of_mesh[0] == pytest.approx(float(grain_of_specks[0]), rel=0.05)
        assert grain_excess(grain_of_specks, grain_of_mesh) > 0.5
        assert grain_excess(grain_of_mesh, grain_of_specks) < 0.02

    def test_is_finite_for_a_style_without_grain(self) -> None:
        for target in ([0, 0, 0, 0], [-0.1, 0.1, -0.01, 0.01]):  # blends with negative shares may have less than none
            for value in ([0.3, 0.1, 0.1, 0.02], [0, 0, 0, 0]):
                excess, gradient = jax.value_and_grad(grain_excess)(np.float32(value), np.float32(target))
                assert np.isfinite(excess) and np.isfinite(gradient).all()
