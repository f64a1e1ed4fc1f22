"""Reading picture files into float arrays.

A picture is float32 sRGB in [0, 1], `[H, W, 3]`; alpha is `[H, W]` in [0, 1]. Pictures are rotated upright (Exif) and
converted to sRGB (color profiles and the like), or to another profile on request. Of several frames or pages, the first
is read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from jaxstyle.arguments import check_count, check_type
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images.files import check_regular_file, path_in_errors
from jaxstyle.images.readers import (
    EXPECTED,
    WHOLE,
    Encoding,
    Source,
    Space,
    open_source,
    to_rgb,
    turn_upright,
    wide_profile,
)
from jaxstyle.images.remote import PathLike
from jaxstyle.images.resizing import MAX_PIXELS, MIN_SIDE, fit_shape
from jaxstyle.images.strips import resize_samples

SRGB, KEEP = "srgb", "keep"  # the profile to convert to: sRGB, or the file's own
_OVERSAMPLING = 2  # pictures are read at no less than this many times the size to which they are then resized
_HIDDEN = 1 / 510  # a lower alpha is rounded to 0 at 8 bits


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with transparency.

    Attributes:
        rgb: `[H, W, 3]`, not premultiplied by alpha, and white where alpha is 0.
        alpha: `[H, W]`, or None for an opaque picture.
        profile: the ICC profile of `rgb`; None for sRGB.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None

    def over(self, background: str) -> np.ndarray:
        """The picture over a background color, `[H, W, 3]`.

        Args:
            background: a CSS color, such as "white" or "#1e90ff".

        Raises:
            ConfigError: if there is no such color.
        """
        check_type("background", background, str, "a color like 'white' or '#1e90ff'")
        try:
            color = np.array([[ImageColor.getrgb(background)[:3]]], np.float32) / 255
        except ValueError:
            raise ConfigError(f"no color is called {background!r}; expected one like white or '#1e90ff'") from None
        if self.alpha is None:
            return self.rgb
        color = to_rgb(color, Space.RGB, Encoding(), self.profile)
        return self.rgb * self.alpha[..., None] + color * (1 - self.alpha[..., None])


def read_image(
    path: PathLike, *, size: int | None = None, background: str = "white", profile: str | bytes = SRGB
) -> np.ndarray:
    """Read a picture file, and place the picture on a background color.

    All bits of the file's samples are used. The picture is rotated upright, and its colors are converted to sRGB. Of
    several frames or pages, the first is read.

    Args:
        path: the file; its format is recognized by its content.
        size: the length in pixels to which the longest side is resized, up or down; None for the size in the file.
        background: a CSS color under transparent pixels, such as "white" or "#1e90ff".
        profile: what colors are converted to: "srgb"; "keep", for which colors in a profile that is wider than sRGB
            stay as they are in the file; or the ICC profile of another picture.

    Returns:
        `[H, W, 3]` float32 in [0, 1].

    Raises:
        ConfigError, PictureError: as `read_picture`; ConfigError also for a background that is no color.
    """
    return read_picture(path, size=size, profile=profile).over(background)


def read_picture(path: PathLike, *, size: int | None = None, profile: str | bytes = SRGB) -> Picture:
    """The picture in a file with its transparency.

    All bits of the file's samples are used, and color is converted in float32. A color profile that is damaged or for
    another color space is ignored, as in browsers. A picture much larger than `size` is decoded at a fraction of its
    size or averaged in blocks, such that it still has at least twice this size, and then resized.

    Args:
        path: the file.
        size: the length in pixels to which the longest side is resized, up or down; None for the size in the file.
        profile: what colors are converted to: "srgb", or the `Picture.profile` of another picture. With "keep", colors
            in a profile that is wider than sRGB, such as Display P3, Adobe RGB or ProPhoto RGB, stay as they are in the
            file, and all others are converted to sRGB.

    Raises:
        ConfigError: for a size or profile that is none.
        PictureError: if the file does not exist, cannot be read, is not a picture, is damaged, has more than 2^28
            pixels or high dynamic range, or has a side below `MIN_SIDE` pixels, before or after resizing.
    """
    if size is not None:  # otherwise the file would seem to be damaged
        check_count("size", size)
    if not (isinstance(profile, bytes) or profile in (SRGB, KEEP)):
        raise ConfigError(f"profile is {profile!r}; expected 'srgb', 'keep', or the profile of a picture (bytes)")
    with _opened(path) as source:
        height, width = target_shape(*source.shape, size)
        if source.orientation >= 5:
            height, width = width, height
        factor = 1 if size is None else max(1, max(source.shape) // (_OVERSAMPLING * size))
        samples = source.decode(factor)
        extent = source.height / samples.reduction, source.width / samples.reduction
        # Resized premultiplied by alpha: otherwise colors of transparent pixels would bleed into the edges.
        color, alpha = resize_samples(samples, extent, height, width, max(1, factor // samples.reduction))
        if alpha is not None:
            visible = alpha[..., None] >= _HIDDEN
            color = np.divide(color, alpha[..., None], where=visible, out=np.ones_like(color))
        target = _target_profile(profile, samples.space, samples.encoding)
        rgb = turn_upright(to_rgb(color.clip(0, 1), samples.space, samples.encoding, target), source.orientation)
        if alpha is None:
            return Picture(rgb, profile=target)
        alpha, visible = (turn_upright(plane, source.orientation) for plane in (alpha.clip(0, 1), visible))
        return Picture(np.where(visible, rgb, np.float32(1)), alpha, target)


def _target_profile(profile: str | bytes, space: Space, encoding: Encoding) -> bytes | None:
    """The profile to convert a picture to; None for sRGB."""
    if isinstance(profile, bytes):
        return profile
    return wide_profile(space, encoding) if profile == KEEP else None


def read_shape(path: PathLike, *, size: int | None = None) -> tuple[int, int]:
    """The height and width that `read_picture` would give, from the header of the file.

    Raises:
        PictureError: as `read_picture`, except for damage after the header.
    """
    if size is not None:
        check_count("size", size)
    with _opened(path) as source:
        return target_shape(*source.shape, size)


@contextmanager
def _opened(path: PathLike) -> Iterator[Source]:
    """The picture in a file, with errors of any kind as one line: decoders may raise anything for damaged files."""
    with path_in_errors(path, "read", PictureError) as file_path:
        check_regular_file(file_path, PictureError, f"{EXPECTED}: name a file")
        with file_path.open("rb") as file:
            try:
                source = open_source(file)
                if source.height * source.width > MAX_PIXELS:
                    raise PictureError(_too_large(source))
                yield source
            except PictureError:
                raise
            except MemoryError:
                raise PictureError("needs more memory than there is; use a smaller copy") from None
            except Exception as error:
                # Without the words of libraries, which few people would understand.
                found = "is damaged, cut short or of a rare kind"
                raise PictureError(f"{found}; {WHOLE}") from error


def _too_large(source: Source) -> str:
    found = f"has {source.width}x{source.height} pixels, too many to be safe"
    return f"{found}; expected at most {MAX_PIXELS} in all: use a smaller copy"


def target_shape(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The height and width to which `read_picture` resizes; PictureError if these are too small or too large."""
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
    if new_height * new_width > MAX_PIXELS:
        advice = "use a smaller size, or for a style picture a smaller style scale"
        raise PictureError(f"{found}; expected at most {MAX_PIXELS} pixels in all: {advice}")
    return new_height, new_width
