"""Conversion of colors in files to sRGB or the RGB of a profile (ICC); the code points of ITU-T H.273.

Conversion is in float32. Sources: ICC.1:2022 (profiles), ITU-T H.273 (code points), IEC 61966-2-1 (sRGB),
PNG Specification (Third Edition), section 4.3 (precedence).
"""

import struct
from dataclasses import dataclass
from enum import Enum

import imagecodecs
import numpy as np

from jaxstyle.errors import PictureError
from jaxstyle.images.profiles import Chromaticities, rgb_profile, srgb_profile, srgb_to_linear

_D65 = (0.3127, 0.3290)
SRGB_PRIMARIES: Chromaticities = (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_PRIMARIES: dict[int, Chromaticities] = {  # H.273, table 2
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: ((0.310, 0.316), (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (_D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}  # H.273, table 3: transfer functions that are powers
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_INVISIBLE = 1 / 510  # half a level of 8 bits


class Space(Enum):
    """A color space; the value is its name in headers of color profiles."""

    GRAY = b"GRAY"
    RGB = b"RGB "
    CMYK = b"CMYK"
    LAB = b"Lab "  # L* / 100, (a* + 128) / 255, (b* + 128) / 255; white is D50


@dataclass(frozen=True)
class Encoding:
    """How colors are encoded in a file; the default is sRGB.

    Attributes:
        profile: an ICC profile. It is ignored if it is damaged or for another color space, as in browsers.
        exponent: linear light is a value to this power; None for the transfer function of sRGB.
        primaries: of RGB.
    """

    profile: bytes | None = None
    exponent: float | None = None
    primaries: Chromaticities = SRGB_PRIMARIES

    @property
    def any_profile(self) -> bytes | None:
        """The profile, or one for the exponent and the primaries; None for sRGB."""
        if self.profile or (self.exponent is None and _is_srgb(self.primaries)):
            return self.profile
        return rgb_profile(self.primaries, self.exponent)


def encoding_of_code_points(primaries: int, transfer: int) -> Encoding:
    """The encoding with these code points of ITU-T H.273, as in cICP of PNG and nclx of AVIF.

    The transfer functions of television (BT.709 and the like) count as that of sRGB, as in browsers. Unknown code
    points also count as sRGB.

    Raises:
        PictureError: if the picture has high dynamic range.
    """
    if transfer in _HDR_TRANSFERS:
        raise PictureError(_hdr_message(_HDR_TRANSFERS[transfer]))
    return Encoding(exponent=_EXPONENTS.get(transfer), primaries=_PRIMARIES.get(primaries, SRGB_PRIMARIES))


def _hdr_message(name: str) -> str:
    return f"is an HDR picture ({name}); expected standard dynamic range: export it as an SDR picture (sRGB)"


def wide_profile(space: Space, encoding: Encoding) -> bytes | None:
    """The profile of RGB colors of which sRGB is a part, such as Display P3; None for all others, and for sRGB itself.

    A profile counts if colors in sRGB can be converted to it and back: not that of a device that can only be read.

    Raises:
        PictureError: if the profile is one of high dynamic range.
    """
    profile = encoding.any_profile
    if not profile or space is not Space.RGB or profile[16:20] != Space.RGB.value:
        return None
    _refuse_hdr(profile)
    colors = _color_grid()
    try:
        if _has_no_effect(profile):
            return None
        there = _transform(colors, Space.RGB, srgb_profile(), profile).clip(0, 1)
        back = _transform(there, Space.RGB, profile)
    except (imagecodecs.CmsError, ValueError):
        return None
    return profile if np.abs(back - colors).max() < _INVISIBLE else None


def to_rgb(colors: np.ndarray, space: Space, encoding: Encoding, target: bytes | None = None) -> np.ndarray:
    """Convert colors `[H, W, C]` in [0, 1] to RGB `[H, W, 3]`, clipped to [0, 1]; float32.

    CMYK without a profile becomes (1 - C) (1 - K) and so on.

    Args:
        colors: the colors.
        space: what the channels mean.
        encoding: how they are encoded. Colors in the target's profile stay as they are.
        target: the profile of the result, from `wide_profile`; None for sRGB.

    Raises:
        PictureError: if the profile of the colors is one of high dynamic range.
    """
    if target is None:
        return _to_srgb(colors, space, encoding)
    profile = encoding.any_profile
    if space is Space.RGB and profile == target:
        return colors
    converted = _apply_profile(colors, space, profile, target) if profile else None
    if converted is None:
        srgb = _to_srgb(colors, space, encoding)
        converted = _transform(srgb, Space.RGB, srgb_profile(), target)
    return converted.clip(0, 1)


def _to_srgb(colors: np.ndarray, space: Space, encoding: Encoding) -> np.ndarray:
    if encoding.profile:
        converted = _apply_profile(colors, space, encoding.profile)
        if converted is not None:
            return converted.clip(0, 1)
    if space is Space.LAB:
        return _transform(colors, Space.LAB, imagecodecs.cms_profile("lab4")).clip(0, 1)
    if space is Space.CMYK:
        colors = (1 - colors[..., :3]) * (1 - colors[..., 3:])
    elif space is Space.GRAY:
        colors = np.repeat(colors, 3, axis=-1)
    if encoding.exponent is None and _is_srgb(encoding.primaries):
        return colors
    linear = srgb_to_linear(colors) if encoding.exponent is None else colors**encoding.exponent
    if space is not Space.GRAY and not _is_srgb(encoding.primaries):
        linear = linear @ _rgb_to_srgb(encoding.primaries).T
    return _linear_to_srgb(linear.clip(0, 1)).astype(np.float32)


def _apply_profile(colors: np.ndarray, space: Space, profile: bytes, target: bytes | None = None) -> np.ndarray | None:
    """Colors in sRGB or the target, or None if the profile is damaged or for another color space."""
    _refuse_hdr(profile)
    of_profile = profile[16:20]
    if space is Space.GRAY and of_profile == Space.RGB.value:
        space, colors = Space.RGB, np.repeat(colors, 3, axis=-1)
    if of_profile != space.value:
        return None
    try:
        if target is None and space is Space.RGB and _has_no_effect(profile):
            return colors
        return _transform(colors, space, profile, target)
    except (imagecodecs.CmsError, ValueError):
        return None


def _transform(colors: np.ndarray, space: Space, profile: bytes, target: bytes | None = None) -> np.ndarray:
    """Apply a profile with Little CMS, whose floats have these ranges: RGB and gray 1, inks 100, L* 100, a* +-128."""
    values = np.ascontiguousarray(colors, np.float32)
    if space is Space.CMYK:
        values = values * np.float32(100)
    elif space is Space.LAB:
        values = values * np.array([100, 255, 255], np.float32) - np.array([0, 128, 128], np.float32)
    name = space.name.lower()
    if space is Space.GRAY:
        values = values[..., 0]
    return imagecodecs.cms_transform(
        values, profile, target or srgb_profile(), colorspace=name, outcolorspace="rgb", outdtype=np.float32
    ).reshape(*colors.shape[:2], 3)


def _has_no_effect(profile: bytes) -> bool:
    """Whether an RGB profile changes no color visibly, as profiles of sRGB."""
    colors = _color_grid()
    return bool(np.abs(_transform(colors, Space.RGB, profile) - colors).max() < _INVISIBLE)


def _color_grid() -> np.ndarray:
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)


def _refuse_hdr(profile: bytes) -> None:
    if (name := _hdr_profile(profile)) is not None:
        raise PictureError(_hdr_message(name))


def _hdr_profile(profile: bytes) -> str | None:
    """The name of the transfer function of high dynamic range in a profile's cicp tag, or None."""
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(132, min(len(profile), 132 + 12 * count) - 11, 12):
        name, offset = struct.unpack_from(">4sI", profile, entry)
        if name == b"cicp" and offset + 10 <= len(profile):
            return _HDR_TRANSFERS.get(profile[offset + 9])
    return None


def _is_srgb(primaries: Chromaticities) -> bool:
    return bool(np.abs(np.subtract(primaries, SRGB_PRIMARIES)).max() < 0.002)


def _rgb_to_srgb(primaries: Chromaticities) -> np.ndarray:
    """The matrix from linear RGB of these primaries to that of sRGB; white becomes white (Bradford)."""
    white, srgb_white = _xyz(primaries[0]), _xyz(_D65)
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ srgb_white / (_BRADFORD @ white)) @ _BRADFORD
    return np.linalg.inv(_rgb_to_xyz(SRGB_PRIMARIES)) @ adaptation @ _rgb_to_xyz(primaries)


def _rgb_to_xyz(primaries: Chromaticities) -> np.ndarray:
    columns = np.stack([_xyz(primary) for primary in primaries[1:]], axis=1)
    return columns * np.linalg.solve(columns, _xyz(primaries[0]))[None]


def _xyz(chromaticity: tuple[float, float]) -> np.ndarray:
    x, y = chromaticity
    return np.array([x / y, 1, (1 - x - y) / y])


def _linear_to_srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
