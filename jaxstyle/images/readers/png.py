"""Reading PNG at all its depths, with its color information (PNG Specification, Third Edition).

Only what matters for the pixels is handed to the decoder: text, and whatever else may be long or damaged, is not.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import imagecodecs
import numpy as np

from jaxstyle.images.formats import png_chunk
from jaxstyle.images.profiles import Chromaticities
from jaxstyle.images.readers.color import Encoding, Space, encoding_of_code_points
from jaxstyle.images.readers.exif import stored_orientation
from jaxstyle.images.readers.samples import Samples, Source, array_samples, check_indices, damaged, unsupported

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_COLOR_CHUNKS = {0: (b"tRNS",), 2: (b"tRNS",), 3: (b"PLTE", b"tRNS")}  # of color types
_PALETTE = 3  # a color type
_DEPTH = 24  # where the header has the bits of a sample
_HEADER_CHUNKS = (b"IHDR", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"iTXt")
_MAX_HEADER_CHUNK = 2**24  # bytes
_MAX_PROFILE = 2**26  # bytes
_SRGB_GAMMA, _GAMMA_TOLERANCE = 0.45455, 0.05  # a file's gamma this near to sRGB's means sRGB, as in libpng


def open_png(file: BinaryIO) -> Source:
    """Read the header of a PNG.

    Raises:
        PictureError: if it has high dynamic range, or is of Apple's own kind.
    """
    named: dict[bytes, bytes] = {}
    has_pixels = False
    for kind, position, length in _chunks(file):
        if kind == b"CgBI":
            raise unsupported("is a PNG of Apple's own kind (CgBI), as in apps for iPhone")
        has_pixels |= kind == b"IDAT"
        if kind in _HEADER_CHUNKS and length <= _MAX_HEADER_CHUNK:
            file.seek(position)
            named.setdefault(kind, file.read(length))
    if not has_pixels:
        raise damaged("there are no pixels")
    width, height, _, color_type = struct.unpack_from(">IIBB", named[b"IHDR"])
    encoding, code_points = _encoding(named), named.get(b"cICP", b"")
    is_narrow = len(code_points) >= 4 and code_points[3] == 0
    orientation = stored_orientation(named.get(b"eXIf", b""), named.get(b"iTXt", b""))
    return Source(height, width, lambda factor: _decode(file, color_type, encoding, is_narrow=is_narrow), orientation)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The kind, position and length of the content of each chunk before the end."""
    position = len(SIGNATURE)
    while True:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or header[4:] == b"IEND":
            return
        length, kind = struct.unpack(">I4s", header)
        yield kind, position + 8, length
        position += 12 + length


def _decode(file: BinaryIO, color_type: int, encoding: Encoding, *, is_narrow: bool) -> Samples:
    content, palette = bytearray(SIGNATURE), {b"PLTE": b"", b"tRNS": b""}
    for kind, position, length in _chunks(file):
        if kind not in (b"IHDR", *_COLOR_CHUNKS.get(color_type, ()), b"IDAT"):
            continue
        file.seek(position - 8)
        chunk = _checked(file.read(length + 12))
        if color_type == _PALETTE and kind in palette:
            palette[kind] = chunk[8:-4]
        elif color_type == _PALETTE and kind == b"IHDR":  # decoded as gray, for the indices
            content += png_chunk(kind, chunk[8:17] + b"\0" + chunk[18:-4])
        else:
            content += chunk
    values = imagecodecs.png_decode(content + _END)
    if color_type == _PALETTE:
        depth = content[_DEPTH]
        values = _look_up(values // (255 // (2**depth - 1)), palette[b"PLTE"], palette[b"tRNS"])
    samples = array_samples(values, encoding, int(np.iinfo(values.dtype).max))
    if is_narrow:  # black and white of television, as for 8 bits
        unit = 1 if values.dtype == np.uint8 else 256
        return replace(samples, low=16 * unit, high=235 * unit)
    return samples


def _look_up(indices: np.ndarray, palette: bytes, opacities: bytes) -> np.ndarray:
    """The colors `[H, W, 3]` of palette indices, or `[H, W, 4]` if the first of them have opacities."""
    colors = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    check_indices(indices, len(colors))
    if opacities:
        alpha = np.frombuffer(opacities.ljust(len(colors), b"\xff")[: len(colors)], np.uint8)
        colors = np.column_stack([colors, alpha])
    return colors[indices]


def _checked(chunk: bytes) -> bytes:
    """A chunk; PictureError if its checksum is wrong."""
    if zlib.crc32(memoryview(chunk)[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        raise damaged("a checksum is wrong")
    return chunk


def _encoding(named: dict[bytes, bytes]) -> Encoding:
    """The color encoding, by precedence: cICP, iCCP, sRGB, then gAMA and cHRM (section 4.3)."""
    if len(code_points := named.get(b"cICP", b"")) >= 4:
        return encoding_of_code_points(code_points[0], code_points[1])
    if (profile := _profile(named.get(b"iCCP"))) is not None:
        return Encoding(profile=profile)
    encoding = Encoding()
    if b"sRGB" in named:
        return encoding
    gamma = int.from_bytes(named.get(b"gAMA", b"")[:4], "big") / 100_000
    if gamma and abs(gamma / _SRGB_GAMMA - 1) > _GAMMA_TOLERANCE:
        encoding = replace(encoding, exponent=1 / gamma)
    if (primaries := _primaries(named.get(b"cHRM", b""))) is not None:
        encoding = replace(encoding, primaries=primaries)
    return encoding


def _profile(content: bytes | None) -> bytes | None:
    """The color profile of an iCCP chunk; None without one, or if it is damaged."""
    if content is None:
        return None
    _, _, compressed = content.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(compressed[1:], _MAX_PROFILE)
    except zlib.error:
        return None
    return profile if profile[36:40] == b"acsp" and profile[16:20] in (Space.GRAY.value, Space.RGB.value) else None


def _primaries(content: bytes) -> Chromaticities | None:
    """The chromaticities of a cHRM chunk; None if they are missing or no colors."""
    if len(content) < 32:
        return None
    numbers = np.array(struct.unpack_from(">8I", content)) / 100_000
    pairs = numbers.reshape(4, 2)
    edges = pairs[2:] - pairs[1]
    if (pairs[:, 1] < 0.001).any() or (pairs.sum(axis=1) > 1.001).any() or abs(np.linalg.det(edges)) < 0.001:
        return None
    white, red, green, blue = ((x, y) for x, y in pairs.tolist())
    return white, red, green, blue
