"""Color profiles (ICC) of RGB, the same bytes each time."""

import struct
from functools import cache

import imagecodecs
import numpy as np

_DATE = 24  # where a profile has the time of its creation: year, month, day, hour, minute, second
_CURVE_POINTS = 1024

# x and y of white, red, green and blue
Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


@cache
def srgb_profile() -> bytes:
    """A profile of sRGB."""
    return _dated(imagecodecs.cms_profile("srgb"))


@cache
def rgb_profile(primaries: Chromaticities, exponent: float | None) -> bytes:
    """A profile of RGB whose linear light is a value to this power; None for the transfer function of sRGB."""
    white, *colors = primaries
    if exponent is not None:
        return _dated(
            imagecodecs.cms_profile("rgb", whitepoint=white, primaries=np.ravel(colors).tolist(), gamma=exponent)
        )
    linear = srgb_to_linear(np.linspace(0, 1, _CURVE_POINTS))
    curve = np.rint(65535 * linear).astype(np.uint16)
    return _dated(
        imagecodecs.cms_profile("rgb", whitepoint=white, primaries=np.ravel(colors).tolist(), transferfunction=curve)
    )


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Linear light of values in sRGB, in [0, 1] (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _dated(profile: bytes) -> bytes:
    dated = bytearray(profile)
    struct.pack_into(">6H", dated, _DATE, 2000, 1, 1, 0, 0, 0)
    return bytes(dated)
