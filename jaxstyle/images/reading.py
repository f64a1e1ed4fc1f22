"""Reading picture files into float arrays.

A picture is float32 sRGB in [0, 1], `[H, W, 3]`; alpha is `[H, W]` in [0, 1]. Pictures are rotated upright (EXIF) and
converted to sRGB (ICC profile). Of several frames or pages, the first is read.
"""

import io
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    ImageColor,
    ImageOps,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images.files import PathLike, check_regular_file, path_in_errors
from jaxstyle.images.resizing import MIN_SIDE, fit_shape, resize

T = TypeVar("T")

# Some of Pillow's other readers run external programs (EPS) or accept almost any data (TGA).
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
_EXPECTED = "expected a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or PPM picture"

_WITHOUT_ALPHA = {"1": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_PROFILE_MODES = {"GRAY": ("L", "I;16", "I;16B"), "RGB ": ("RGB",), "CMYK": ("CMYK",)}
_HIDDEN = 1 / 510  # a lower alpha is rounded to 0 at 8 bits
_warning_filters = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with transparency.

    Attributes:
        rgb: `[H, W, 3]`, not premultiplied by alpha, and white where alpha is 0.
        alpha: `[H, W]`, or None for an opaque picture.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None

    def over(self, background: str) -> np.ndarray:
        """The picture over a background color, `[H, W, 3]`.

        Args:
            background: a CSS color, such as "white" or "#1e90ff".

        Raises:
            ConfigError: if there is no such color.
        """
        try:
            color = np.array(ImageColor.getrgb(background)[:3], np.float32) / 255
        except ValueError:
            raise ConfigError(f"no color is called {background!r}; expected one like white or '#1e90ff'") from None
        if self.alpha is None:
            return self.rgb
        return self.rgb * self.alpha[..., None] + color * (1 - self.alpha[..., None])


def read_image(path: PathLike, *, size: int | None = None, background: str = "white") -> np.ndarray:
    """The picture in a file over a background color, `[H, W, 3]` float32 sRGB in [0, 1]; see `read_picture`."""
    return read_picture(path, size=size).over(background)


def read_picture(path: PathLike, *, size: int | None = None) -> Picture:
    """The picture in a file with its transparency.

    Gray pictures of 16 bits or floats keep their precision unless they have an ICC profile; color is read at 8 bits per
    channel. An ICC profile that is damaged or for another color space is ignored, as in browsers.

    Args:
        path: the file.
        size: the length in pixels to which the longest side is resized, up or down; None for the size in the file.

    Raises:
        PictureError: if the file does not exist, cannot be read, is not a picture, is damaged, is larger than Pillow's
            safety limit, or has a side below `MIN_SIDE` pixels, before or after resizing.
    """
    with path_in_errors(path, "read", PictureError) as file:
        rgb, alpha = _open(file, _decode)
        height, width = _target_size(rgb.shape[0], rgb.shape[1], size)
        if alpha is None:
            return Picture(resize(rgb, height, width))
        # Resized premultiplied by alpha: otherwise colors of transparent pixels would bleed into the edges.
        premultiplied = resize(rgb * alpha[..., None], height, width)
        alpha = resize(alpha, height, width)
        divisor = np.maximum(alpha, _HIDDEN)[..., None]
        return Picture(np.where(alpha[..., None] < _HIDDEN, 1, premultiplied / divisor).clip(0, 1), alpha)


def read_shape(path: PathLike, *, size: int | None = None) -> tuple[int, int]:
    """The height and width that `read_picture` would give, from the header of the file.

    Raises:
        PictureError: as `read_picture`, except for damage after the header.
    """
    with path_in_errors(path, "read", PictureError) as file:
        height, width = _open(file, _upright_shape)
        return _target_size(height, width, size)


def _open(path: Path, read: Callable[[Image.Image], T]) -> T:
    """The result of `read` for the opened picture; PictureError or OSError if it cannot be opened."""
    check_regular_file(path, PictureError, f"{_EXPECTED}: name a file")
    with path.open("rb") as file:
        if not (head := file.read(64)):
            raise PictureError(f"is empty (0 bytes); {_EXPECTED}: fetch or export it again")
        try:
            # One thread at a time: warning filters are global to the process.
            with _warning_filters, warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(file, formats=_READABLE) as image:
                    return read(image)
        except PictureError:
            raise
        except UnidentifiedImageError:
            raise PictureError(f"{_describe(head)}; {_EXPECTED}: convert it or name another file") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PictureError(f"is too large to be safe ({str(error).split(',')[0]}): use a smaller copy") from error
        except Exception as error:  # decoders may raise anything for damaged files
            found = f"is damaged or cut short ({type(error).__name__}: {error})"
            raise PictureError(f"{found}; expected a whole picture: fetch or export it again") from error


def _describe(head: bytes) -> str:
    """A guess from its first bytes what a file is that Pillow cannot identify."""
    if head[4:8] == b"ftyp" and head[8:12] != b"avif":
        return "seems to be HEIC or a video, which cannot be read here"
    text = " ".join(head.decode("utf-8", "ignore").split())
    return f"holds text: {text[:30]!r}" if text.isprintable() else "is not a picture of a known format, or is damaged"


def _upright_shape(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # Pillow has already applied the orientation to the size
        return height, width
    with suppress(Exception):
        if 5 <= image.getexif().get(ExifTags.Base.Orientation, 1) <= 8:  # rotated by 90 degrees
            width, height = height, width
    return height, width


def _decode(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Color `[H, W, 3]`, and alpha `[H, W]` or None, at the size in the file."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(254, 0) & 1:  # NewSubfileType: reduced
        raise PictureError("begins with a thumbnail, as cameras' raw files do; expected the full picture: export it")
    image.load()
    with suppress(Exception):  # a damaged EXIF block is ignored
        image = ImageOps.exif_transpose(image)
    return _read_color(image), _read_alpha(image)


def _read_alpha(image: Image.Image) -> np.ndarray | None:
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / 255
    if image.mode.startswith("I;16"):  # Pillow's conversion loses the transparent gray level
        alpha = (np.asarray(image) != image.info["transparency"]).astype(np.float32)
    return None if alpha.min() == 1 else alpha


def _read_color(image: Image.Image) -> np.ndarray:
    profile = image.info.get("icc_profile")
    image = image.convert(_WITHOUT_ALPHA.get(image.mode, image.mode))
    if profile:
        with suppress(OSError, ImageCms.PyCMSError):  # with a damaged profile, colors are assumed to be sRGB
            image = _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    if image.mode[0] not in "IF":
        return np.asarray(image.convert("RGB"), np.float32) / 255
    values, white = np.asarray(image, np.float32), 1 if image.mode == "F" else 65535
    if not 0 <= values.min() <= values.max() <= white:
        found = f"has gray values from {values.min():g} to {values.max():g}"
        raise PictureError(f"{found}; expected 0 to {white}: rescale the values")
    return np.repeat(values[..., None] / np.float32(white), 3, axis=-1)


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """The image in sRGB, or unchanged if the profile is for a color space with other channels."""
    space = profile.profile.xcolor_space
    if space == "RGB " and image.mode == "L":
        image = image.convert("RGB")
    if image.mode not in _PROFILE_MODES.get(space, ()):
        return image
    # Little CMS approximates gray curves by default, with errors of up to ten levels in the shadows.
    flags = ImageCms.Flags.NOOPTIMIZE if space == "GRAY" else ImageCms.Flags.NONE
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, image.mode, "RGB", flags=flags).apply(image)


def _target_size(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The height and width to which a picture is resized; PictureError if these are too small or too large."""
    found, expected = f"has {width}x{height} pixels", f"expected at least {MIN_SIDE} on each side"
    if min(height, width) < MIN_SIDE:
        raise PictureError(f"{found}; {expected}: use a larger picture")
    if size is None:
        return height, width
    new_height, new_width = fit_shape(height, width, size)
    found += f" and would get {new_width}x{new_height} at size {size}"
    if min(new_height, new_width) < MIN_SIDE:
        min_size = -(-MIN_SIDE * max(height, width) // min(height, width))
        raise PictureError(f"{found}; {expected}: use size {min_size} or more, or crop the picture")
    if Image.MAX_IMAGE_PIXELS and new_height * new_width > Image.MAX_IMAGE_PIXELS:
        raise PictureError(f"{found}; expected at most {Image.MAX_IMAGE_PIXELS} pixels in all: use a smaller size")
    return new_height, new_width
