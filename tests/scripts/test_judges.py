"""The measures of the judge that need no PyTorch: known values."""

import numpy as np
import pytest

from scripts.judges.pixels import BAND, border_ratio, grain, grain_ratios, luma_and_chroma, psnr, ssim


def noise(seed: int, height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(height, width, 1))


def test_grain_is_0_for_ramps_and_known_for_a_dot() -> None:
    rows, columns = np.indices((9, 9))
    assert np.abs(grain(0.1 * rows - 0.2 * columns)).max() < 1e-12
    dot = np.zeros((9, 9))
    dot[4, 4] = 0.5
    assert grain(dot).sum() == pytest.approx(0.5 * (4 + 4))


def test_grain_of_luma_and_chroma_are_independent() -> None:
    gray, blue = np.ones(3), np.array([0, -0.114 / 0.587 * 1.772, 1.772])  # the second changes Cb only
    luma, chroma = luma_and_chroma(0.5 + noise(0) * blue * 0.1)
    assert np.ptp(luma) < 1e-9 and np.ptp(chroma[..., 0]) > 0.1
    style = 0.5 + 0.1 * noise(0) * gray + 0.01 * noise(1) * blue
    found = grain_ratios(0.5 + 0.2 * noise(0) * gray + 0.03 * noise(1) * blue, style)
    assert found == pytest.approx((2, 3), rel=0.02)


def test_border_is_the_ratio_of_the_band_to_the_inside() -> None:
    picture = np.broadcast_to(noise(0, 200, 300), (200, 300, 3))
    assert border_ratio(picture) == pytest.approx(1, abs=0.05)
    stronger = np.full((200, 300, 1), 3.0)
    stronger[BAND:-BAND, BAND:-BAND] = 1
    assert border_ratio(stronger * picture) == pytest.approx(3, rel=0.15)  # mixed on both sides of the edge


def test_psnr_of_known_errors() -> None:
    picture = np.random.default_rng(0).random((20, 30, 3))
    assert psnr(picture + 0.1, picture) == pytest.approx(20)
    assert psnr(picture, picture) == 99


def test_ssim_of_known_pictures() -> None:
    """Constants give (2 a b + c) / (a^2 + b^2 + c); the negative of a picture around its mean is near -1."""
    picture = 0.5 + 0.1 * noise(0) * np.ones(3)
    assert ssim(picture, picture) == pytest.approx(1)
    flat = np.ones((20, 20, 3))
    assert ssim(0.2 * flat, 0.6 * flat) == pytest.approx((0.24 + 1e-4) / (0.4 + 1e-4))
    assert ssim(picture, 1 - picture) < -0.8
    assert 0.3 < ssim(picture, picture + 0.1 * noise(1)) < 0.9
