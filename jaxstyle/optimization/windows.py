"""Windows: overlapping rectangles of one shape that cover a picture, and the tiles in their middle.

Every position of every layer belongs to exactly one tile, and everything that it depends on lies in the tile's window.
Sums over the positions of all tiles are therefore exactly those of the picture. Windows begin at multiples of the
stride of the deepest layer, so that their positions are positions of the picture, and lie within the picture: at its
border, a window has the zero padding of the picture itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxstyle.networks import Network


@dataclass(frozen=True)
class Margins:
    """What windows need around their tiles, in pixels.

    Attributes:
        stride: windows and tiles begin at multiples of it.
        before: the margin above and to the left, a multiple of the stride.
        after: the margin below and to the right, a multiple of the stride.
    """

    stride: int
    before: int
    after: int


@flax.struct.dataclass
class Window:
    """A window and its tile, in pixels of the picture. All corners are `[2]`, or `[N, 2]` for N windows.

    Attributes:
        origin: the upper left corner of the window.
        begin: the upper left corner of the tile.
        end: the lower right corner of the tile; at the border of the picture, that of what is covered.
        is_first: whether it is the first window, `[]` or `[N]`.
    """

    origin: Any
    begin: Any
    end: Any
    is_first: Any


@dataclass(frozen=True, eq=False)
class Windows:
    """The N windows of a picture.

    Attributes:
        picture: height and width of the picture.
        covered: height and width of what the windows cover: those of the picture or of a part of it, rounded up to the
            stride.
        shape: height and width of every window.
        all: the windows, from top left to bottom right, as NumPy arrays `[N, ...]`.
        start: the upper left corner of what is covered, `[2]`.
    """

    picture: tuple[int, int]
    covered: tuple[int, int]
    shape: tuple[int, int]
    all: Window
    start: Any = 0

    def corner(self, window: Window) -> jax.Array:
        """The upper left corner of a window in what is covered, `[2]`."""
        return window.origin - self.start

    def extent(self, window: Window) -> jax.Array | None:
        """Height and width `[2]` of what the window has of the picture; None if all windows are full."""
        if self.picture == self.covered:
            return None
        return jnp.minimum(np.array(self.shape), np.array(self.picture) - window.origin)

    def counted(self, window: Window, stride: int, shape: tuple[int, ...], extent: Any) -> jax.Array:
        """1 at the positions of the tile and 0 at the others, `[h, w]`.

        Args:
            window: the window.
            stride: that of the layer, in pixels.
            shape: height and width of the layer in a window.
            extent: height and width `[2]` of the layer in the whole picture.
        """
        ends = jnp.minimum(window.end // stride, extent)
        inside = []
        for axis in (0, 1):
            index = window.origin[axis] // stride + lax.broadcasted_iota(jnp.int32, shape[:2], axis)
            inside.append((index >= window.begin[axis] // stride) & (index < ends[axis]))
        return (inside[0] & inside[1]).astype(jnp.float32)

    def positions(self, stride: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Height and width of a layer for what is covered, if in a window it has this shape."""
        return tuple(
            (whole - side) // stride + positions
            for whole, side, positions in zip(self.covered, self.shape, shape, strict=False)
        )


def margins_for(network: Network, reaches: Mapping[str, int]) -> Margins:
    """The margins for layers whose positions are summed up.

    Args:
        network: the recognition network.
        reaches: for each layer, how many positions below and to the right of its own a summand depends on.
    """
    fields = {layer: network.receptive_field(layer) for layer in reaches}
    stride = math.lcm(1, *(field.stride for field in fields.values()))
    before = [1, *(field.before for field in fields.values())]  # 1 for neighbors of pixels
    # Tiles end at multiples of the stride, so the last position of a layer begins one stride of the layer before.
    after = [1, *(field.after + 1 + (reaches[layer] - 1) * field.stride for layer, field in fields.items())]
    return Margins(stride, _round_up(max(before), stride), _round_up(max(after), stride))


def cover(height: int, width: int, tile_size: int, margins: Margins) -> Windows:
    """The windows that cover a picture, with tiles of at most `tile_size` pixels a side, rounded up to the stride.

    Tiles at the border are larger, by the margin that their windows do not need there. All windows are as small as
    their number allows.
    """
    covered = _round_up(height, margins.stride), _round_up(width, margins.stride)
    shape = tuple(_window_size(length, tile_size, margins) for length in covered)
    rows, columns = (_spans(length, size, margins) for length, size in zip(covered, shape, strict=True))
    corners = np.array([list(zip(row, column, strict=True)) for row in rows for column in columns], np.int32)
    origins, begins, ends = np.moveaxis(corners, 1, 0)
    windows = Window(origins, begins, ends, np.arange(len(corners)) == 0)
    return Windows((height, width), covered, (shape[0], shape[1]), windows)


def _window_size(length: int, tile_size: int, margins: Margins) -> int:
    """The size of the windows along an axis of a covered length."""
    margin, tile_size = margins.before + margins.after, _round_up(tile_size, margins.stride)
    if length - margin <= tile_size:
        return length
    count = math.ceil((length - margin) / tile_size)
    return _round_up(math.ceil((length - margin) / count), margins.stride) + margin


def _spans(length: int, size: int, margins: Margins) -> list[tuple[int, int, int]]:
    """Where each window begins, its tile begins, and its tile ends, along one axis."""
    step = size - margins.before - margins.after
    origins = [*range(0, length - size, step), length - size] if size < length else [0]
    begins = [0, *(origin + margins.before for origin in origins[1:])]
    return list(zip(origins, begins, [*begins[1:], length], strict=True))


def read(array: jax.Array, corner: jax.Array, shape: tuple[int, ...], *, axis: int = 0) -> jax.Array:
    """A rectangle of an array with this upper left corner `[2]`, height and width, which are those of two axes."""
    zero = jnp.zeros_like(corner[0])
    corners, sizes = [zero] * array.ndim, list(array.shape)
    corners[axis : axis + 2], sizes[axis : axis + 2] = list(corner), list(shape[:2])
    return lax.dynamic_slice(array, corners, sizes)


def write(array: jax.Array, corner: jax.Array, values: jax.Array) -> jax.Array:
    """The array with a rectangle replaced, which has this upper left corner `[2]`."""
    return lax.dynamic_update_slice(array, values, (*corner, *[jnp.zeros_like(corner[0])] * (array.ndim - 2)))


def pad_to(array: jax.Array, shape: tuple[int, ...], *, axis: int = 0) -> jax.Array:
    """Pad with zeros at the bottom and on the right to this height and width, which are those of two axes."""
    padding = [(0, 0)] * array.ndim
    for index, side in enumerate(shape[:2], axis):
        padding[index] = (0, max(0, side - array.shape[index]))
    return jnp.pad(array, padding) if any(after for _, after in padding) else array


def _round_up(length: int, stride: int) -> int:
    return -(-length // stride) * stride
