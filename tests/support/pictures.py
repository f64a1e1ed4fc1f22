"""Test pictures, hand-made PNG files and color profiles, and helpers for tests of picture files."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from jaxstyle.errors import ConfigError, PictureError

examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(1602)
COLORS = RNG.integers(0, 256, (20, 24, 3), np.uint8)
GRAYS = COLORS[..., 0]
DEEP = RNG.integers(0, 65536, (20, 24), np.uint16)


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def encoded(image: Image.Image, format_name: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def png(
    levels: np.ndarray, color_type: int, depth: int = 16, chunks: bytes = b"", *, interlaced: bool = False
) -> bytes:
    """A hand-made PNG, for kinds that Pillow does not write; `levels` are integers `[H, W]` or `[H, W, C]`."""
    height, width = levels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced)
    passes = [levels]
    if interlaced:
        steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        passes = [levels[row::down, column::right] for row, column, down, right in steps]
    rows = b"".join(b"\0" + packed(row, depth) for pixels in passes if pixels.size for row in pixels)
    ends = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + ends


def packed(row: np.ndarray, depth: int) -> bytes:
    """Numbers in big-endian order with this many bits for one."""
    bits = (row.reshape(-1, 1).astype(np.uint32) >> np.arange(depth)[::-1] & 1).astype(np.uint8)
    return np.packbits(bits).tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def gray_stack(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values, np.float32)[..., None], 3, axis=-1)


def cmyk(inks: np.ndarray) -> Image.Image:
    return Image.merge("CMYK", [Image.fromarray(np.ascontiguousarray(inks[..., i])) for i in range(4)])


# Color profiles, hand-made according to ICC.1:2001-04

ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])  # to XYZ
D50 = 0.9642, 1.0, 0.8249  # XYZ
D50_TO_SRGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc_profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    d50 = fixed(*D50)
    description = b"desc" + struct.pack(">II", 0, 5) + b"test\0" + bytes(78)
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0none\0", b"wtpt": b"XYZ \0\0\0\0" + d50, **tags}
    table, body = b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 132 + len(table) + len(body)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02400000, kind, space, connection, b"acsp") + d50
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def rgb_profile(primaries: np.ndarray, gamma: float, more_tags: dict[bytes, bytes] | None = None) -> bytes:
    tags = more_tags or {}
    for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags |= {name + b"XYZ": b"XYZ \0\0\0\0" + fixed(*column), name + b"TRC": gamma_curve(gamma)}
    return icc_profile(b"mntr", b"RGB ", b"XYZ ", tags)


def profile_with_code_points(primaries: int, transfer: int) -> bytes:
    """A profile that also gives code points of ITU-T H.273, as those of high dynamic range do (ICC.1:2022, 10.3)."""
    return rgb_profile(ADOBE_RGB, 2.2, {b"cicp": b"cicp\0\0\0\0" + bytes([primaries, transfer, 0, 1])})


def iccp(profile: bytes) -> bytes:
    """The chunk of a PNG with a profile."""
    return chunk(b"iCCP", b"test\0\0" + zlib.compress(profile))


def gray_profile(gamma: float) -> bytes:
    return icc_profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile() -> bytes:
    """A profile in which only black ink prints, with lightness 100 (1 - K^2); it can be read, and not printed with."""
    return icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": _lightness_of_black()})


def printer_profile(paper: Sequence[float] = D50) -> bytes:
    """The same printer, with the inks for colors, and the XYZ of its paper."""
    inks = np.arange(256) / 255
    tables = np.stack([1 - np.sqrt(1 - inks), inks, inks])
    black = np.array([255] * 4 + [0] * 4)  # at the corners of the cube of L*, a* and b*, b* fastest
    corners = np.stack([*np.zeros((3, 8)), black], axis=-1)
    lut = b"mft1\0\0\0\0" + bytes([3, 4, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    for table in (np.rint(tables * 255), corners, np.tile(np.arange(256), 4)):
        lut += table.astype(np.uint8).tobytes()
    white = b"XYZ \0\0\0\0" + fixed(*paper)
    return icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": _lightness_of_black(), b"B2A0": lut, b"wtpt": white})


def _lightness_of_black() -> bytes:
    inks = np.arange(256) / 255
    tables = np.stack([inks, inks, inks, inks**2])
    lightness = np.array([255, 0] * 8)  # at the corners of the CMYK cube, black fastest
    corners = np.stack([lightness, np.full(16, 128), np.full(16, 128)], axis=-1)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    for table in (np.rint(tables * 255), corners, np.tile(np.arange(256), 3)):
        lut += table.astype(np.uint8).tobytes()
    return lut


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """The transfer function of sRGB (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_decoded(values: np.ndarray) -> np.ndarray:
    """Linear light of sRGB (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def from_adobe_rgb(levels: np.ndarray) -> np.ndarray:
    return srgb_encoded((levels / 255) ** 2.2 @ ADOBE_RGB.T @ D50_TO_SRGB.T)


# Failures


def error_message(path, function, *arguments, **options) -> str:
    """The message of the error that a call raises, without the path in front; checks that it is one line."""
    with pytest.raises((PictureError, ConfigError)) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    return message.removeprefix(f"{path}: ")


def failing(error: BaseException):
    def fail(*arguments, **options):
        raise error

    return fail
