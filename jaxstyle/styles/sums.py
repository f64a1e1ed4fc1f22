"""Style representations as functions of what can be computed part by part of a picture: sums over positions, which are
added up, or values at all positions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxstyle.styles.positions import Features, PositionWeights, Weights, position_mean, weights_at

LayerStatistics = dict[str, jax.Array]
Sums = dict[str, tuple[jax.Array, ...]]


def feature_means(features: Features, position_weights: PositionWeights = None) -> dict[str, jax.Array]:
    """Each channel's mean, `{layer: [C]}` float32, a constant for derivatives; unweighted if all weights are 0."""

    def mean_of(value: jax.Array, weights: Weights) -> jax.Array:
        mean = position_mean(value, None)
        return mean if weights is None else jnp.where(weights.sum() > 0, position_mean(value, weights), mean)

    return {
        layer: lax.stop_gradient(mean_of(value, weights_at(position_weights, layer)))
        for layer, value in features.items()
    }


@dataclass(frozen=True)
class PositionSums:
    """A representation as a function of sums over positions, which may be added up part by part of a picture.

    The sums are those of features minus `centers`, `{layer: [C]}`. The result does not depend on the centers, except
    for rounding, which is least with centers near the means.

    Attributes:
        add: `add(features, centers, weights, counted)` returns a tuple of sums for each layer. `weights` and `counted`,
            `{layer: [H, W]}` or None for 1 everywhere, are the weights of positions, and 1 at the positions that count
            in these sums: those outside may still be neighbors of those that count.
        finish: `finish(sums, center)` returns the statistics of a layer.
        reach: how many positions below and to the right of a position its part of the sums depends on.
        extents: the height and width `[2]` of the positions that count in each layer, for those that the layers have.
    """

    add: Callable[..., Sums]
    finish: Callable[[tuple[jax.Array, ...], jax.Array], jax.Array]
    reach: int = 0
    extents: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict

    def measure(self, features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
        """The representation of a whole picture."""
        centers = feature_means(features, position_weights)
        return self.statistics(self.add(features, centers, position_weights, None), centers)

    describe = measure

    def statistics(self, sums: Sums, centers: Features) -> LayerStatistics:
        """The representation that follows from the sums of all positions."""
        return {layer: self.finish(values, centers[layer]) for layer, values in sums.items()}


@dataclass(frozen=True)
class PositionValues:
    """A representation as a function of values at all positions, of which sums do not say enough.

    Attributes:
        values: `values(features)` returns those of each layer, `{layer: [h, w, D]}` float32.
        measure_values: `measure_values(values, weights)` returns the statistics of a style. The weights are those of
            the positions of features, `{layer: [H, W]}` or None for 1 everywhere.
        describe_values: the same for what of a picture is compared with a style.
        layer_of: `layer_of(layers)` returns for each layer the one that has the positions of its values.
        extents: the height and width `[2]` of the values of each layer, for those of the features.
        reach: see `PositionSums`.
    """

    reach: ClassVar[int] = 0

    values: Callable[[Features], dict[str, jax.Array]]
    measure_values: Callable[..., LayerStatistics]
    describe_values: Callable[..., Any]
    layer_of: Callable[[Sequence[str]], Mapping[str, str]] = lambda layers: dict(zip(layers, layers, strict=True))
    extents: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict

    def measure(self, features: Features, position_weights: PositionWeights = None) -> LayerStatistics:
        """The representation of a whole picture of a style."""
        return self.measure_values(self.values(features), position_weights)

    def describe(self, features: Features, position_weights: PositionWeights = None) -> Any:
        """What of a whole picture is compared with a style."""
        return self.describe_values(self.values(features), position_weights)


def for_each_layer(add: Callable[..., tuple[jax.Array, ...]]) -> Callable[..., Sums]:
    """`PositionSums.add` for a function of the value, center, weights and counted positions of a single layer."""

    def add_layers(features: Features, centers: Features, weights: PositionWeights, counted: PositionWeights) -> Sums:
        return {
            layer: add(value, centers[layer], weights_at(weights, layer), weights_at(counted, layer))
            for layer, value in features.items()
        }

    return add_layers
