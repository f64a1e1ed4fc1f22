"""Reading with Pillow: the formats of 8 bits per sample, and JPEG at reduced size."""

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, Jpeg2KImagePlugin, WebPImagePlugin

from jaxstyle.images.readers.color import Encoding, Space
from jaxstyle.images.readers.exif import stored_orientation
from jaxstyle.images.readers.samples import Alpha, Samples, Source, check_indices

_warning_filters = threading.Lock()
_WITHOUT_ALPHA = {"1": "L", "P": "RGB", "PA": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_STRIP_PIXELS = 2**22
_BMP_HEADER = ((10, 14), (14, 18), (28, 30), (46, 50))  # start of pixels, size of header, bits, number of colors
_OLD_BMP_HEADER = 12  # the size of that of OS/2
_SPACES = {"L": Space.GRAY, "LA": Space.GRAY, "RGB": Space.RGB, "RGBA": Space.RGB, "CMYK": Space.CMYK}


def open_silently(plugin: Callable[[BinaryIO], Image.Image], file: BinaryIO) -> Any:
    """Open a picture with a plugin of Pillow's, without its warnings.

    `Image.open` also works, but has a limit of pixels that is global to the process.
    """
    with _warning_filters, warnings.catch_warnings():  # one thread at a time: filters are global to the process
        warnings.simplefilter("ignore")
        return plugin(file)


def open_webp(file: BinaryIO) -> Source:
    """Read the header of a WebP."""
    return _source(open_silently(WebPImagePlugin.WebPImageFile, file))


def open_gif(file: BinaryIO) -> Source:
    """Read the header of a GIF; where its first frame does not cover its screen, it is transparent."""
    image = open_silently(GifImagePlugin.GifImageFile, file)
    left, top, right, bottom = image.tile[0][1]
    colors = len(image.palette.palette) // 3 if image.mode == "P" else None

    def decode(factor: int) -> Samples:
        image.load()
        if colors is not None:
            check_indices(np.asarray(image)[top:bottom, left:right], colors)
        samples = pillow_samples(image)
        if (left, top, right, bottom) == (0, 0, image.width, image.height):
            return samples
        covered = np.zeros((image.height, image.width, 1), np.uint8)
        covered[top:bottom, left:right] = 255
        if samples.alpha is Alpha.NONE:
            return replace(samples, values=np.concatenate([samples.values, covered], axis=-1), alpha=Alpha.STRAIGHT)
        alpha = np.minimum(samples.values[..., -1:], covered)
        return replace(samples, values=np.concatenate([samples.values[..., :-1], alpha], axis=-1))

    return Source(image.height, image.width, decode)


def open_bmp(file: BinaryIO) -> Source:
    """Read the header of a BMP.

    Colors of a palette are not left to Pillow: it decodes 4 and 8 bits as 1 bit if they are black and white.
    """
    data = bytearray(file.read())
    pixels, size, bits, count = (int.from_bytes(data[start:end], "little") for start, end in _BMP_HEADER)
    width = 4
    if size == _OLD_BMP_HEADER:
        width, bits, count = 3, int.from_bytes(data[24:26], "little"), 0
    if bits > 8:
        return _source(open_silently(BmpImagePlugin.BmpImageFile, io.BytesIO(data)))
    start = 14 + size
    count = min(count or 2**bits, (pixels - start) // width)
    palette = np.frombuffer(bytes(data), np.uint8, count * width, start).reshape(count, width)[:, 2::-1]
    data[start : start + 3] = b"\0\1\2"  # no gray, so that Pillow gives indices
    image = open_silently(BmpImagePlugin.BmpImageFile, io.BytesIO(data))

    def decode(factor: int) -> Samples:
        indices = np.asarray(image)
        check_indices(indices, len(palette))
        return Samples(palette[indices], Space.RGB)

    return Source(image.height, image.width, decode)


def open_avif_image(file: BinaryIO) -> Any:
    """Open an AVIF."""
    return open_silently(AvifImagePlugin.AvifImageFile, file)


def open_jpeg2000_image(file: BinaryIO) -> Any:
    """Open a JPEG 2000."""
    return open_silently(Jpeg2KImagePlugin.Jpeg2KImageFile, file)


def _source(image: Any) -> Source:
    return Source(image.height, image.width, lambda factor: pillow_samples(image), pillow_orientation(image))


def pillow_orientation(image: Image.Image) -> int:
    """The orientation in the metadata of an opened picture."""
    exif, xmp = image.info.get("exif", b""), image.info.get("xmp", b"")
    return stored_orientation(exif if isinstance(exif, bytes) else b"", xmp if isinstance(xmp, bytes) else b"")


def row_strips(image: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows and their pixels `[h, W, C]` at a time: `np.asarray` of all takes their memory three times."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        yield slice(top, bottom), strip.reshape(bottom - top, image.width, -1)


def pillow_samples(image: Image.Image, encoding: Encoding | None = None) -> Samples:
    """Decode an opened picture of 8 bits per sample; its encoding is by default that of its profile."""
    image.load()
    if encoding is None:
        encoding = Encoding(profile=image.info.get("icc_profile"))
    if image.has_transparency_data and image.mode != "LA":
        image = image.convert("RGBA")
    if image.mode in _WITHOUT_ALPHA:  # otherwise converting would copy
        image = image.convert(_WITHOUT_ALPHA[image.mode])
    if image.mode not in _SPACES:
        raise NotImplementedError(f"mode {image.mode}")
    values = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for rows, strip in row_strips(image):
        values[rows] = strip
    alpha = Alpha.STRAIGHT if image.mode in ("LA", "RGBA") else Alpha.NONE
    return Samples(values, _SPACES[image.mode], encoding, alpha)
