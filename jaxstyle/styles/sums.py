"""Style representations as functions of sums over positions, which can be added up part by part of a picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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

    def statistics(self, sums: Sums, centers: Features) -> LayerStatistics:
        """The representation that follows from the sums of all positions."""
        return {layer: self.finish(values, centers[layer]) for layer, values in sums.items()}


def for_each_layer(add: Callable[..., tuple[jax.Array, ...]]) -> Callable[..., Sums]:
    """`PositionSums.add` for a function of the value, center, weights and counted positions of a single layer."""

    def add_layers(features: Features, centers: Features, weights: PositionWeights, counted: PositionWeights) -> Sums:
        return {
            layer: add(value, centers[layer], weights_at(weights, layer), weights_at(counted, layer))
            for layer, value in features.items()
        }

    return add_layers
