"""Rounding floats to the levels of a file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import examples

from jaxstyle.errors import PictureError
from jaxstyle.images import quantization
from jaxstyle.images.quantization import quantize


def flat(value: float, side: int = 256) -> np.ndarray:
    return np.full((side, side, 3), value / 255)


@examples
@given(st.floats(0, 255))
def test_dithering_keeps_means_and_only_uses_neighboring_levels(value):
    levels = quantize(flat(value), dither=True)
    assert set(np.unique(levels)) <= {int(np.floor(value)), int(np.ceil(value))}
    assert abs(levels.mean() - value) < 1 / 256
    # Nowhere are there many more of one level than of the other.
    means = levels[..., 0].reshape(16, 16, 16, 16).mean((1, 3))
    assert np.abs(means - value).max() < 5 * 0.5 / 16


def test_a_gradient_has_no_steps():
    gradient = np.broadcast_to(np.linspace(100, 103, 1024)[None, :, None] / 255, (256, 1024, 3))
    exact, rounded, dithered = (
        levels[..., 0].reshape(256, 32, 32).mean((0, 2))
        for levels in (gradient * 255, quantize(gradient), quantize(gradient, dither=True))
    )
    assert np.abs(rounded - exact).max() > 0.4
    assert np.abs(dithered - exact).max() < 0.03


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_levels_stay(bits, dtype):
    white = 2**bits - 1
    levels = np.arange(white + 1).reshape(-1, 256).repeat(2, axis=0)[..., None].repeat(3, axis=-1)
    picture = (levels / white).astype(dtype)
    np.testing.assert_array_equal(quantize(picture, bits=bits, dither=True), levels)
    photograph = np.arange(256).reshape(16, 16, 1).repeat(3, axis=-1)
    np.testing.assert_array_equal(
        quantize((photograph / 255).astype(dtype), bits=bits, dither=True), photograph * (white // 255)
    )


def test_sixteen_bits_are_rounded_to_the_nearest_and_clipped():
    values = np.array([-3, 0.49, 0.51, 40000.49, 40000.51, 65534.51, 65536, 1e9]) / 65535
    levels = quantize(np.tile(values[:, None, None], (1, 1, 3)), bits=16, dither=True)
    assert levels.dtype == np.uint16
    assert list(levels[:, 0, 1]) == [0, 0, 1, 40000, 40001, 65535, 65535, 65535]


def test_grays_stay_gray_and_alpha_is_rounded():
    gray = np.random.default_rng(0).random((40, 50, 1)).repeat(3, axis=-1)
    alpha = np.full((40, 50), 100.4 / 255)
    levels = quantize(gray, alpha, dither=True)
    assert (levels[..., 0] == levels[..., 1]).all() and (levels[..., 0] == levels[..., 2]).all()
    assert (levels[..., 3] == 100).all()


def test_strips_do_not_show(monkeypatch):
    picture = np.random.default_rng(0).random((600, 30, 3))
    whole = quantize(picture, dither=True)
    monkeypatch.setattr(quantization, "_STRIP_VALUES", 1)
    np.testing.assert_array_equal(quantize(picture, dither=True), whole)
    np.testing.assert_array_equal(quantize(picture[:100, :20], dither=True), whole[:100, :20])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(value):
    with pytest.raises(PictureError, match="NaN or infinity"):
        quantize(np.full((2, 2, 3), value))
