"""Reading JPEG, at a half, a quarter or an eighth of its size where that is enough (ITU-T T.81)."""

import io
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import JpegImagePlugin

from jaxstyle.images.readers.jpeg_scans import (
    END,
    FRAMES,
    JPEG_LS,
    has_all_restarts,
    has_all_scans,
    pad_coded_data,
    read_scans,
    read_segments,
)
from jaxstyle.images.readers.pillow import open_silently, pillow_orientation, pillow_samples, row_strips
from jaxstyle.images.readers.samples import Samples, Source, damaged, unsupported

# Decoders put zeros or no change in place of missing data; this must code something else. One byte repeated may code
# the same again and again, such as changes that are clipped; here all bytes differ.
_FILLER = bytes(range(190, 254))
_UNSEEN = 1  # zero at the end of coded data that may code only blocks beyond the edges of the picture
_FRAMES_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, Huffman or arithmetic coding
_ARITHMETIC = {0xC9, 0xCA}  # of these, those whose coded data may lack the zeros at their end


def open_jpeg(file: BinaryIO) -> Source:
    """Read the header of a JPEG.

    Raises:
        PictureError: if it is lossless or hierarchical, or has other than 8 bits.
    """
    data = file.read()
    kind, content = next((marker, content) for marker, content, _ in read_segments(data) if marker in FRAMES)
    if kind == JPEG_LS:
        raise unsupported("is a JPEG-LS")
    if kind not in _FRAMES_READ or content[0] != 8:
        raise unsupported("is a JPEG without loss, of several resolutions, or of 12 bits")
    if not any(content[1:3]):
        raise unsupported("is a JPEG that gives its height only after its data")
    image = _open(data)
    is_padded = kind not in _ARITHMETIC
    return Source(
        image.height, image.width, lambda factor: _decode(data, factor, is_padded=is_padded), pillow_orientation(image)
    )


def _open(data: bytes) -> Any:
    return open_silently(JpegImagePlugin.JpegImageFile, io.BytesIO(data))


def _decode(data: bytes, factor: int, *, is_padded: bool) -> Samples:
    """Decode; PictureError if coded data are missing. The marker of the end may be missing."""
    scan = next(read_scans(data)).start
    has_end = data.find(END, scan) >= 0
    if not has_end:
        data = _without_padding(data) + END
    if not has_all_restarts(data) or not (has_end or has_all_scans(data)):
        raise damaged("coded data are missing")
    samples = _decode_reduced(data, factor)
    if (is_padded or not has_end) and not _is_whole(data, samples):
        raise damaged("coded data are missing")
    return samples


def _is_whole(data: bytes, samples: Samples) -> bool:
    """Whether a picture does not depend on what follows its coded data; a decoder that needs more reads on there."""
    padded = _open_reduced(pad_coded_data(data, _FILLER), samples.reduction)[0]
    return all(np.array_equal(samples.values[rows], strip) for rows, strip in row_strips(padded))


def _without_padding(data: bytes) -> bytes:
    """The data without zeros at its end, as of a download that stopped, and without half a marker."""
    start = list(read_scans(data))[-1].start
    end = max(start, len(data.rstrip(b"\0")))
    zeros = len(data) - end
    if zeros <= _UNSEEN:
        return data if zeros else data.rstrip(b"\xff")
    shorter = data[: end + (data[end - 1] == 0xFF)]  # a byte FF of coded data is FF 00
    return data if _needs_zeros(data, shorter) else shorter


def _needs_zeros(data: bytes, shorter: bytes) -> bool:
    """Whether the zeros at the end are coded data, as of an area of one color: the picture needs exactly so many.

    Zeros in place of other data are too few or too many.
    """

    def is_whole(content: bytes) -> bool:
        return _is_whole(content + END, _decode_reduced(content + END, 1))

    return not is_whole(shorter) and is_whole(data) and not is_whole(data[: -_UNSEEN - 1])


def _decode_reduced(data: bytes, factor: int) -> Samples:
    image, reduction = _open_reduced(data, factor)
    return replace(pillow_samples(image), reduction=reduction)


def _open_reduced(data: bytes, factor: int) -> tuple[Any, int]:
    """A picture that will be decoded at its size divided by 8, 4, 2 or 1, but not by more than the factor."""
    image = _open(data)
    width = image.width
    scale = max(scale for scale in (1, 2, 4, 8) if scale <= factor)
    _, box = image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    return image, round(width / box[2])
