"""Bands: a picture on several devices, each of which holds some of its rows, and computes the tiles in them.

Each device also needs the rows next to its band, which it gets from its two neighbors. All bands have the same number
of rows, a multiple of the stride of the deepest layer, so the last one may go beyond the picture. The sums of all bands
are added up; nothing else is exchanged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxstyle.optimization.windows import Margins, Window, Windows, cover

AXIS = "bands"  # of the mesh of devices
Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Bands:
    """How a picture is split.

    Attributes:
        count: the number of bands and devices.
        rows: the rows of the picture in each band.
        height: the height of the picture, at most `count * rows`.
        margins: what windows need around their tiles.
    """

    count: int
    rows: int
    height: int
    margins: Margins

    @property
    def mesh(self) -> Mesh:
        """The devices, one for each band."""
        return _mesh(self.count)

    def sharding(self, _: Any = None) -> NamedSharding:
        """That of arrays that every device has."""
        return NamedSharding(self.mesh, P())

    def state_sharding(self, leaf: Any) -> NamedSharding:
        """That of an array of a solver's state: of pictures `[..., H, W, 3]`, or of numbers."""
        return NamedSharding(self.mesh, P(*[None] * (leaf.ndim - 3), AXIS)) if leaf.ndim >= 3 else self.sharding()

    def replicate(self, tree: Tree) -> Tree:
        """Copy arrays to all devices."""
        return jax.device_put(tree, self.sharding())

    def shapes(self, tree: Tree, sharding: Callable[[Any], NamedSharding]) -> Tree:
        """The shapes of arrays with their shardings, to compile for."""
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding(leaf)), tree)

    def fit(self, array: Any, *, axis: int, stride: int = 1) -> Any:
        """An array with the rows of all bands, those beyond the picture 0; `stride` is that of its layer in pixels."""
        rows, widths = self.count * self.rows // stride, [(0, 0)] * array.ndim
        widths[axis] = (0, max(0, rows - array.shape[axis]))
        return lax.slice_in_dim(jnp.pad(array, widths), 0, rows, axis=axis)

    def extend(self, *, axis: int = 0, stride: int = 1) -> Callable[[jax.Array], jax.Array]:
        """The function from a device's band of an array to its band with all rows that its windows need.

        These are as many on every device: the first and the last have more of one neighbor.
        """
        margin, above, rows = (pixels // stride for pixels in (self._margin, self.margins.before, self.rows))

        def extend(band: jax.Array) -> jax.Array:
            last, first = (
                lax.slice_in_dim(band, rows - margin, rows, axis=axis),
                lax.slice_in_dim(band, 0, margin, axis=axis),
            )
            downwards = [(index, index + 1) for index in range(self.count - 1)]
            upwards = [(other, index) for index, other in downwards]
            both = [lax.ppermute(last, AXIS, downwards), band, lax.ppermute(first, AXIS, upwards)]
            begin = self._begin(above, rows, margin) - (lax.axis_index(AXIS) * rows - margin)
            return lax.dynamic_slice_in_dim(jnp.concatenate(both, axis), begin, rows + margin, axis)

        return extend

    def cover(self, width: int, tile_size: int) -> Windows:
        """The windows of a device's band of a picture of this width, whose tiles are the band."""
        extended = cover(self.rows + self._margin, width, tile_size, self.margins)
        begin = lax.axis_index(AXIS) * self.rows
        start = jnp.stack([self._begin(self.margins.before, self.rows, self._margin), jnp.zeros_like(begin)])
        limits = jnp.stack([begin, jnp.zeros_like(begin)]), jnp.stack([begin + self.rows, jnp.full_like(begin, 2**30)])
        begins, ends = (jnp.clip(corner + start, *limits) for corner in (extended.all.begin, extended.all.end))
        windows = Window(extended.all.origin + start, begins, ends, jnp.zeros_like(extended.all.is_first))
        return Windows((self.height, width), extended.covered, extended.shape, windows, start)

    @property
    def _margin(self) -> int:
        return self.margins.before + self.margins.after

    def _begin(self, above: int, rows: int, margin: int) -> jax.Array:
        """The first row of a device's band with the rows that its windows need, which lie within all bands."""
        return jnp.clip(lax.axis_index(AXIS) * rows - above, 0, self.count * rows - rows - margin)


def first_rows(height: int, picture: np.ndarray) -> np.ndarray:
    """A picture of this height without the rows that all bands together have beyond it."""
    return picture[:height]


def split_into_bands(height: int, margins: Margins) -> Bands | None:
    """Bands for as many of the local devices as have enough rows; None for one."""
    for count in range(len(jax.local_devices()), 1, -1):
        rows = -(-height // (count * margins.stride)) * margins.stride
        if rows >= margins.before + margins.after and (count - 1) * rows < height:
            return Bands(count, rows, height, margins)
    return None


@cache
def _mesh(count: int) -> Mesh:
    return Mesh(np.array(jax.local_devices()[:count]), (AXIS,))
