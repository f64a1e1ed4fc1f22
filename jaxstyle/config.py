"""The settings of a stylization: a frozen, hashable dataclass that checks its values."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from jaxstyle.arguments import check_choice, check_count, check_type, describe_value
from jaxstyle.errors import ConfigError, counted

TERMS = "content", "style", "color", "tv", "grain"  # of the loss, each with a weight
NORMALIZATIONS = ("relative", "gatys")
OPTIMIZERS = ("lbfgs", "adam")
COLORS = ("style", "content", "luminance")
INITS = ("content", "noise", "pink", "style", "picture")

MAX_STEPS = 1_000_000  # at each size; a typing error, if more: pictures stop changing after some hundreds
MAX_REGIONS = 16  # the memory for the style layers is multiplied by the number of regions

# Names for choices of layers that work for every network.
PARTITIONS = ("default", "all", "shallow", "deep", "rising", "falling")

# Layers, or components of the initial picture, with their weights.
Weighted = tuple[tuple[str, float], ...]
# The settings of this type, with values that work, for errors.
_WEIGHTED = {
    "content_layers": '{"relu4_2": 1.0}',
    "style_layers": '{"relu1_1": 1.0, "relu2_1": 0.5}',
    "colors": '"content" or {"content": 0.5}',
    "init": '"noise" or {"content": 0.7, "noise": 0.3}',
}


@dataclass(frozen=True)
class StyleConfig:
    """What the losses compare, their weights, and how to optimize.

    The defaults were chosen with VGG-19 and carry over between networks, poolings, layers and sizes, because every
    term is relative to its target. `docs/defaults.md` shows the pictures by which they were chosen.

    Layers, `colors` and `init` are names with weights: `((name, weight), ...)`, `{name: weight}`, a sequence of names
    or one name, whose weights are 1. All are stored as tuples, and so are lists of numbers. ConfigError for any value
    of another kind or out of range. Weights of the loss are numbers from 0 up, not all 0.

    Attributes:
        size: longest side of the result in pixels.
        content_layers: names with weights, of which only the ratios matter, or one of `PARTITIONS`:
            "default" for the usual layers of the network, "all" for all of its activations, "shallow" and "deep" for
            their first and second half, "rising" and "falling" for all with weights that double or halve from one to
            the next (Novak and Nikulin, arXiv 1605.04603).
        style_layers: the same for the style.
        strength: how much of the style the result takes: 0 gives the content itself, 1 what the weights say, up to 2
            for the most. Below 1 the style is blended with the content's own; above 1 the content's weight falls.
        content_weight: alpha, the weight of the content loss.
        style_weight: beta, the weight of the style loss.
        color_weight: weight of the distance between the color distributions of picture and style.
        tv_weight: weight of the total variation, in which chroma counts more than brightness, in units of the picture's
            longest side: it means the same at every size.
        grain_weight: weight of the grain that the result has beyond the style's own; see `styles.grain_excess`.
        style_blend: share of each style picture, where only the ratios matter; empty for equal shares. Negative shares
            extrapolate: (1.5, -0.5) goes beyond the first style, away from the second.
        colors: whose colors the result has: "style"; "content", for which the style is recolored, with a share such as
            `{"content": 0.5}`, where the rest is the style's; or "luminance", for which only the luminance is
            stylized, and the chroma stays exactly the content's.
        style_scale: longest side of the style pictures relative to that of the result; above 1, strokes are larger. A
            number above 0 for all styles, or one for each.
        rotate_style: degrees, from -360 to 360, by which the style pictures are turned, counterclockwise, for strokes
            in another direction. Strokes are those of the largest upright rectangle, colors those of the whole.
        style_representation: the statistics that describe the style: "gram" for Gram matrices, or another name in
            `styles.REPRESENTATIONS`.
        regions: the number of regions, up to 16, such as sky and ground, to find in content and style by clustering
            deep features. Each region of the content takes the style of the most similar one; 1 for the whole style.
        normalization: "relative", or "gatys" for the scale of the losses in Gatys et al. (arXiv 1508.06576).
        init: the initial picture as a mixture, such as `{"content": 0.7, "noise": 0.3}`, of "content" (in the style's
            colors), "noise" (white), "pink" noise, "style" and "picture" (the argument `initial_picture` of `stylize`).
            Only the ratios of the shares matter.
        optimizer: "lbfgs" or "adam".
        steps: steps at each size, coarse to fine; up to a million.
        levels: the number of sizes, each half of the next one. None for all from 128 pixels up, but for 1, full size
            alone, if `init` is only "picture": smaller sizes would lose its detail.
        tile_size: pictures that are larger than this, in pixels a side, are computed by tiles of about this size: the
            same result, but for rounding, in less memory and more time. None: whole pictures where they fit the memory.
    """

    size: int = 512
    content_layers: Weighted | str = "default"
    style_layers: Weighted | str = "default"
    strength: float = 1.0
    content_weight: float = 0.1
    style_weight: float = 1.0
    color_weight: float = 1.0
    tv_weight: float = 0.0
    grain_weight: float = 0.1
    colors: Weighted = (("style", 1.0),)
    style_blend: tuple[float, ...] = ()
    style_scale: float | tuple[float, ...] = 1.0
    rotate_style: float = 0.0
    style_representation: str = "gram"
    regions: int = 1
    normalization: str = "relative"
    init: Weighted = (("content", 1.0),)
    optimizer: str = "lbfgs"
    steps: int = 40
    levels: int | None = None
    tile_size: int | None = None

    @property
    def content_names(self) -> tuple[str, ...]:
        """The content layers without their weights."""
        return tuple(self.weights_of("content_layers"))

    @property
    def style_names(self) -> tuple[str, ...]:
        """The style layers without their weights."""
        return tuple(self.weights_of("style_layers"))

    @property
    def total_weight(self) -> float:
        """The sum of the weights of the loss: what it is near if its terms are relative, and the picture unlike all."""
        return sum(getattr(self, f"{name}_weight") for name in TERMS)

    @property
    def style_scales(self) -> tuple[float, ...]:
        """The style scale, or that of each style."""
        return self.style_scale if isinstance(self.style_scale, tuple) else (self.style_scale,)

    def of_each_style(self, count: int) -> list["StyleConfig"]:
        """The settings with the scale of each of `count` styles; ConfigError for another number of scales."""
        scales = self.style_scales * count if len(self.style_scales) == 1 else self.style_scales
        if len(scales) != count:
            found = f"style_scale has {counted(len(scales), 'factor')} for {counted(count, 'style')}"
            raise ConfigError(f"{found}; expected one for all, or one for each")
        return [self if scale == self.style_scale else replace(self, style_scale=scale) for scale in scales]

    def tile_size_for(self, shape: Sequence[int]) -> int | None:
        """The tile size for a picture of this height and width; None if it is computed as a whole."""
        return None if self.tile_size is None or max(shape[:2]) <= self.tile_size else self.tile_size

    def weights_of(self, setting: str) -> dict[str, float]:
        """The weights of "content_layers" or "style_layers" by layer; ConfigError if the setting is a partition."""
        layers = getattr(self, setting)
        if isinstance(layers, str):
            raise ConfigError(f"{setting} is {layers!r}; expected layers with weights: call resolve_layers first")
        return dict(layers)

    def __post_init__(self) -> None:
        """Store sequences as tuples, and raise ConfigError, naming the setting, for an invalid value."""
        for name, example in _WEIGHTED.items():
            value = getattr(self, name)
            if not (name.endswith("_layers") and isinstance(value, str) and value in PARTITIONS):
                object.__setattr__(self, name, _as_weighted(name, value, example))
        for name in ("style_blend", "style_scale"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_type("style_representation", self.style_representation, str, "a name: 'gram'")
        self._check_numbers()
        for component, _ in self.init:
            check_choice("init", component, INITS)
        _check_colors(self.colors)
        _check_shares("init", self.init)
        _check_unique("init", self.init)
        for name in ("content_layers", "style_layers"):
            layers = getattr(self, name)
            if layers and not isinstance(layers, str):
                _check_shares(name, layers)
                _check_unique(name, layers)
        if not self.content_layers and not self.style_layers:
            raise ConfigError("content_layers and style_layers are both empty; name at least one layer")

    def _check_numbers(self) -> None:
        for name in TERMS:
            weight = getattr(self, f"{name}_weight")
            _check(f"{name}_weight", weight, "a number from 0 to 3.4e38", lambda value: 0 <= value <= 3.4e38)
        if not self.total_weight:
            names = [f"{name}_weight" for name in TERMS]
            raise ConfigError(f"{', '.join(names[:-1])} and {names[-1]} are all 0; raise one of them")
        _check("strength", self.strength, "a number from 0 to 2", lambda value: 0 <= value <= 2)
        for scale in self.style_scales:
            _check("style_scale", scale, "a number above 0", lambda value: value > 0)
        if not self.style_scales:
            raise ConfigError("style_scale is empty; expected a number for all styles, or one for each")
        _check("rotate_style", self.rotate_style, "degrees from -360 to 360", lambda value: abs(value) <= 360)
        for name in ("size", "levels", "tile_size"):
            if name == "size" or getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_count("steps", self.steps, most=MAX_STEPS)
        check_count("regions", self.regions, most=MAX_REGIONS)
        if not isinstance(self.style_blend, tuple) or not all(map(_is_number, self.style_blend)):
            raise ConfigError(f"style_blend is {describe_value(self.style_blend)}; expected numbers such as (0.7, 0.3)")
        if self.style_blend and sum(self.style_blend) <= 0:
            raise ConfigError(f"style_blend is {list(self.style_blend)}; expected numbers that add up to more than 0")


def _as_weighted(name: str, value: Any, example: str) -> Weighted:
    """Names with weights in any of their forms as tuples; ConfigError for anything else."""
    items = value.items() if isinstance(value, Mapping) else (value,) if isinstance(value, str) else value
    if isinstance(value, Mapping | str | list | tuple):
        pairs = [(item, 1.0) if isinstance(item, str) else item for item in items]
        if all(map(_is_weighted_name, pairs)):
            return tuple((key, float(weight)) for key, weight in pairs)
    raise ConfigError(f"{name} is {describe_value(value)}; expected names with finite weights, such as {example}")


def _is_weighted_name(pair: Any) -> bool:
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2
    return is_pair and isinstance(pair[0], str) and bool(pair[0]) and _is_number(pair[1])


def _check_colors(colors: Weighted) -> None:
    for name, share in colors:
        check_choice("colors", name, COLORS)
        if not 0 <= share <= 1:
            raise ConfigError(f"colors has {name} with the share {share}; expected a number from 0 to 1")
    _check_unique("colors", colors)
    if not colors:
        raise ConfigError(f"colors is empty; expected one of {', '.join(COLORS)}")
    if sum(share for _, share in colors) > 1 + 1e-6:
        raise ConfigError(f"colors has the shares {[share for _, share in colors]}; expected at most 1 together")
    if "luminance" in dict(colors) and colors != (("luminance", 1.0),):
        raise ConfigError("colors has luminance with a share or other colors; expected luminance alone")


def _check_unique(name: str, weighted: Weighted) -> None:
    names = [key for key, _ in weighted]
    if repeated := {key for key in names if names.count(key) > 1}:
        raise ConfigError(f"{name} has {', '.join(sorted(repeated))} more than once; name each once")


def _check(name: str, value: Any, expected: str, is_valid: Callable[[Any], bool]) -> None:
    if not (_is_number(value) and is_valid(value)):
        raise ConfigError(f"{name} is {describe_value(value)}; expected {expected}")


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that a float can hold."""
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:
        return False


def _check_shares(name: str, weighted: Weighted) -> None:
    shares = [share for _, share in weighted]
    if any(share < 0 for share in shares) or sum(shares) <= 0:
        raise ConfigError(f"{name} has the weights {shares}; expected numbers from 0 up, not all 0")


def check_config(config: Any) -> None:
    """Raise ConfigError for an argument `config` that is no `StyleConfig`."""
    check_type("config", config, StyleConfig, "a StyleConfig: StyleConfig() has the defaults")


DEFAULTS = StyleConfig()
