"""The formats of picture files that are written: what they can hold, and their encoders.

Sources: PNG Specification (Third Edition); TIFF 6.0 and its supplements; JFIF 1.02; the limits of libjpeg and libwebp.
"""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

_INCH = 0.0254  # meters
_PNG_LEVEL = 6  # of compression
_TILE = 256  # side of the tiles of a TIFF in pixels
_BIG_TIFF = 2**32 - 2**25  # bytes of samples from which offsets may not fit 32 bits
# Tags of TIFF and Exif: the resolution for x and y, its unit, and texts.
_RESOLUTION_TAGS, _UNIT_TAG, _PER_INCH = (282, 283), 296, 2
_DESCRIPTION_TAG, _SOFTWARE_TAG = 270, 305
_MAX_EXIF_TEXT = 60_000  # bytes; Exif in a JPEG has less than 65,536 in all


@dataclass(frozen=True)
class About:
    """What a file says of its picture.

    Attributes:
        profile: the ICC profile of its colors.
        dpi: pixels per inch, or None.
        texts: entries by name; see `write_image`.
    """

    profile: bytes
    dpi: int | None
    texts: Mapping[str, str]

    @property
    def software(self) -> str | None:
        """The entry `Software`."""
        return self.texts.get("Software")

    @property
    def description(self) -> bytes:
        """All other entries, a line for each."""
        lines = (f"{name}: {text}" for name, text in self.texts.items() if name != "Software")
        return "\n".join(lines).encode()


@dataclass(frozen=True)
class Format:
    """A format that is written.

    Attributes:
        encode: the bytes of a file, from levels `[H, W, C]`; C is 3, or 4 with alpha.
        max_side: pixels.
        max_bits: per sample.
        has_alpha: whether it stores transparency.
        has_profile: whether it stores a color profile.
    """

    encode: Callable[[np.ndarray, About], bytes]
    max_side: int
    max_bits: int = 8
    has_alpha: bool = True
    has_profile: bool = True


def _encode_png(levels: np.ndarray, about: About) -> bytes:
    """Pillow writes no color of 16 bits, and imagecodecs nothing but pixels: the other chunks are added here."""
    encoded = imagecodecs.png_encode(levels, level=_PNG_LEVEL)
    chunks = [png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(about.profile))]
    if about.dpi:
        per_meter = round(about.dpi / _INCH)
        chunks.append(png_chunk(b"pHYs", struct.pack(">IIB", per_meter, per_meter, 1)))
    chunks += [_text_chunk(key, text) for key, text in about.texts.items()]
    end_of_header = 8 + 25  # the signature and IHDR
    return b"".join([encoded[:end_of_header], *chunks, encoded[end_of_header:]])


def _text_chunk(key: str, text: str) -> bytes:
    name = key.encode("latin-1") + b"\0"
    try:
        return png_chunk(b"tEXt", name + text.encode("latin-1"))
    except UnicodeEncodeError:
        return png_chunk(b"iTXt", name + b"\0\0\0\0" + text.encode())


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def _encode_tiff(levels: np.ndarray, about: About) -> bytes:
    """In tiles, compressed without loss; BigTIFF where offsets may not fit into 32 bits."""
    encoded = io.BytesIO()
    tifffile.imwrite(
        encoded,
        levels,
        bigtiff=levels.nbytes >= _BIG_TIFF,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["unassalpha"] if levels.shape[-1] == 4 else None,
        tile=(_TILE, _TILE),
        compression="adobe_deflate",
        predictor=True,
        resolution=(about.dpi, about.dpi) if about.dpi else None,
        resolutionunit="inch" if about.dpi else None,
        iccprofile=about.profile,
        metadata=None,
        description=about.description or None,
        software=about.software or False,
    )
    return encoded.getvalue()


def _pillow_encoder(format_name: str, **options: Any) -> Callable[[np.ndarray, About], bytes]:
    def encode(levels: np.ndarray, about: About) -> bytes:
        encoded, keywords = io.BytesIO(), dict(options)
        if about.dpi and format_name != "WEBP":
            keywords["dpi"] = (about.dpi, about.dpi)
        if format_name != "BMP" and (exif := _exif(about)):
            keywords["exif"] = exif
        Image.fromarray(levels).save(encoded, format_name, icc_profile=about.profile, **keywords)
        return encoded.getvalue()

    return encode


def _exif(about: About) -> Image.Exif:
    """The resolution and the texts of a picture, as far as there are any."""
    exif = Image.Exif()
    if about.dpi:
        exif.update({_UNIT_TAG: _PER_INCH} | dict.fromkeys(_RESOLUTION_TAGS, about.dpi))
    if about.software:
        exif[_SOFTWARE_TAG] = about.software
    if 0 < len(about.description) <= _MAX_EXIF_TEXT:
        exif[_DESCRIPTION_TAG] = about.description
    return exif


_JPEG = Format(_pillow_encoder("JPEG", quality=95, subsampling=0), max_side=65500, has_alpha=False)
_TIFF = Format(_encode_tiff, max_side=2**31 - 1, max_bits=16)

FORMATS: dict[str, Format] = {
    ".png": Format(_encode_png, max_side=1_000_000, max_bits=16),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format(_pillow_encoder("WEBP", quality=95), max_side=16383),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": Format(_pillow_encoder("BMP"), max_side=2**31 - 1, has_alpha=False, has_profile=False),
}
