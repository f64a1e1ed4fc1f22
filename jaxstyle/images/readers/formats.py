"""What a picture file is, by its first bytes: which reader opens it, or what to say about it."""

import logging
import re
from collections.abc import Callable
from typing import BinaryIO

from jaxstyle.errors import PictureError
from jaxstyle.images.readers.heif import open_avif, open_heic, open_jpeg2000
from jaxstyle.images.readers.jpeg import open_jpeg
from jaxstyle.images.readers.jpegxl import CODESTREAM, CONTAINER, open_jpegxl
from jaxstyle.images.readers.netpbm import MAGIC as NETPBM
from jaxstyle.images.readers.netpbm import open_netpbm
from jaxstyle.images.readers.pillow import open_bmp, open_gif, open_webp
from jaxstyle.images.readers.png import SIGNATURE as PNG
from jaxstyle.images.readers.png import open_png
from jaxstyle.images.readers.samples import Source
from jaxstyle.images.readers.tiff import open_tiff

_SILENT = logging.NullHandler()  # otherwise Python prints the warnings of a library that has no handler
_HEAD = 64  # bytes that are needed to recognize a format
EXPECTED = "expected a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, HEIC, JPEG XL, JPEG 2000 or PPM picture"

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO], Source]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), reader)
    for pattern, reader in (
        (re.escape(PNG), open_png),
        (rb"\xff\xd8\xff", open_jpeg),
        (rb"RIFF....WEBP", open_webp),
        (rb"II[*+]\0|MM\0[*+]", open_tiff),
        (rb"BM", open_bmp),
        (rb"GIF8[79]a", open_gif),
        (rb"....ftypavi[fs]|....ftyp.{4,48}avif", open_avif),
        (rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif[12]|msf1|jpeg|avci|vvic)", open_heic),
        (re.escape(CODESTREAM) + b"|" + re.escape(CONTAINER), open_jpegxl),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", open_jpeg2000),
        (NETPBM.pattern, open_netpbm),
    )
)
_OTHERS = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"....ftypcrx|FUJIFILMCCD-RAW|IIU\0|II(RO|RS)|MMOR|FOVb|\0MRM", "a camera's raw file"),
        (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "a video"),
        (rb"8BPS", "a Photoshop file"),
        (rb"v/1\x01", "an OpenEXR picture (HDR)"),
        (rb"#\?R(ADIANCE|GBE)", "a Radiance picture (HDR)"),
        (rb"II\xbc", "a JPEG XR picture"),
        (rb"DDS ", "a DirectDraw picture"),
        (rb"\0\0[\x01\x02]\0[^\0]\0", "an icon"),
        (rb"qoif", "a QOI picture"),
        (rb"gimp xcf", "a GIMP file"),
        (rb"%PDF|%!PS|\xc5\xd0\xd3\xc6", "a PDF or PostScript file"),
        (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", "an archive"),
        (rb"\s*(<\?xml|<svg|<!--)", "text, maybe an SVG drawing"),
    )
)


def open_source(file: BinaryIO) -> Source:
    """Read the header of a picture of any format.

    Raises:
        PictureError: if the file has none of these formats, or the reader says so.
        Exception: of any kind, if the file is damaged.
    """
    for library in ("imagecodecs", "tifffile"):
        logging.getLogger(library).addHandler(_SILENT)
    head = file.read(_HEAD)
    if not head:
        raise PictureError(f"is empty (0 bytes); {EXPECTED}: fetch or export it again")
    for pattern, reader in _READERS:
        if pattern.match(head):
            file.seek(0)
            return reader(file)
    raise PictureError(f"{_describe(head)}; {EXPECTED}: convert it or name another file")


def _describe(head: bytes) -> str:
    for pattern, name in _OTHERS:
        if pattern.match(head):
            return f"seems to be {name}, which cannot be read here"
    text = " ".join(head.decode("utf-8", "ignore").split())
    return f"holds text: {text[:30]!r}" if text.isprintable() else "is not a picture of a known format"
