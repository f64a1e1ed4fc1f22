"""Reading JPEG, at a half, a quarter or an eighth of its size where that is enough (ITU-T T.81)."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import JpegImagePlugin

from jaxstyle.images.readers.pillow import open_silently, pillow_orientation, pillow_samples
from jaxstyle.images.readers.samples import Samples, Source, unsupported

_END = b"\xff\xd9"
_FILLERS = (bytes(64), b"\xaa" * 64)  # begin with different bits
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FRAMES_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, Huffman or arithmetic coding
_SCAN = 0xDA


def open_jpeg(file: BinaryIO) -> Source:
    """Read the header of a JPEG.

    Raises:
        PictureError: if it is lossless or hierarchical, or has other than 8 bits.
    """
    data = file.read()
    for marker, content, _ in _segments(data):
        if marker in _FRAMES:
            if marker not in _FRAMES_READ or content[0] != 8:
                raise unsupported("is a JPEG without loss, of several resolutions, or of 12 bits")
            break
    image = _open(data)
    return Source(image.height, image.width, lambda factor: _decode(data, factor), pillow_orientation(image))


def _open(data: bytes) -> Any:
    return open_silently(JpegImagePlugin.JpegImageFile, io.BytesIO(data))


def _decode(data: bytes, factor: int) -> Samples:
    """Decode; OSError if coded data are missing. The marker of the end may be missing."""
    scan = next(end for marker, _, end in _segments(data) if marker == _SCAN)
    if data.find(_END, scan) >= 0:
        return _decode_reduced(data, factor)
    # The decoder reads on in whatever follows if it needs more data: a picture is whole if that makes no difference.
    data = _without_padding(data)
    first, second = (_decode_reduced(data + filler + _END, factor) for filler in _FILLERS)
    if not _has_all_scans(data) or not np.array_equal(first.values, second.values):
        raise OSError("coded data are missing at the end")
    return first


def _without_padding(data: bytes) -> bytes:
    """The data without zeros at its end, as of a download that stopped, and without half a marker."""
    shorter = data.rstrip(b"\0")
    if shorter.endswith(b"\xff") and len(shorter) < len(data):
        return data[: len(shorter) + 1]  # a byte FF of coded data is followed by 00
    return shorter.rstrip(b"\xff")


def _decode_reduced(data: bytes, factor: int) -> Samples:
    """Decode at the size divided by 8, 4, 2 or 1, but not by more than the factor."""
    image = _open(data)
    width = image.width
    scale = max(scale for scale in (1, 2, 4, 8) if scale <= factor)
    _, box = image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    return replace(pillow_samples(image), reduction=round(width / box[2]))


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """The markers with their segments and where these end, as far as they are whole, without the coded data between."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker in (0, 0xFF) or marker in _WITHOUT_LENGTH:  # in coded data, or padding
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _END[1] or end > len(data):
            return
        yield marker, data[position + 4 : end], end
        position = end


def _has_all_scans(data: bytes) -> bool:
    """Whether scans give every coefficient of every component to the last bit."""
    components: set[int] = set()
    known: dict[int, set[int]] = {}
    for marker, content, _ in _segments(data):
        if marker in _FRAMES:
            components = set(content[6::3])
        elif marker == _SCAN and content:
            names = content[1 : 1 + 2 * content[0] : 2]
            first, last, bits = content[-3:]
            if bits & 15 == 0:  # the lowest bit
                for name in names:
                    known.setdefault(name, set()).update(range(first, last + 1))
    return bool(components) and all(len(known.get(name, ())) == 64 for name in components)
