"""Reading JPEG XL (ISO/IEC 18181)."""

from typing import BinaryIO

import imagecodecs

from jaxstyle.images.readers.boxes import read_boxes
from jaxstyle.images.readers.color import Encoding, Space
from jaxstyle.images.readers.extras import import_extra
from jaxstyle.images.readers.samples import Samples, Source, array_samples, check_floats, unsupported

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}  # of width to height
_SIZES = (9, 13, 18, 30)  # bits of a side


def open_jpegxl(file: BinaryIO) -> Source:
    """Read the header of a JPEG XL.

    Raises:
        PictureError: if the package for it is missing.
    """
    plugin = import_extra("pillow_jxl", "JPEG XL", "jxl")
    data = file.read()
    height, width = _upright_shape(_codestream(data))

    def decode(factor: int) -> Samples:
        profile = plugin.Decoder(num_threads=1)(data)[3]  # imagecodecs knows the pixels, but not their profile
        if profile[16:20] == Space.CMYK.value:
            raise unsupported("is CMYK")
        values = imagecodecs.jpegxl_decode(data, index=0)  # upright
        if values.dtype.kind == "f":
            check_floats(values)
        white = {"f": 1, "u": 2 ** (8 * values.dtype.itemsize) - 1}[values.dtype.kind]
        return array_samples(values, Encoding(profile=profile), white)

    return Source(height, width, decode)


def _codestream(data: bytes) -> bytes:
    if data.startswith(CODESTREAM):
        return data
    contents = (content if kind == b"jxlc" else content[4:] for kind, content in read_boxes(data) if kind[:3] == b"jxl")
    return b"".join(contents)


def _upright_shape(codestream: bytes) -> tuple[int, int]:
    """The height and width after rotation, from the first bits of the header."""
    remaining = int.from_bytes(codestream[2:34], "little")

    def take(count: int) -> int:
        nonlocal remaining
        value = remaining & ((1 << count) - 1)
        remaining >>= count
        return value

    small = take(1)
    height = 8 * (take(5) + 1) if small else take(_SIZES[take(2)]) + 1
    if ratio := take(3):
        width = height * _RATIOS[ratio][0] // _RATIOS[ratio][1]
    else:
        width = 8 * (take(5) + 1) if small else take(_SIZES[take(2)]) + 1
    has_orientation = not take(1) and take(1)
    return (width, height) if has_orientation and take(3) >= 4 else (height, width)
