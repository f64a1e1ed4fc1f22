"""The orientation of stored pictures in their metadata (Exif, XMP), and turning arrays upright."""

import re
import struct

import numpy as np

_ORIENTATION = 0x0112  # the tag's number
_FORMATS = {1: "B", 3: "H", 4: "I"}  # of the types in which its value is found
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def stored_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation 1 to 8 in an Exif block or else in XMP; 1 if there is none, or the block is damaged."""
    try:
        orientation = _exif_orientation(exif.removeprefix(b"Exif\0\0"))
    except struct.error:
        orientation = None
    if orientation is None and (match := _XMP_ORIENTATION.search(xmp)):
        orientation = int(match[1])
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1


def _exif_orientation(exif: bytes) -> int | None:
    """The orientation in an Exif block, which is a TIFF without pictures."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
        if tag == _ORIENTATION and kind in _FORMATS:
            return struct.unpack_from(f"{order}{_FORMATS[kind]}", exif, entry + 8)[0]
    return None


def turn_upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """An array `[H, W, ...]` as it is to be seen, from the orientation in which it is stored (Exif 2.32, 4.6.4)."""
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1] if orientation in (2, 3) else array[::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1] if orientation in (3, 4) else array[:, ::-1]
    return array.swapaxes(0, 1) if orientation >= 5 else array
