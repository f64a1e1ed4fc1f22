"""Measures of pictures `[H, W, 3]`, sRGB in [0, 1], by their pixels. They need NumPy only."""

import numpy as np

BAND = 8  # width of the border, in pixels
_LUMA = np.array([0.299, 0.587, 0.114])


def total_variation(picture: np.ndarray) -> float:
    """Mean absolute difference between neighbors, over both axes."""
    return float(sum(np.abs(np.diff(picture, axis=axis)).mean() for axis in (0, 1)) / 2)


def luma_and_chroma(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Y, `[H, W]`, and Cb and Cr, `[H, W, 2]` (BT.601)."""
    luma = picture @ _LUMA
    return luma, np.stack([(picture[..., 2] - luma) / 1.772, (picture[..., 0] - luma) / 1.402], axis=-1)


def grain(channels: np.ndarray) -> np.ndarray:
    """The absolute Laplacian `[H - 2, W - 2, ...]` of channels `[H, W, ...]`: 0 for areas and even gradients."""
    rows = channels[:-2, 1:-1] + channels[2:, 1:-1]
    return np.abs(rows + channels[1:-1, :-2] + channels[1:-1, 2:] - 4 * channels[1:-1, 1:-1])


def grain_ratios(picture: np.ndarray, style: np.ndarray) -> tuple[float, float]:
    """The mean grain of luma and of chroma, relative to that of the style at the same scale."""
    luma, chroma = (
        float(grain(x).mean() / grain(y).mean())
        for x, y in zip(luma_and_chroma(picture), luma_and_chroma(style), strict=True)
    )
    return luma, chroma


def border_ratio(picture: np.ndarray) -> float:
    """The mean grain of luma less than `BAND` pixels from the border, relative to that inside."""
    values = grain(luma_and_chroma(picture)[0])
    inside = values[BAND - 1 : 1 - BAND, BAND - 1 : 1 - BAND]
    band = values.sum() - inside.sum()
    return float(band / (values.size - inside.size) / inside.mean())


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    """The peak signal-to-noise ratio in dB, at most 99."""
    return float(min(99, -10 * np.log10(np.mean((picture.astype(float) - other) ** 2) + 1e-12)))


def ssim(picture: np.ndarray, other: np.ndarray) -> float:
    """The structural similarity of luma (Wang et al., 2004), with Gaussian windows of 11 pixels and sigma 1.5."""
    x, y = (luma_and_chroma(value.astype(float))[0] for value in (picture, other))
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2)
    return float(np.mean(brightness * structure))


def _blurred(channel: np.ndarray) -> np.ndarray:
    """The Gaussian means of a channel `[H, W]` at all positions with a whole window."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(channel, window.size, axis)
        channel = windows @ (window / window.sum())
    return channel
