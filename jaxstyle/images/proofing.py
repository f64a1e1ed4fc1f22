"""Soft proofs: how a picture looks when it is printed, by the color profile (ICC) of the printer and its paper."""

import imagecodecs
import numpy as np

from jaxstyle.errors import PictureError
from jaxstyle.images.files import path_in_errors
from jaxstyle.images.profiles import srgb_profile
from jaxstyle.images.remote import PathLike

_SPACES = {b"CMYK": "cmyk", b"RGB ": "rgb"}  # of printers' profiles; many of photo printers are in RGB
_STRIP_PIXELS = 2**20  # that are converted at a time
_EXPECTED = "expected the color profile of a printer (ICC, in CMYK or RGB), as from the print shop"


def read_printer_profile(path: PathLike) -> bytes:
    """Read the color profile of a printer.

    Raises:
        PictureError: if the file cannot be read, or is no profile with which something can be printed.
    """
    with path_in_errors(path, "read", PictureError) as file:
        profile = file.read_bytes()
        if profile[36:40] != b"acsp":
            raise PictureError(f"is no color profile; {_EXPECTED}")
        if (space := profile[16:20]) not in _SPACES:
            raise PictureError(f"is a color profile for {space.decode('latin-1').strip()}; {_EXPECTED}")
        try:
            print_proof(np.zeros((1, 1, 3), np.float32), profile)
        except (imagecodecs.CmsError, ValueError):
            raise PictureError(f"is a color profile with which nothing can be printed; {_EXPECTED}") from None
        return profile


def print_proof(picture: np.ndarray, printer: bytes, profile: bytes | None = None) -> np.ndarray:
    """How a picture `[H, W, 3]` in [0, 1] looks in print, in the same color profile; float32.

    Colors that the printer does not have become the nearest that it has (relative colorimetric, with black point
    compensation, as print shops convert). White is that of the paper, and black that of the ink.

    Args:
        picture: the picture.
        printer: the profile of the printer, from `read_printer_profile`.
        profile: the profile of the picture; None for sRGB.
    """
    rows = max(1, _STRIP_PIXELS // picture.shape[1])
    proof = np.empty(picture.shape, np.float32)
    for start in range(0, len(picture), rows):
        strip = np.ascontiguousarray(picture[start : start + rows], np.float32)
        proof[start : start + rows] = _proof_strip(strip, printer, profile or srgb_profile())
    return proof.clip(0, 1)


def _proof_strip(strip: np.ndarray, printer: bytes, profile: bytes) -> np.ndarray:
    space, intents = _SPACES[printer[16:20]], imagecodecs.CMS.INTENT
    inks = imagecodecs.cms_transform(
        strip,
        profile,
        printer,
        colorspace="rgb",
        outcolorspace=space,
        outdtype=np.float32,
        intent=intents.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
    full = np.float32(100 if space == "cmyk" else 1)  # the range of floats in Little CMS
    # Back by absolute colors; by relative ones, the white of the paper would become that of the screen.
    return imagecodecs.cms_transform(
        inks.clip(0, full),
        printer,
        profile,
        colorspace=space,
        outcolorspace="rgb",
        outdtype=np.float32,
        intent=intents.ABSOLUTE_COLORIMETRIC,
    )
