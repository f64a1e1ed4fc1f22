"""The targets of an optimization: checked pictures and masks, and what the result is compared with at each size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import check_picture, check_scaled_shape, resize_longest
from jaxstyle.networks import Network
from jaxstyle.optimization.losses import content_targets
from jaxstyle.optimization.objective import Objective, make_objective
from jaxstyle.optimization.pyramid import style_sizes
from jaxstyle.styles import (
    Masks,
    Style,
    StyleStatistics,
    blend_statistics,
    check_compatible,
    check_masks,
    check_representation,
    fill_missing_regions,
    find_masks,
    measure_statistics,
    regions_at_size,
)

Result = TypeVar("Result")


def _without_cache(*_: object, make: Callable[[], Result]) -> Result:
    return make()


@dataclass(frozen=True, eq=False)
class Targets:
    """What a picture is optimized towards at one size.

    Attributes:
        content: the content at this size, `[h, w, 3]`.
        mask: the content's mask `[K, H, W]` if there are regions, else None.
        statistics: those of the style at this size.
        objective: the loss, with content features and style statistics as targets.
    """

    content: np.ndarray
    mask: np.ndarray | None
    statistics: StyleStatistics
    objective: Objective


def make_targets(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    masks: Masks | None,
    size: int,
    *,
    padded_shape: tuple[int, int] | None = None,
    memoize: Callable[..., Any] = _without_cache,
) -> Targets:
    """Measure the targets for a result with the longest side `size`, from checked pictures.

    Args:
        network: the recognition network.
        config: which features to compare, and how.
        content: from `check_content`.
        styles: from `check_style`.
        masks: from `make_masks`.
        size: longest side of the result in pixels.
        padded_shape: the height and width to which the content is padded, if it is.
        memoize: `memoize(pictures, *key, make=function)` returns `function()` or an earlier result for the same
            pictures and key.
    """
    target, layers = resize_longest(content, size), config.content_names
    statistics = memoize(
        (content, *styles) if masks else tuple(styles),
        "style",
        size,
        *(config.style_scale, config.style_layers, config.style_blend, config.style_representation, config.regions),
        make=lambda: style_statistics(network, config, styles, size, masks),
    )
    extent = None if padded_shape is None else np.array(target.shape[:2])
    contents = memoize(
        (content,),
        "content",
        target.shape,
        padded_shape,
        layers,
        make=lambda: content_targets(network.direct(), pad_picture(target, padded_shape), layers, extent=extent),
    )
    mask = masks.content if masks else None
    regions = None if mask is None else regions_at_size(network, mask, config.style_names, target.shape, padded_shape)
    objective = make_objective(config, contents, statistics, extent=extent, regions=regions)
    return Targets(target, mask, statistics, objective)


def pad_picture(picture: np.ndarray, padded_shape: tuple[int, int] | None) -> np.ndarray:
    """Pad a picture with zeros at the bottom and on the right; None leaves it as it is."""
    if padded_shape is None:
        return picture
    padding = [(0, padded - side) for padded, side in zip(padded_shape, picture.shape[:2], strict=True)]
    return np.pad(picture, (*padding, (0, 0)))


def style_statistics(
    network: Network,
    config: StyleConfig,
    styles: Sequence[np.ndarray | Style],
    size: int,
    masks: Masks | None = None,
) -> StyleStatistics:
    """The statistics of all styles, or of their regions, blended, for a result with the longest side `size`."""
    longest, layers = size * config.style_scale, config.style_names

    def measure(style: np.ndarray | Style, mask: np.ndarray | None) -> StyleStatistics:
        if isinstance(style, Style):
            return style.at(longest)
        picture = resize_longest(style, longest)
        regions = None if mask is None else regions_at_size(network, fill_missing_regions(mask), layers, picture.shape)
        return measure_statistics(network.direct(), picture, layers, config.style_representation, regions)

    style_masks = masks.styles if masks else (None,) * len(styles)
    return blend_statistics(list(map(measure, styles, style_masks)), config.style_blend)


def make_masks(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    content_mask: np.ndarray | None = None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None = None,
) -> Masks | None:
    """The given masks, or those that `config.regions` asks to find; None if the style is used as a whole.

    Raises:
        ConfigError: for one mask without the other, masks and `config.regions` together, or masks of a measured style.
        PictureError: as `check_masks`.
    """
    if content_mask is None and style_mask is None:
        pictures = [style for style in styles if not isinstance(style, Style)]
        return find_masks(network, content, pictures, config.regions) if config.regions > 1 else None
    if content_mask is None or style_mask is None:
        given, missing = ("style", "content") if content_mask is None else ("content", "style")
        raise ConfigError(f"there is a {given} mask without a {missing} mask; give both")
    if config.regions > 1:
        raise ConfigError(f"regions is {config.regions}, and there are masks too; give one of them")
    if any(isinstance(style, Style) for style in styles):
        raise ConfigError("there are masks, and a measured style has no regions; give its picture instead")
    return check_masks(content_mask, [style_mask] if isinstance(style_mask, np.ndarray) else style_mask, len(styles))


def as_style_list(style: np.ndarray | Style | Sequence[np.ndarray | Style]) -> list[np.ndarray | Style]:
    """One or more styles as a list; PictureError if there is none."""
    styles = [style] if isinstance(style, np.ndarray | jax.Array | Style) else list(style)
    if not styles:
        raise PictureError("there is no style picture; expected at least one")
    return styles


def check_content(content: np.ndarray, config: StyleConfig) -> np.ndarray:
    """The content as float32; PictureError if it is no picture, or too small at the size of the result."""
    content = check_picture(content)
    check_scaled_shape("content", content.shape[0], content.shape[1], config.size)
    return content


def check_style(style: np.ndarray | Style, network: Network, config: StyleConfig) -> np.ndarray | Style:
    """The style, as float32 if it is a picture.

    Raises:
        PictureError: if it is no picture, or too small.
        ConfigError: if it is a measured style that does not fit the network or the settings.
    """
    check_representation(config.style_representation)
    if isinstance(style, Style):
        check_compatible(style, network, config.style_names, config.style_representation)
        if config.regions > 1:
            raise ConfigError(f"regions is {config.regions}, and a measured style has none; give its picture instead")
        for longest in style_sizes(config):
            style.at(longest)
        return style
    picture = check_picture(style)
    check_scaled_shape("style", picture.shape[0], picture.shape[1], config.size * config.style_scale)
    return picture


def check_no_regions(config: StyleConfig) -> None:
    """Raise ConfigError if the settings ask for regions where a style is measured without a content."""
    if config.regions > 1:
        raise ConfigError(f"regions is {config.regions}, but a style has no regions without a content; expected 1")
