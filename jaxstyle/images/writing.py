"""Writing picture files atomically."""

from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np

from jaxstyle.arguments import check_count
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images.files import check_target, path_in_errors, resolve_target, write_atomically
from jaxstyle.images.formats import FORMATS, About
from jaxstyle.images.profiles import srgb_profile
from jaxstyle.images.quantization import BITS, quantize
from jaxstyle.images.remote import PathLike

WRITABLE = tuple(FORMATS)
MAX_DPI = 65535  # as in JPEG


def check_writable(
    path: PathLike,
    *,
    overwrite: bool = False,
    alpha: bool = False,
    shape: tuple[int, int] | None = None,
    bits: int = 8,
    profile: bytes | None = None,
) -> None:
    """Raise the error, before any work, with which `write_image` could not write a picture to this path.

    Args:
        path: the file.
        overwrite: whether the file may exist.
        alpha: whether the picture will have transparency, which not all formats support.
        shape: its height and width, if they are known.
        bits: per sample.
        profile: the color profile of the picture, None for sRGB.
    """
    with path_in_errors(path, "written", PictureError, ConfigError) as file:
        check_format(file, shape, alpha=alpha, bits=bits, profile=profile)
        check_target(file, PictureError, overwrite=overwrite)


def write_image(
    path: PathLike,
    picture: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    metadata: Mapping[str, str] | None = None,
    bits: int = 8,
    dither: bool = False,
    dpi: int | None = None,
    profile: bytes | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture in the format of the path's suffix.

    The file is written atomically: if that fails, there is no file, or still the old one. If the path is a symbolic
    link, the file that it points to is written.

    Args:
        path: the file.
        picture: floats `[H, W, 3]`, clipped to [0, 1] and rounded to the nearest level.
        alpha: `[H, W]` in [0, 1], or None for an opaque picture.
        metadata: texts by name. A PNG has them as text entries; TIFF, JPEG and WebP have `Software` as the tag of this
            name, and the others as lines `name: text` of the tag ImageDescription, in JPEG and WebP if they have at
            most 60,000 bytes; BMP has none.
        bits: per sample, 8 or 16; 16 for PNG and TIFF only.
        dither: whether values between two of 256 levels become one of both, the nearer one more often, so that smooth
            gradients have no steps. The same picture gives the same file. For results, not for masks.
        dpi: pixels per inch in print, 1 to 65535, or None to leave it open.
        profile: the ICC profile of the picture's colors, which becomes a part of the file; None for sRGB.
        overwrite: whether to replace an existing file.

    Raises:
        ConfigError: for an unknown suffix, or settings that the format cannot store (16 bits, a color profile).
        PictureError: for a file that exists (without `overwrite`), a missing or read-only folder, a full disk, a
            picture that the format cannot hold (transparency, too many pixels on a side), or an array that is not a
            picture.
    """
    with path_in_errors(path, "written", PictureError, ConfigError) as file:
        picture = np.asarray(picture)
        _check_arrays(picture, alpha)
        if dpi is not None:
            check_count("dpi", dpi, most=MAX_DPI)
        check_format(file, picture.shape[:2], alpha=alpha is not None, bits=bits, profile=profile)
        target = resolve_target(file, PictureError, overwrite=overwrite)
        about = About(profile or srgb_profile(), dpi, metadata or {})
        write_atomically(target, _encode(file, quantize(picture, alpha, bits=bits, dither=dither), about))


def check_format(
    path: PurePath,
    shape: tuple[int, int] | None = None,
    *,
    alpha: bool = False,
    bits: int = 8,
    profile: bytes | None = None,
) -> None:
    """ConfigError if the suffix is not that of a format, or not of one with these settings; PictureError if the format
    cannot hold such a picture.
    """
    suffix = path.suffix.lower()
    if bits not in BITS:
        raise ConfigError(f"bits is {bits!r}; expected 8 or 16")
    if suffix not in FORMATS:
        found = f"has the suffix {suffix!r}" if suffix else "has no suffix"
        raise ConfigError(f"{found}; expected one of {' '.join(FORMATS)}: choose another name")
    file_format = FORMATS[suffix]
    if alpha and not file_format.has_alpha:
        raise PictureError(f"{suffix} cannot store transparency; choose .png, .webp or .tiff, or a --background")
    if bits > file_format.max_bits:
        raise ConfigError(f"{suffix} cannot store {bits} bits; choose .png or .tiff, or 8 bits")
    if profile is not None and not file_format.has_profile:
        raise ConfigError(f"{suffix} cannot store a color profile; choose .png, .tiff, .jpg or .webp, or sRGB")
    height, width = shape or (1, 1)
    if max(height, width) > file_format.max_side:
        found = f"{suffix} cannot hold {width} x {height} pixels"
        raise PictureError(
            f"{found}; expected at most {file_format.max_side} on a side: choose .tiff or a smaller size"
        )


def _check_arrays(picture: np.ndarray, alpha: np.ndarray | None) -> None:
    """Raise PictureError unless these are a picture of floats, and alpha of its shape."""
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape or picture.dtype.kind in "biuc":
        found = f"the array is {picture.dtype} {list(picture.shape)}"
        raise PictureError(f"{found}; expected a picture of floats [height, width, 3]")
    if alpha is not None and np.shape(alpha) != picture.shape[:2]:
        raise PictureError(f"alpha has shape {list(np.shape(alpha))}; expected {list(picture.shape[:2])}")


def _encode(path: Path, levels: np.ndarray, about: About) -> bytes:
    suffix = path.suffix.lower()
    try:
        return FORMATS[suffix].encode(levels, about)
    except (OSError, ValueError) as error:  # a limit of an encoder that is not known here
        raise PictureError(f"{suffix} cannot hold this picture ({error}); use .png or .tiff") from error
