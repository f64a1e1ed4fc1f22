"""Readers of picture formats, chosen by the first bytes of a file.

Modules:
    formats: which reader opens a file
    jpeg, png, tiff, heif, jpegxl, netpbm, pillow: the readers; heif is HEIC, AVIF and JPEG 2000
    jpeg_scans: the structure of a JPEG, and what is missing
    samples: what readers return, and its reduction to a smaller size
    color: color profiles and other encodings, to sRGB or another profile
    exif, boxes: metadata: orientation, and the colors of HEIC, AVIF and JPEG 2000
    extras: packages that are installed as extras
"""

from jaxstyle.images.readers.color import Encoding, Space, to_rgb, wide_profile
from jaxstyle.images.readers.exif import turn_upright
from jaxstyle.images.readers.formats import EXPECTED, open_source
from jaxstyle.images.readers.samples import WHOLE, Samples, Source, shrink

__all__ = [
    "EXPECTED",
    "WHOLE",
    "Encoding",
    "Samples",
    "Source",
    "Space",
    "open_source",
    "shrink",
    "to_rgb",
    "turn_upright",
    "wide_profile",
]
