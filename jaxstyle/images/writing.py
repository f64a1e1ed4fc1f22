"""Writing picture files atomically."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jaxstyle.errors import PictureError
from jaxstyle.images.files import PathLike, check_target, path_in_errors, resolve_target, write_atomically

_WRITERS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
    ".tif": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ".tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    ".bmp": {"format": "BMP"},
}

WRITABLE = tuple(_WRITERS)


def check_writable(path: PathLike, *, overwrite: bool = False, alpha: bool = False) -> None:
    """Raise PictureError, before any work, if `write_image` could not write a picture to this path.

    Args:
        path: the file.
        overwrite: whether the file may exist.
        alpha: whether the picture will have transparency, which not all formats support.
    """
    with path_in_errors(path, "written", PictureError) as file:
        _check_suffix(file, alpha=alpha)
        check_target(file, PictureError, overwrite=overwrite)


def write_image(
    path: PathLike,
    picture: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture at 8 bits per channel, in the format of the path's suffix.

    The file is written atomically: if that fails, there is no file, or still the old one. If the path is a symbolic
    link, the file that it points to is written.

    Args:
        path: the file.
        picture: floats `[H, W, 3]`, clipped to [0, 1] and rounded to the nearest of 256 levels.
        alpha: `[H, W]` in [0, 1], or None for an opaque picture.
        metadata: text entries of a PNG; other formats ignore them.
        overwrite: whether to replace an existing file.

    Raises:
        PictureError: for an unknown suffix, a file that exists (without `overwrite`), a missing or read-only folder, a
            full disk, transparency in a format without it, or an array that is not a picture.
    """
    with path_in_errors(path, "written", PictureError) as file:
        _check_suffix(file, alpha=alpha is not None)
        target = resolve_target(file, PictureError, overwrite=overwrite)
        write_atomically(target, _encode(_quantize(picture, alpha), file.suffix.lower(), metadata or {}))


def _check_suffix(path: Path, *, alpha: bool) -> None:
    """Raise PictureError if there is no such format, or none with alpha."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        found = f"has the suffix {suffix!r}" if suffix else "has no suffix"
        raise PictureError(f"{found}; expected one of {' '.join(_WRITERS)}: choose another name")
    if alpha and suffix in (".jpg", ".jpeg", ".bmp"):
        raise PictureError(f"{suffix} cannot store transparency; choose .png, .webp or .tiff, or a --background")


def _quantize(picture: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """The picture as uint8 `[H, W, 3]`, or `[H, W, 4]` with alpha."""
    values = np.asarray(picture)
    if values.ndim != 3 or values.shape[2] != 3 or 0 in values.shape or values.dtype.kind in "biuc":
        found = f"the array is {values.dtype} {list(values.shape)}"
        raise PictureError(f"{found}; expected a picture of floats [height, width, 3]")
    if alpha is not None:
        if np.shape(alpha) != values.shape[:2]:
            raise PictureError(f"alpha has shape {list(np.shape(alpha))}; expected {list(values.shape[:2])}")
        values = np.dstack([values, alpha])
    if not np.isfinite(values).all():
        raise PictureError("the array has NaN or infinity; expected numbers from 0 to 1: nothing was written")
    return np.rint(values.astype(np.float32).clip(0, 1) * 255).astype(np.uint8)


def _encode(levels: np.ndarray, suffix: str, metadata: Mapping[str, str]) -> bytes:
    encoded, text = io.BytesIO(), PngInfo()
    for key, value in metadata.items():
        text.add_text(key, value)
    try:
        Image.fromarray(levels).save(encoded, pnginfo=text, **_WRITERS[suffix])
    except (OSError, ValueError) as error:  # for example, more pixels per side than the format supports
        raise PictureError(f"{suffix} cannot hold this picture ({error}); use .png or .tiff") from error
    return encoded.getvalue()
