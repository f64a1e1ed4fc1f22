"""Picture files to float arrays and back: the only room that imports Pillow.

A picture is float32 sRGB in [0, 1], `[H, W, 3]`; alpha, where there is any, is `[H, W]` in [0, 1]. Whatever a file
holds comes back upright (EXIF), in sRGB (ICC), from its first frame or page. Every failure is one line.
"""

import io
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    ImageColor,
    ImageDraw,
    ImageFont,
    ImageOps,
    TiffImagePlugin,
    UnidentifiedImageError,
)
from PIL.PngImagePlugin import PngInfo

from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.files import PathLike, check_regular, find_target, naming, write_whole

T = TypeVar("T")
MIN_SIDE = 16  # pixels: what a VGG's four poolings before relu5_1 shrink to one position

# A closed list: others of Pillow's readers run outside programs (EPS) or take anything for a picture (TGA).
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
_EXPECTED = "expected a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or PPM picture"

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
_WITHOUT_ALPHA = {"1": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
_PROFILE_MODES = {"GRAY": ("L", "I;16", "I;16B"), "RGB ": ("RGB",), "CMYK": ("CMYK",)}
_HIDDEN = 1 / 510  # an alpha that 8 bits round to nothing
_warning_filters = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """Colour `[H, W, 3]`, not multiplied by alpha and white where nothing shows, and alpha `[H, W]`, None if opaque."""

    rgb: np.ndarray
    alpha: np.ndarray | None = None

    def over(self, background: str) -> np.ndarray:
        """The picture on a colour as CSS writes it ("white", "#1e90ff"), `[H, W, 3]`; ConfigError if it is none."""
        try:
            colour = np.array(ImageColor.getrgb(background)[:3], np.float32) / 255
        except ValueError:
            raise ConfigError(f"no colour is called {background!r}; expected one like white or '#1e90ff'") from None
        if self.alpha is None:
            return self.rgb
        return self.rgb * self.alpha[..., None] + colour * (1 - self.alpha[..., None])


def read_image(path: PathLike, *, size: int | None = None, background: str = "white") -> np.ndarray:
    """The picture in a file as float32 sRGB in [0, 1], `[H, W, 3]`, laid on `background`; see `read_picture`."""
    return read_picture(path, size=size).over(background)


def read_picture(path: PathLike, *, size: int | None = None) -> Picture:
    """The picture in a file with its transparency.

    With `size`, the longest side comes out at exactly that many pixels, larger or smaller than it was. Grey files of
    16 bits or floats keep their precision unless a profile has to be applied; colour is read at 8 bits a channel.
    A damaged or unfitting ICC profile is ignored, as browsers do.

    Raises PictureError when the file is missing, unreadable, no picture, damaged or larger than Pillow thinks safe,
    or when its shortest side is, or at this `size` would become, less than `MIN_SIDE`.
    """
    with naming(path, "read", PictureError) as file:
        rgb, alpha = _open(file, _decode)
        height, width = _target_size(rgb.shape[0], rgb.shape[1], size)
        if alpha is None:
            return Picture(resize(rgb, height, width))
        # Colours weigh as much as they show, or what is hidden under transparency would bleed into the edges.
        weighted = resize(rgb * alpha[..., None], height, width)
        alpha = resize(alpha, height, width)
        weight = np.maximum(alpha, _HIDDEN)[..., None]
        return Picture(np.where(alpha[..., None] < _HIDDEN, 1, weighted / weight).clip(0, 1), alpha)


def read_shape(path: PathLike, *, size: int | None = None) -> tuple[int, int]:
    """The height and width of what `read_picture` would give, from the file's head as far as that tells; as it raises.

    Damage farther on is not seen.
    """
    with naming(path, "read", PictureError) as file:
        height, width = _open(file, _upright_shape)
        return _target_size(height, width, size)


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """`[H, W]` or `[H, W, C]` in [0, 1] at another size, float32.

    Lanczos with three lobes, widened on the way down so that nothing aliases, in floats from end to end. Where the
    filter overshoots, it is clipped to [0, 1].
    """
    picture = np.asarray(picture, np.float32)
    planes = np.moveaxis(np.atleast_3d(picture), -1, 0)
    images = (Image.fromarray(np.ascontiguousarray(plane)) for plane in planes)
    resized = [np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)) for image in images]
    return np.stack(resized, axis=-1).clip(0, 1).reshape(height, width, *picture.shape[2:])


def fit(height: int, width: int, longest: int) -> tuple[int, int]:
    """The height and width, each at least 1, of the same proportions and with `longest` as the longer of them."""
    longer = max(height, width)
    return max(1, round(height * longest / longer)), max(1, round(width * longest / longer))


def check_writable(path: PathLike, *, overwrite: bool = False, alpha: bool = False) -> None:
    """Raises, before any work, what `write_image` would about the path, or about transparency in it if `alpha`."""
    with naming(path, "written", PictureError) as file:
        tempfile.TemporaryFile(dir=_target(file, overwrite=overwrite, alpha=alpha).parent).close()


def write_image(
    path: PathLike,
    picture: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a picture `[H, W, 3]` in [0, 1], with `alpha` `[H, W]` if given, in the format of the path's suffix.

    Values are clipped to [0, 1] and rounded to the nearest of 256 levels. `metadata` becomes text entries of a PNG;
    the other formats leave it out. The file appears whole or not at all; a symbolic link keeps pointing to it.

    Raises PictureError for an unknown suffix, a file that exists (unless `overwrite`), a folder that is missing or
    read-only, a full disk, transparency in a format that has none, or an array that is no picture.
    """
    with naming(path, "written", PictureError) as file:
        target = _target(file, overwrite=overwrite, alpha=alpha is not None)
        write_whole(target, _encode(_quantise(picture, alpha), file.suffix.lower(), metadata or {}))


def _open(path: Path, look: Callable[[Image.Image], T]) -> T:
    """What `look` finds in the picture; PictureError or OSError if there is none."""
    check_regular(path, PictureError, f"{_EXPECTED}: name a file")
    with path.open("rb") as file:
        if not (head := file.read(64)):
            raise PictureError(f"is empty (0 bytes); {_EXPECTED}: fetch or export it again")
        try:
            # One thread at a time, because warning filters belong to the whole process.
            with _warning_filters, warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(file, formats=_READABLE) as image:
                    return look(image)
        except PictureError:
            raise
        except UnidentifiedImageError:
            raise PictureError(f"{_describe(head)}; {_EXPECTED}: convert it or name another file") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PictureError(f"is too large to be safe ({str(error).split(',')[0]}): use a smaller copy") from error
        except Exception as error:  # decoders fail in every way there is on damaged files
            found = f"is damaged or cut short ({type(error).__name__}: {error})"
            raise PictureError(f"{found}; expected a whole picture: fetch or export it again") from error


def _describe(head: bytes) -> str:
    """What a file that no reader recognises seems to be."""
    if head[4:8] == b"ftyp" and head[8:12] != b"avif":
        return "seems to be HEIC or a video, which cannot be read here"
    text = " ".join(head.decode("utf-8", "ignore").split())
    return f"holds text: {text[:30]!r}" if text.isprintable() else "is no picture of a known kind, or is damaged"


def _upright_shape(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # whose size is the upright one from the start
        return height, width
    with suppress(Exception):
        if 5 <= image.getexif().get(ExifTags.Base.Orientation, 1) <= 8:  # on its side
            width, height = height, width
    return height, width


def _decode(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour `[H, W, 3]` and alpha `[H, W]` or None, at the file's own size."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(254, 0) & 1:  # NewSubfileType: reduced
        raise PictureError("begins with a thumbnail, as cameras' raw files do; expected the full picture: export it")
    image.load()
    with suppress(Exception):  # a damaged EXIF block does not say which way is up
        image = ImageOps.exif_transpose(image)
    return _read_colour(image), _read_alpha(image)


def text_picture(text: str, height: int, width: int) -> np.ndarray:
    """Black words in lines 16 pixels high, in the middle of white, `[H, W, 3]`; what is outside is cut off."""
    image = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(13)
    place = width / 2, height / 2
    ImageDraw.Draw(image).multiline_text(place, text, 0, font, anchor="mm", align="center", spacing=2)
    return np.repeat(np.asarray(image, np.float32)[..., None] / 255, 3, axis=-1)


def _read_alpha(image: Image.Image) -> np.ndarray | None:
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / 255
    if image.mode.startswith("I;16"):  # whose transparent level Pillow loses in the conversion
        alpha = (np.asarray(image) != image.info["transparency"]).astype(np.float32)
    return None if alpha.min() == 1 else alpha


def _read_colour(image: Image.Image) -> np.ndarray:
    profile = image.info.get("icc_profile")
    image = image.convert(_WITHOUT_ALPHA.get(image.mode, image.mode))
    if profile:
        with suppress(OSError, ImageCms.PyCMSError):  # a damaged profile: the colours are taken for sRGB
            image = _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    if image.mode[0] not in "IF":
        return np.asarray(image.convert("RGB"), np.float32) / 255
    values, top = np.asarray(image, np.float32), 1 if image.mode == "F" else 65535
    if not 0 <= values.min() <= values.max() <= top:
        raise PictureError(f"grey from {values.min():g} to {values.max():g}; expected 0 to {top}: rescale the values")
    return np.repeat(values[..., None] / np.float32(top), 3, axis=-1)


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """The image in sRGB, or as it is when the profile describes other channels than it has."""
    space = profile.profile.xcolor_space
    if space == "RGB " and image.mode == "L":
        image = image.convert("RGB")
    if image.mode not in _PROFILE_MODES.get(space, ()):
        return image
    # Little CMS shortens grey curves by default, which costs up to ten levels in the shadows.
    flags = ImageCms.Flags.NOOPTIMIZE if space == "GRAY" else ImageCms.Flags.NONE
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, image.mode, "RGB", flags=flags).apply(image)


def _target_size(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The height and width at which a picture is read, if neither too small nor too large."""
    found, expected = f"has {width}x{height} pixels", f"expected at least {MIN_SIDE} on each side"
    if min(height, width) < MIN_SIDE:
        raise PictureError(f"{found}; {expected}: use a larger picture")
    if size is None:
        return height, width
    new_height, new_width = fit(height, width, size)
    found += f" and would get {new_width}x{new_height} at size {size}"
    if min(new_height, new_width) < MIN_SIDE:
        enough = -(-MIN_SIDE * max(height, width) // min(height, width))
        raise PictureError(f"{found}; {expected}: use size {enough} or more, or crop the picture")
    if Image.MAX_IMAGE_PIXELS and new_height * new_width > Image.MAX_IMAGE_PIXELS:
        raise PictureError(f"{found}; expected at most {Image.MAX_IMAGE_PIXELS} pixels in all: use a smaller size")
    return new_height, new_width


def _target(path: Path, *, overwrite: bool, alpha: bool) -> Path:
    """The real file to write, if the path allows it."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise PictureError(f"ends in {suffix!r}; expected one of {' '.join(_WRITERS)}: choose a name that ends so")
    if alpha and suffix in (".jpg", ".jpeg", ".bmp"):
        raise PictureError(f"{suffix} holds no transparency; expected .png, .webp or .tiff, or a picture without it")
    return find_target(path, PictureError, overwrite=overwrite)


def _quantise(picture: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """uint8 `[H, W, 3]`, or `[H, W, 4]` with alpha."""
    values = np.asarray(picture)
    if values.ndim != 3 or values.shape[2] != 3 or 0 in values.shape or values.dtype.kind in "biuc":
        raise PictureError(f"{values.dtype}{list(values.shape)} is no picture; expected floats [height, width, 3]")
    if alpha is not None:
        if np.shape(alpha) != values.shape[:2]:
            raise PictureError(f"alpha has shape {list(np.shape(alpha))}; expected {list(values.shape[:2])}")
        values = np.dstack([values, alpha])
    if not np.isfinite(values).all():
        raise PictureError("the array holds NaN or infinity; expected floats from 0 to 1: nothing was written")
    return np.rint(values.astype(np.float32).clip(0, 1) * 255).astype(np.uint8)


def _encode(levels: np.ndarray, suffix: str, metadata: Mapping[str, str]) -> bytes:
    encoded, text = io.BytesIO(), PngInfo()
    for key, value in metadata.items():
        text.add_text(key, value)
    try:
        Image.fromarray(levels).save(encoded, pnginfo=text, **_WRITERS[suffix])
    except (OSError, ValueError) as error:  # such as more pixels a side than the format can count
        raise PictureError(f"{suffix} cannot hold this picture ({error}); use .png or .tiff") from error
    return encoded.getvalue()
