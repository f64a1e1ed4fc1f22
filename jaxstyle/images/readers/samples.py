"""What the readers of all formats return, and its reduction to a smaller size in strips of rows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from jaxstyle.errors import PictureError, counted
from jaxstyle.images.readers.color import Encoding, Space

WHOLE = "expected a whole picture: fetch or export it again"
_STRIP_VALUES = 2**22  # values that are converted to float32 at a time


class Alpha(Enum):
    """How the last channel of samples is used."""

    NONE = 0
    STRAIGHT = 1
    PREMULTIPLIED = 2  # colors are already multiplied by alpha


@dataclass(frozen=True, eq=False)
class Samples:
    """The decoded samples of a picture, as they are in the file.

    Attributes:
        values: `[H, W, C]` of any real type, C the channels of the space and one more for alpha.
        space: what the channels mean.
        encoding: how channels of this space become sRGB.
        alpha: the use of the last channel.
        low: the value of color channels that means 0.
        high: the value that means 1.
        opaque: the value of full alpha.
        reduction: the factor by which decoding has shrunk both sides already.
    """

    values: np.ndarray
    space: Space
    encoding: Encoding = field(default_factory=Encoding)
    alpha: Alpha = Alpha.NONE
    low: float = 0
    high: float = 255
    opaque: float = 255
    reduction: int = 1


@dataclass(frozen=True, eq=False)
class Source:
    """A picture file whose header was read.

    Attributes:
        height: rows as stored, before rotation.
        width: columns as stored.
        decode: decodes the picture. The argument is a factor by which a reader that can do so cheaply may shrink both
            sides, at most; rows and columns that do not fill the last block are averaged.
        orientation: the Exif orientation, 1 to 8.
    """

    height: int
    width: int
    decode: Callable[[int], Samples]
    orientation: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """The height and width of the upright picture."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def shrink(samples: Samples, factor: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The mean colors of blocks of `factor` x `factor` pixels, and their mean alpha.

    Returns:
        Color `[h, w, C]` in [0, 1], premultiplied by alpha, and alpha `[h, w]` or None; float32. h is H / factor,
        rounded up: the last blocks have fewer pixels.
    """
    height, width, channels = samples.values.shape
    rows = max(1, _STRIP_VALUES // (width * channels * factor)) * factor
    strips = (samples.values[row : row + rows] for row in range(0, height, rows))
    if samples.alpha is Alpha.STRAIGHT:
        means = np.concatenate([_mean_blocks(_premultiplied(_scaled(strip, samples)), factor) for strip in strips])
    else:  # scaling changes nothing about means, and there are fewer of them
        means = np.concatenate([_scaled(_mean_blocks(strip, factor), samples) for strip in strips])
    if samples.alpha is Alpha.NONE:
        return means, None
    return means[..., :-1], means[..., -1]


def _scaled(values: np.ndarray, samples: Samples) -> np.ndarray:
    """Values as float32, 0 to 1."""
    precise: Any = np.float32 if values.dtype.itemsize <= 2 else np.float64  # 16 bits fit into a float32, 32 do not
    low = np.full(values.shape[-1], samples.low, precise)
    high = np.full(values.shape[-1], samples.high, precise)
    if samples.alpha is not Alpha.NONE:
        low[-1], high[-1] = 0, samples.opaque
    return ((values - low) / (high - low)).astype(np.float32)


def _premultiplied(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[..., :-1] * values[..., -1:], values[..., -1:]], axis=-1)


def _mean_blocks(values: np.ndarray, factor: int) -> np.ndarray:
    """The means of blocks of an array `[H, W, C]`; the last blocks may be smaller."""
    if factor == 1:
        return values
    return _mean_rows(_mean_rows(values, factor).swapaxes(0, 1), factor).swapaxes(0, 1)


def _mean_rows(values: np.ndarray, factor: int) -> np.ndarray:
    """The means of every `factor` rows of an array `[N, ...]`."""
    precise: Any = np.float32 if values.dtype.itemsize <= 2 else np.float64
    whole = len(values) // factor * factor
    groups = [values[:whole].reshape(-1, factor, values[0].size), values[None, whole:].reshape(1, -1, values[0].size)]
    # Two axes after the first, because NumPy is several times slower with more of them.
    means = np.concatenate([group.mean(axis=1, dtype=precise) for group in groups if group.size])
    return means.reshape(len(means), *values.shape[1:])


def check_floats(values: np.ndarray, white: float = 1) -> None:
    """Raise PictureError unless values are between 0 and white."""
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest):
        raise PictureError(f"has values that are not numbers; expected 0 to {white:g}: replace these values")
    if not 0 <= lowest <= highest <= white:
        found = f"has float values from {lowest:g} to {highest:g}"
        raise PictureError(f"{found}; expected 0 to {white:g}: rescale the values")


def check_indices(indices: np.ndarray, colors: int) -> None:
    """Raise PictureError if an index is beyond a palette of so many colors: its color would be black, or any."""
    if (largest := int(indices.max())) >= colors:
        raise damaged(f"color {largest} of a palette with {counted(colors, 'color')} is used")


def unsupported(found: str) -> PictureError:
    """The error for a picture that may be whole, but cannot be read with certainty."""
    return PictureError(
        f"{found}, which cannot be read here; expected gray, RGB or CMYK: export it as PNG or plain TIFF"
    )


def damaged(found: str) -> PictureError:
    """The error for a picture that is not whole."""
    return PictureError(f"is damaged, cut short or of a rare kind ({found}); {WHOLE}")


def ycbcr_to_rgb(luma: np.ndarray, chroma: np.ndarray, red: float = 0.299, blue: float = 0.114) -> np.ndarray:
    """RGB `[H, W, 3]` in [0, 1] from luma `[H, W]` in [0, 1] and chroma `[H, W, 2]` in [-0.5, 0.5] (ITU-R BT.601)."""
    r = luma + 2 * (1 - red) * chroma[..., 1]
    b = luma + 2 * (1 - blue) * chroma[..., 0]
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return np.stack([r, g, b], axis=-1).clip(0, 1).astype(np.float32)


def array_samples(values: np.ndarray, encoding: Encoding, white: int, *, premultiplied: bool = False) -> Samples:
    """The samples of a decoded array `[H, W]` or `[H, W, C]`, gray or RGB by the number of its channels."""
    values = values.reshape(*values.shape[:2], -1)
    channels = values.shape[-1]
    if channels > 4:
        raise unsupported(f"has {channels} channels")
    alpha = Alpha.NONE
    if channels in (2, 4):
        alpha = Alpha.PREMULTIPLIED if premultiplied else Alpha.STRAIGHT
    return Samples(values, Space.GRAY if channels <= 2 else Space.RGB, encoding, alpha, high=white, opaque=white)
