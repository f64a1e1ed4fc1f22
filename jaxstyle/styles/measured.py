"""What is kept of a style picture: statistics of its features and colors, at one size or at all sizes of a run.

Most of them are means over positions, and `representations` tells which are not. The statistics of several pictures
together, or of a blend of them, are therefore the weighted mean of theirs.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import flax.struct
import jax

from jaxstyle.compilation.cached import CachedFunction
from jaxstyle.errors import ConfigError
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.networks.network import Network
from jaxstyle.styles.regions import Regions
from jaxstyle.styles.representations import measure_features
from jaxstyle.styles.statistics import color_moments

Layers = dict[str, jax.Array]
STYLE_LAYERS = ARCHITECTURES["vgg19"].style_layers

# Strokes may come out larger or smaller by this factor before a measured style counts as unknown at a size.
_NEAR = 1.5


@flax.struct.dataclass
class StyleStatistics:
    """A style picture at one size; with a leading axis everywhere, its K regions.

    Attributes:
        measured: by layer, what a style representation keeps: Gram matrices `[C, C]`, for example.
        color: moments of its color distribution, `[13, 8]`.
        mean, second: of its colors c, the means of c, `[3]`, and of c c^T, `[3, 3]`.
    """

    measured: Layers
    color: jax.Array
    mean: jax.Array
    second: jax.Array


@flax.struct.dataclass
class Style:
    """A style picture at the sizes of an optimization, measured once for many: a pytree, made by `measure_style`.

    Attributes:
        statistics: at each of `sizes`.
        sizes: the longest sides that the picture had, coarse to fine.
        architecture, pooling, digest: the network that measured it; see `Network`.
        representation: what was measured; see `StyleConfig.style_representation`.
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
        """Whether one Gram matrix was measured in each layer."""
        return self.representation == "gram" and all(part.ndim == 2 for part in self.statistics[0].measured.values())

    def at(self, longest: float) -> StyleStatistics:
        """The statistics at the measured size that is nearest to this longest side in pixels.

        Raises:
            ConfigError: if that is half as large again, or more, in either direction.
        """
        apart = [abs(math.log(size / max(1, longest))) for size in self.sizes]
        if min(apart) > math.log(_NEAR):
            sizes = ", ".join(map(str, self.sizes))
            raise ConfigError(
                f"the style was measured at {sizes} px and is needed at {round(longest)} px; measure it at that size"
            )
        return self.statistics[apart.index(min(apart))]


def style_targets(
    network: Network,
    picture: jax.Array,
    layers: Sequence[str] = STYLE_LAYERS,
    *,
    representation: str = "gram",
    regions: Regions | None = None,
) -> Layers:
    """A: what a representation keeps of a style picture `[H, W, 3]` by layer, such as its Gram matrices, each `[C, C]`.

    Gram matrices are means over positions: a blend of styles is a weighted mean of their targets.

    Args:
        network, picture, layers: of which features.
        representation: see `StyleConfig.style_representation`.
        regions: those of the picture, for targets of each, with a leading axis.
    """
    found = network.features(picture, layers)
    features = {layer: found[layer] for layer in network.layers if layer in found}
    return measure_features(representation, features, None if regions is None else regions.layers)


@partial(CachedFunction, static_argnames=("layers", "representation"))
def measure_statistics(
    network: Network,
    picture: jax.Array,
    layers: tuple[str, ...],
    representation: str = "gram",
    regions: Regions | None = None,
) -> StyleStatistics:
    """The statistics of a style picture `[H, W, 3]` as it is, or of its regions."""
    measured = style_targets(network, picture, layers, representation=representation, regions=regions)
    if regions is None:
        return StyleStatistics(measured, color_moments(picture), *color_means(picture))

    def colors_in(weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return color_moments(picture, weights=weights), *color_means(picture, weights)

    return StyleStatistics(measured, *jax.vmap(colors_in)(regions.picture))


def color_means(picture: Any, weights: Any = None) -> tuple[Any, Any]:
    """The means of a picture's colors c, `[3]`, and of c c^T, `[3, 3]`; of a NumPy array in NumPy.

    With weights `[H, W]`, not all 0, they are weighted means.
    """
    colors = picture.reshape(-1, 3)
    with jax.default_matmul_precision("highest"):
        if weights is None:
            return colors.mean(0), colors.T @ colors / colors.shape[0]
        shares = (weights / weights.sum()).reshape(-1, 1)
        return (shares * colors).sum(0), colors.T @ (shares * colors)


def blend_statistics(statistics: Sequence[StyleStatistics], shares: Sequence[float] = ()) -> StyleStatistics:
    """The statistics of several styles together, each with its share; only their ratios matter, equal without.

    They are those in the layers that all of the styles have.

    Raises:
        ConfigError: if there are not as many shares as styles.
    """
    if shares and len(shares) != len(statistics):
        raise ConfigError(
            f"style_blend has {len(shares)} weights for {len(statistics)} style pictures; expected one for each"
        )
    shares = shares or (1.0,) * len(statistics)
    shares = [share / sum(shares) for share in shares]
    layers = [layer for layer in statistics[0].measured if all(layer in part.measured for part in statistics)]
    alike = [select_layers(part, layers) for part in statistics]
    if len(alike) == 1:
        return alike[0]
    return jax.tree.map(lambda *parts: sum(map(operator.mul, shares, parts)), *alike)


def select_layers(statistics: StyleStatistics, layers: Iterable[str]) -> StyleStatistics:
    """Of what was measured, only these layers."""
    return replace(statistics, measured={layer: statistics.measured[layer] for layer in layers})


def make_style(
    network: Network, sizes: Sequence[float], statistics: Iterable[StyleStatistics], representation: str
) -> Style:
    """The style of which a network found these statistics at these longest sides."""
    return Style(
        statistics=tuple(statistics),
        sizes=tuple(max(1, round(size)) for size in sizes),
        architecture=network.architecture,
        pooling=network.pooling,
        digest=network.digest,
        representation=representation,
    )


def check_compatible(style: Style, network: Network, layers: Sequence[str], representation: str = "gram") -> None:
    """Raise ConfigError unless the style was measured so, with this network, in every one of these layers."""
    for name in ("architecture", "pooling", "digest"):
        found, expected = getattr(style, name), getattr(network, name)
        if found != expected:
            what = "weights with the SHA-256" if name == "digest" else name
            raise ConfigError(
                f"the style was measured by a network of another kind ({what} {found}; this one has {expected}); "
                "use that network, or measure the style again with this one"
            )
    if style.representation != representation:
        raise ConfigError(
            f"the style was measured as {style.representation!r}, and style_representation is {representation!r}; "
            "use that one, or measure the style again with this one"
        )
    if representation == "neighbors" and set(layers) != set(style.layers):
        raise ConfigError(
            f"the style was measured between the neighbors of {', '.join(style.layers)}; "
            "expected these style layers and no others: choose them, or measure it again"
        )
    if missing := [layer for layer in layers if layer not in style.layers]:
        raise ConfigError(
            f"the style was not measured in {', '.join(missing)}, only in {', '.join(style.layers)}; "
            "choose style layers among these, or measure it again"
        )
