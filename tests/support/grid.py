"""A small picture in gray, RGB and inks, and a check of files that show it: what they show follows from formulas."""

from collections.abc import Iterable

import numpy as np
from support.pictures import ADOBE_RGB, from_adobe_rgb, gray_profile, rgb_profile, srgb_encoded

from jaxstyle.images import read_picture, read_shape

SHAPE = HEIGHT, WIDTH = 19, 22
ACROSS = np.broadcast_to(np.linspace(0, 1, WIDTH), SHAPE)
DOWN = np.broadcast_to(np.linspace(1, 0, HEIGHT)[:, None], SHAPE)
GRAY = ACROSS[..., None]
RGB = np.stack([ACROSS, DOWN, np.full(SHAPE, 0.25)], axis=-1)
INKS = np.stack([ACROSS, ACROSS / 2, 1 - ACROSS, DOWN / 4], axis=-1)
ALPHA = 0.25 + 0.75 * DOWN[..., None]
GRAY_PROFILE, RGB_PROFILE = gray_profile(1.0), rgb_profile(ADOBE_RGB, 2.2)
File = tuple[str, bytes, np.ndarray, np.ndarray | None]  # name, content, colors, alpha


def quantized(values: np.ndarray, bits: int, *, floats: bool = False) -> np.ndarray:
    """Samples for values in [0, 1]."""
    if floats:
        return values.astype(f"f{bits // 8}")
    return np.rint(values * (2**bits - 1)).astype("u1" if bits <= 8 else "u2" if bits <= 16 else "u4")


EIGHT = quantized(RGB, 8)


def scaled(samples: np.ndarray, bits: int) -> np.ndarray:
    """The values in [0, 1] of samples."""
    return samples.astype(np.float64) / (1 if samples.dtype.kind == "f" else 2**bits - 1)


def shown(values: np.ndarray, profile: bytes | None) -> np.ndarray:
    """What gray or RGB of these values shows as sRGB."""
    if profile is not None:
        values = srgb_encoded(values) if values.shape[-1] == 1 else from_adobe_rgb(255 * values)
    return np.broadcast_to(values, (*SHAPE, 3))


def check(tmp_path, files: Iterable[File], tolerance: float) -> None:
    """Read every file: its mean, its pixels, its alpha and its shape must be right."""
    path, wrong, count = tmp_path / "picture", [], 0
    for name, content, colors, alpha in files:
        path.write_bytes(content)
        picture, count = read_picture(path), count + 1
        colors = colors if alpha is None else np.where(alpha == 0, 1, colors)  # what nobody sees is white
        off_mean = np.abs(picture.rgb.mean((0, 1)) - colors.mean((0, 1))).max()
        off_pixel = np.abs(picture.rgb - colors).max() if picture.rgb.shape == colors.shape else np.inf
        off_alpha = np.abs(
            (1 if picture.alpha is None else picture.alpha) - (1 if alpha is None else alpha[..., 0])
        ).max()
        if max(off_mean, off_pixel, off_alpha) > tolerance or read_shape(path) != SHAPE:
            wrong.append(f"{name}: mean {off_mean:.3g}, pixel {off_pixel:.3g}, alpha {off_alpha:.3g}")
    assert not wrong, "\n".join(wrong)
    assert count
