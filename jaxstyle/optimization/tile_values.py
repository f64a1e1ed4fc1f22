"""Values at all positions of a picture, put together from those of its tiles."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np

from jaxstyle.networks import Network
from jaxstyle.optimization.windows import Window, Windows, read, write
from jaxstyle.styles import Layers, PositionValues


@dataclass(frozen=True, eq=False)
class TileValues:
    """The values of a style representation, by tiles.

    Attributes:
        basis: the values of the style representation.
        windows: the windows of the picture.
        strides: the stride of each layer's values in pixels.
        shapes: height and width of each layer's values in a window.
        extents: height and width `[2]` of each layer's values in the whole picture.
    """

    basis: PositionValues
    windows: Windows
    strides: dict[str, int]
    shapes: dict[str, tuple[int, int]]
    extents: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, basis: PositionValues, network: Network, windows: Windows, layers: tuple[str, ...]) -> Self:
        """The values of a representation of these layers, the shallowest first."""

        def extents(shape: tuple[int, int]) -> Mapping[str, np.ndarray]:
            return basis.extents({layer: network.extent_at(layer, np.array(shape)) for layer in layers})

        strides = {layer: network.receptive_field(other).stride for layer, other in basis.layer_of(layers).items()}
        shapes = {layer: (int(extent[0]), int(extent[1])) for layer, extent in extents(windows.shape).items()}
        return cls(basis, windows, strides, shapes, extents(windows.picture))

    def of_tile(self, features: Layers, window: Window) -> Layers:
        """The values of a window `[h, w, D]`, 0 outside its tile."""

        def masked(layer: str, values: jax.Array) -> jax.Array:
            counted = self.windows.counted(window, self.strides[layer], self.shapes[layer], self.extents[layer])
            return values * counted[..., None]

        return {layer: masked(layer, values) for layer, values in self.basis.values(features).items()}

    def shapes_of_whole(self, shapes: Mapping[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
        """The shapes of the values of all that the windows cover, for those of a window."""
        return {
            layer: jax.ShapeDtypeStruct(
                (*self.windows.positions(self.strides[layer], self.shapes[layer]), value.shape[-1]), value.dtype
            )
            for layer, value in shapes.items()
        }

    def add(self, whole: Layers, values: Layers, window: Window) -> Layers:
        """The values of all that the windows cover, with those of a tile in their places, where they were 0."""
        before = self.read(whole, window)
        return {
            layer: write(whole[layer], self._corner(window, layer), before[layer] + values[layer]) for layer in values
        }

    def read(self, whole: Layers, window: Window) -> Layers:
        """The values of a window."""
        return {layer: read(value, self._corner(window, layer), self.shapes[layer]) for layer, value in whole.items()}

    def measure(self, measure: Callable[..., Any], whole: Layers, weights: Layers | None) -> Any:
        """What `measure` says of the values of the picture, and of the weights of its positions."""
        values = {layer: value[: self.extents[layer][0], : self.extents[layer][1]] for layer, value in whole.items()}
        with jax.default_matmul_precision("highest"):
            return measure(values, weights)

    def _corner(self, window: Window, layer: str) -> jax.Array:
        return self.windows.corner(window) // self.strides[layer]
