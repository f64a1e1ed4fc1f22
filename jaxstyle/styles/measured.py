"""Measured styles: the statistics of a style picture's features and colors, at one size or at all sizes of a run.

Most statistics are means over positions; `representations` says which are not. The statistics of a blend of styles are
therefore the weighted mean of the styles' statistics, unless they are samples.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import flax.struct
import jax

from jaxstyle.compilation import CachedFunction, register_output
from jaxstyle.errors import ConfigError, counted
from jaxstyle.networks import ARCHITECTURES, Network, check_network
from jaxstyle.styles.grain import measure_grain
from jaxstyle.styles.positions import valid_mask
from jaxstyle.styles.regions import Regions
from jaxstyle.styles.representations import REPRESENTATIONS, measure_features, weighted_mean
from jaxstyle.styles.statistics import color_moments

Layers = dict[str, jax.Array]
STYLE_LAYERS = ARCHITECTURES["vgg19"].style_layers

# Largest ratio between the size that is needed and the nearest measured one. Strokes are larger or smaller by it.
_MAX_RATIO = 1.5


@register_output
@flax.struct.dataclass
class StyleStatistics:
    """The statistics of a style picture at one size, or of its K regions, with a leading axis `[K, ...]` on all arrays.

    Attributes:
        measured: the style representation of each layer, such as Gram matrices, `{layer: [C, C]}`.
        color: the color distribution, `[13, 8]`; see `color_moments`.
        mean: the mean of the colors c, `[3]`.
        second: their second moment, the mean of c c^T, `[3, 3]`.
        grain: the grain of luma and chroma, `[4]`; see `measure_grain`.
    """

    measured: Layers
    color: jax.Array
    mean: jax.Array
    second: jax.Array
    grain: jax.Array


@flax.struct.dataclass
class Style:
    """The statistics of a style picture at all sizes of a run, to use in place of the picture in any number of runs.

    A pytree, made by `measure_style`.

    Attributes:
        statistics: those at each of `sizes`.
        sizes: the longest sides in pixels at which the picture was measured, coarse to fine.
        architecture: the architecture of the network that measured it.
        pooling: the pooling of that network.
        digest: the digest of that network; see `Network`.
        representation: the style representation; see `StyleConfig.style_representation`.
    """

    statistics: tuple[StyleStatistics, ...]
    sizes: tuple[int, ...] = flax.struct.field(pytree_node=False)
    architecture: str = flax.struct.field(pytree_node=False)
    pooling: str = flax.struct.field(pytree_node=False)
    digest: str = flax.struct.field(pytree_node=False)
    representation: str = flax.struct.field(pytree_node=False, default="gram")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that were measured."""
        return tuple(self.statistics[0].measured)

    @property
    def has_grams(self) -> bool:
        """Whether the style has one Gram matrix for each layer."""
        return self.representation == "gram" and all(gram.ndim == 2 for gram in self.statistics[0].measured.values())

    def at(self, longest: float) -> StyleStatistics:
        """The statistics at the measured size that is nearest to this longest side in pixels.

        Raises:
            ConfigError: if the sizes differ by more than a factor of 1.5.
        """
        distances = [abs(math.log(size / max(1, longest))) for size in self.sizes]
        if min(distances) > math.log(_MAX_RATIO):
            sizes = ", ".join(map(str, self.sizes))
            raise ConfigError(
                f"the style was measured at {sizes} px, but {round(longest)} px is needed; measure it at that size"
            )
        return self.statistics[distances.index(min(distances))]


def style_targets(
    network: Network,
    picture: jax.Array,
    layers: Sequence[str] = STYLE_LAYERS,
    *,
    representation: str = "gram",
    regions: Regions | None = None,
) -> Layers:
    """Compute the targets A of `style_loss`: a style representation of the picture, by default its Gram matrices.

    Gram matrices are means over positions, so those of a blend of styles are the weighted mean of the styles' targets.

    Args:
        network: the recognition network.
        picture: `[H, W, 3]` in [0, 1].
        layers: the style layers.
        representation: see `StyleConfig.style_representation`.
        regions: the picture's K regions, to measure each of them.

    Returns:
        `{layer: [C, C]}` for Gram matrices; for the shapes of others see `representations`. With regions, all arrays
        have a leading axis `[K, ...]`.

    Raises:
        ConfigError: for a layer that the network does not have, an unknown representation, or a name in place of a
            network.
        PictureError: as `Network.features`.
    """
    check_network(network)
    features = network.features(picture, layers)
    ordered = {layer: features[layer] for layer in network.in_order(features)}
    return measure_features(representation, ordered, None if regions is None else regions.layers)


@partial(CachedFunction, static_argnames=("layers", "representation"))
def measure_statistics(
    network: Network,
    picture: jax.Array,
    layers: tuple[str, ...],
    representation: str = "gram",
    regions: Regions | None = None,
) -> StyleStatistics:
    """The statistics of a style picture `[H, W, 3]` at its current size, or of each of its regions."""
    measured = style_targets(network, picture, layers, representation=representation, regions=regions)
    if regions is None:
        return _with_pixels(measured, picture)
    return jax.vmap(partial(_with_pixels, picture=picture))(measured, weights=regions.picture)


@partial(CachedFunction, static_argnames=("layers", "representation"))
def measure_padded_statistics(
    network: Network, picture: jax.Array, extent: jax.Array, layers: tuple[str, ...], representation: str
) -> StyleStatistics:
    """`measure_statistics` of a picture padded with zeros `[H, W, 3]`, to rounding: one program for many shapes.

    Args:
        network: the recognition network.
        picture: the padded picture.
        extent: the height and width `[2]` of the picture without the padding.
        layers: the style layers.
        representation: a representation that is a function of sums over positions.
    """
    features = network.features(picture, layers, extent=extent)
    ordered = {layer: features[layer] for layer in network.in_order(features)}
    masks = {layer: valid_mask(value.shape, network.extent_at(layer, extent)) for layer, value in ordered.items()}
    weights = valid_mask(picture.shape, extent)
    return _with_pixels(measure_features(representation, ordered, masks), picture, weights)


def _with_pixels(measured: Layers, picture: jax.Array, weights: jax.Array | None = None) -> StyleStatistics:
    """What was measured of features, with the statistics of the pixels."""
    moments = first_and_second_moments(picture, weights)
    color, grain = color_moments(picture, weights=weights), measure_grain(picture, weights=weights)
    return StyleStatistics(measured, color, *moments, grain)


def first_and_second_moments(picture: Any, weights: Any = None) -> tuple[Any, Any]:
    """The first and second moments of a picture's colors c: the means of c, `[3]`, and of c c^T, `[3, 3]`.

    For a NumPy array they are computed in NumPy. With weights `[H, W]`, not all 0, they are weighted means.
    """
    colors = picture.reshape(-1, 3)
    with jax.default_matmul_precision("highest"):
        if weights is None:
            return colors.mean(0), colors.T @ colors / colors.shape[0]
        shares = (weights / weights.sum()).reshape(-1, 1)
        return (shares * colors).sum(0), colors.T @ (shares * colors)


def blend_statistics(
    statistics: Sequence[StyleStatistics], shares: Sequence[float] = (), representation: str = "gram"
) -> StyleStatistics:
    """Blend styles in the layers that all of them have: mostly, the weighted mean of their statistics.

    Args:
        statistics: those of each style.
        shares: the weight of each style, of which only the ratios matter; empty for equal weights.
        representation: that of the statistics, which says how they are blended.

    Raises:
        ConfigError: if the numbers of shares and styles differ, or the representation cannot have these shares.
    """
    if shares and len(shares) != len(statistics):
        raise ConfigError(
            f"style_blend has {counted(len(shares), 'weight')} for "
            f"{counted(len(statistics), 'style picture')}; expected one for each"
        )
    shares = shares or (1.0,) * len(statistics)
    shares = [share / sum(shares) for share in shares]
    first, *others = statistics
    layers = [layer for layer in first.measured if all(layer in other.measured for other in others)]
    selected = [select_layers(style, layers) for style in statistics]
    if not others:
        return selected[0]
    blend = REPRESENTATIONS[representation].blend
    measured = {layer: blend([style.measured[layer] for style in selected], shares) for layer in layers}
    colors = (replace(style, measured={}) for style in selected)
    return replace(jax.tree.map(lambda *values: weighted_mean(values, shares), *colors), measured=measured)


def select_layers(statistics: StyleStatistics, layers: Iterable[str]) -> StyleStatistics:
    """The statistics with only these layers."""
    return replace(statistics, measured={layer: statistics.measured[layer] for layer in layers})


def make_style(
    network: Network, sizes: Sequence[float], statistics: Iterable[StyleStatistics], representation: str
) -> Style:
    """A `Style` from statistics that the network measured at these longest sides in pixels."""
    return Style(
        statistics=tuple(statistics),
        sizes=tuple(max(1, round(size)) for size in sizes),
        architecture=network.architecture,
        pooling=network.pooling,
        digest=network.digest,
        representation=representation,
    )


def check_compatible(style: Style, network: Network, layers: Sequence[str], representation: str = "gram") -> None:
    """Raise ConfigError unless the style was measured with this network and representation, in all of these layers."""
    for attribute in ("architecture", "pooling", "digest"):
        found, expected = getattr(style, attribute), getattr(network, attribute)
        if found != expected:
            name = "weights with SHA-256" if attribute == "digest" else attribute
            raise ConfigError(
                f"the style was measured with another network ({name} {found}, but this network has {expected}); "
                "use that network, or measure the style again with this one"
            )
    if style.representation != representation:
        raise ConfigError(
            f"the style was measured as {style.representation!r}, but style_representation is {representation!r}; "
            f"use {style.representation!r}, or measure the style again"
        )
    if REPRESENTATIONS[representation].is_joint and set(layers) != set(style.layers):
        raise ConfigError(
            f"the style was measured as {representation!r} in the layers {', '.join(style.layers)}; "
            "expected exactly these style layers: use them, or measure the style again"
        )
    if missing := [layer for layer in layers if layer not in style.layers]:
        raise ConfigError(
            f"the style was not measured in {', '.join(missing)}, only in {', '.join(style.layers)}; "
            "use style layers from this list, or measure the style again"
        )
