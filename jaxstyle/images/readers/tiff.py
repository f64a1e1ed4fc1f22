"""Reading TIFF in all its layouts (TIFF 6.0 and its supplements, BigTIFF).

A layout that cannot be read with certainty is an error: better no picture than a wrong one.
"""

from typing import Any, BinaryIO

import numpy as np
import tifffile

from jaxstyle.errors import PictureError
from jaxstyle.images.readers.color import Encoding, Space
from jaxstyle.images.readers.samples import Alpha, Samples, Source, check_floats, damaged, unsupported, ycbcr_to_rgb

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _INKS, _YCBCR, _CIELAB, _ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLOR_CHANNELS = {
    _WHITE_IS_ZERO: (Space.GRAY, 1),
    _BLACK_IS_ZERO: (Space.GRAY, 1),
    _RGB: (Space.RGB, 3),
    _PALETTE: (Space.RGB, 1),
    _INKS: (Space.CMYK, 4),
    _YCBCR: (Space.RGB, 3),
    _CIELAB: (Space.LAB, 3),
    _ICCLAB: (Space.LAB, 3),
}
_JPEG = (6, 7, 33007, 34892)  # compressions that tifffile decodes to RGB
_PREDICTED = (5, 8, 32946, 34925, 50000)  # compressions with predictors: LZW, Deflate, LZMA, Zstandard
_RAW = (32803, 34892)  # interpretations of sensors' data: color filter array, linear raw
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED, _COMPLEX_INTEGERS, _COMPLEX = 1, 2, 3, 4, 5, 6  # SampleFormat
_ASSOCIATED, _UNASSOCIATED = 1, 2  # ExtraSamples
_LAB_WHITE = 0xFF00  # L* = 100 in 16 bits
_MAX_OTHER_PAGES = 8  # that are searched for data of a sensor


def open_tiff(file: BinaryIO) -> Source:
    """Read the header of the first page.

    Raises:
        PictureError: if the file is a camera's raw file, or has a layout that cannot be read.
    """
    tiff = tifffile.TiffFile(file)
    page = tiff.pages.first
    _refuse_raw(file, tiff, page)
    orientation = page.tags.valueof(274, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    return Source(page.imagelength, page.imagewidth, lambda factor: _decode(page, file), orientation)


def _refuse_raw(file: BinaryIO, tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> None:
    """Raise PictureError if the first page is not the picture but a preview of a camera's raw data."""
    if page.subfiletype & 1 or page.tags.valueof(255, 1) == 2:
        raise PictureError("begins with a thumbnail, as cameras' raw files do; expected the full picture: export it")
    file.seek(8)
    raw = file.read(2) == b"CR" or 50706 in page.tags  # Canon's CR2, or DNGVersion
    if raw or any(other.photometric in _RAW for other in _other_pages(tiff, page)):
        raise PictureError("is a camera's raw file; expected a developed picture: export it as TIFF or JPEG")
    if page.subfiletype & 4:
        raise unsupported("begins with a transparency mask")


def _other_pages(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> list[Any]:
    """The first page with some of its subordinate pages and some that follow."""
    pages: list[Any] = [page]
    if 330 in page.tags and page.pages is not None:
        pages += list(page.pages)[:_MAX_OTHER_PAGES]
    for number in range(1, _MAX_OTHER_PAGES):
        try:
            pages.append(tiff.pages.get(number))
        except IndexError:
            break
    return pages


def _decode(page: tifffile.TiffPage, file: BinaryIO) -> Samples:
    photometric = page.tags.valueof(262, _BLACK_IS_ZERO if page.samplesperpixel < 3 else _RGB)
    if photometric not in _COLOR_CHANNELS:
        raise unsupported(f"has the photometric interpretation {int(photometric)}")
    space, channels = _COLOR_CHANNELS[photometric]
    _check_layout(page, photometric, channels)
    _check_segments(page, file)
    if page.compression not in _PREDICTED:
        page.predictor = 1  # it has no meaning, and libtiff ignores it
    values = page.asarray(squeeze=False, maxworkers=1, buffersize=2**24)  # [planes, depth, H, W, samples]
    values = values[0, 0] if page.planarconfig == 1 else np.moveaxis(values[:, 0, ..., 0], 0, -1)
    if is_float := values.dtype.kind == "f":
        check_floats(values)
    white = 1 if is_float else 2**page.bitspersample - 1
    colors, extra = values[..., :channels], values[..., channels:]
    low, high = (white, 0) if photometric == _WHITE_IS_ZERO else (0, white)
    if photometric == _PALETTE:
        colors, high = _look_up(page, colors[..., 0])
    elif photometric == _YCBCR and not (page.compression in _JPEG and page.planarconfig == 1):
        colors, high = _from_ycbcr(page, colors, white), 1
    elif space is Space.LAB:
        colors, high = _lab(colors, photometric)
    alpha = Alpha.NONE
    meanings = page.tags.valueof(338, ())
    for channel, meaning in enumerate(meanings if isinstance(meanings, tuple) else (meanings,)):
        if meaning in (_ASSOCIATED, _UNASSOCIATED):
            alpha = Alpha.PREMULTIPLIED if meaning == _ASSOCIATED else Alpha.STRAIGHT
            colors = np.concatenate([colors, extra[..., channel : channel + 1]], axis=-1)
            break
    profile = page.tags.valueof(34675)
    encoding = Encoding(profile=bytes(profile) if profile else None)
    return Samples(colors, space, encoding, alpha, low=low, high=high, opaque=white)


def _check_layout(page: tifffile.TiffPage, photometric: int, channels: int) -> None:
    """Raise PictureError for samples whose meaning or storage is not known."""
    formats = page.tags.valueof(339, _UNSIGNED)
    formats = set(formats) if isinstance(formats, tuple) else {formats}
    bits = page.bitspersample
    extra = page.samplesperpixel - channels
    if formats == {_SIGNED}:
        raise unsupported("has signed samples, whose black and white are not known")
    if formats & {_COMPLEX_INTEGERS, _COMPLEX}:
        raise unsupported("has complex numbers")
    if len(formats) > 1 or not formats <= {_UNSIGNED, _FLOAT, _UNDEFINED}:
        raise unsupported(f"has samples of the formats {sorted(map(int, formats))}")
    if bits not in ((16, 32, 64) if formats == {_FLOAT} else (*range(1, 17), 32)) or page.dtype is None:
        raise unsupported(f"has samples of {bits} bits")
    if formats == {_FLOAT} and photometric in (_PALETTE, _CIELAB, _ICCLAB, _YCBCR):
        raise unsupported("has floats that are no gray values, RGB or inks")
    if photometric in (_CIELAB, _ICCLAB) and bits not in (8, 16):
        raise unsupported(f"has L*a*b* of {bits} bits")
    if page.imagedepth != 1:
        raise unsupported("is a volume")
    several_bands = channels == 1 and extra > 1  # of a satellite, or RGB that is called gray
    if extra < 0 or several_bands or (photometric == _INKS and page.tags.valueof(332, 1) != 1):
        raise unsupported(f"has {page.samplesperpixel} samples per pixel")
    if page.compression in _JPEG and extra:
        raise unsupported("has JPEG compression with extra samples")
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        raise unsupported(f"has the compression {int(page.compression)}") from None
    if page.predictor != 1 and page.compression in _PREDICTED and bits not in (8, 16, 32, 64):
        raise unsupported(f"has differences of {bits} bits")
    if page.is_subsampled and (page.compression not in _JPEG or page.planarconfig == 2):
        raise unsupported("has subsampled chroma without JPEG compression")


def _check_segments(page: tifffile.TiffPage, file: BinaryIO) -> None:
    """Raise PictureError if strips or tiles are missing: their pixels would be black."""
    size = file.seek(0, 2)
    offsets, counts = page.dataoffsets, page.databytecounts
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    expected = -(-page.imagelength // rows) * -(-page.imagewidth // columns)
    expected *= page.samplesperpixel if page.planarconfig == 2 else 1
    whole = len(offsets) == len(counts) and len(offsets) >= (1 if page.is_contiguous else expected)
    if not whole or any(not count or offset + count > size for offset, count in zip(offsets, counts, strict=True)):
        raise damaged("strips or tiles are missing")


def _look_up(page: tifffile.TiffPage, indices: np.ndarray) -> tuple[np.ndarray, int]:
    """The colors of palette indices, and the value of white."""
    palette = np.ascontiguousarray(np.array(page.tags.valueof(320), np.uint16).reshape(3, -1).T)
    indices = indices.astype(np.intp)  # 1 bit is decoded to booleans
    for unit in (1, 256, 257):  # writers store a level of 8 bits as it is, shifted, or repeated
        if (palette % unit == 0).all() and palette.max() <= 255 * unit:
            return (palette // unit).astype(np.uint8)[indices], 255
    return palette[indices], 65535


def _from_ycbcr(page: tifffile.TiffPage, values: np.ndarray, white: int) -> np.ndarray:
    """RGB in [0, 1] from luma and chroma, by the page's coefficients and reference levels."""
    half = (white + 1) // 2
    reference = np.array(page.tags.valueof(532, ()), np.float64).reshape(-1)
    if reference.size == 12:  # rational numbers
        reference = reference[::2] / np.maximum(reference[1::2], 1)
    if reference.size != 6:
        reference = np.array([0, white, half, white, half, white])
    coefficients = np.array(page.tags.valueof(529, ()), np.float64).reshape(-1)
    if coefficients.size == 6:
        coefficients = coefficients[::2] / np.maximum(coefficients[1::2], 1)
    luma = (values[..., 0] - reference[0]) / (reference[1] - reference[0])
    chroma = (values[..., 1:] - reference[2::2]) / (2 * (reference[3::2] - reference[2::2]))
    return ycbcr_to_rgb(luma, chroma, *(coefficients[[0, 2]] if coefficients.size == 3 else ()))


def _lab(values: np.ndarray, photometric: int) -> tuple[np.ndarray, int]:
    """L*, a* and b* with 0 at the middle of the range of a* and b*, and the value of L* = 100."""
    if values.dtype == np.uint8:
        return values ^ np.array([0, 128, 128], np.uint8) if photometric == _CIELAB else values, 255
    if photometric == _CIELAB:
        lightness = np.rint(values[..., :1] * np.float32(_LAB_WHITE / 65535)).astype(np.uint16)
        values = np.concatenate([lightness, values[..., 1:] ^ np.uint16(0x8000)], axis=-1)
    return values, _LAB_WHITE
