"""What is wanted of a result: pictures, masks and settings, checked, and at each size statistics and an objective."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import Network
from jaxstyle.objective import Objective, content_targets, make_objective
from jaxstyle.pyramid import at_scale, check_picture, check_scale, style_sizes
from jaxstyle.regions import Masks, as_masks, find_masks, regions_at, with_missing
from jaxstyle.styles import Style, StyleStatistics, blend, check_fits, measure

Result = TypeVar("Result")


def _anew(*_: object, make: Callable[[], Result]) -> Result:
    return make()


@dataclass(frozen=True, eq=False)
class Aim:
    """What is wanted at one size: the content there, its mask if there are regions, the style's statistics, and the
    objective of all."""

    content: np.ndarray
    mask: np.ndarray | None
    statistics: StyleStatistics
    objective: Objective


def aim_at(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    masks: Masks | None,
    size: int,
    *,
    frame: tuple[int, int] | None = None,
    remember: Callable[..., Any] = _anew,
) -> Aim:
    """What is wanted of a result with this longest side, of checked pictures.

    Args:
        network, config, content, styles, masks, size: of which result.
        frame: the height and width that the content is padded to, if it is.
        remember: called with pictures, with all else that something depends on, and with `make=`, which makes it.
    """
    target, layers = at_scale(content, size), config.content_names
    statistics = remember(
        (content, *styles) if masks else tuple(styles),
        "style",
        size,
        *(config.style_scale, config.style_layers, config.style_blend, config.style_representation, config.regions),
        make=lambda: statistics_at(network, config, styles, size, masks),
    )
    extent = None if frame is None else np.array(target.shape[:2])
    contents = remember(
        (content,),
        "content",
        target.shape,
        frame,
        layers,
        make=lambda: content_targets(network.direct(), padded(target, frame), layers, extent=extent),
    )
    mask = masks.content if masks else None
    regions = None if mask is None else regions_at(network, mask, config.style_names, target.shape, frame)
    return Aim(target, mask, statistics, make_objective(config, contents, statistics, extent=extent, regions=regions))


def padded(picture: np.ndarray, frame: tuple[int, int] | None) -> np.ndarray:
    """A picture in the upper left of a frame, if there is one."""
    if frame is None:
        return picture
    around = [(0, whole - side) for whole, side in zip(frame, picture.shape[:2], strict=True)]
    return np.pad(picture, (*around, (0, 0)))


def statistics_at(
    network: Network,
    config: StyleConfig,
    styles: Sequence[np.ndarray | Style],
    size: int,
    masks: Masks | None = None,
) -> StyleStatistics:
    """What is wanted of a result of this size: the statistics of all styles, or of their regions, blended."""
    longest, layers = size * config.style_scale, config.style_names

    def at_size(style: np.ndarray | Style, mask: np.ndarray | None) -> StyleStatistics:
        if isinstance(style, Style):
            return style.at(longest)
        picture = at_scale(style, longest)
        regions = None if mask is None else regions_at(network, with_missing(mask), layers, picture.shape)
        return measure(network.direct(), picture, layers, config.style_representation, regions)

    own = masks.styles if masks else (None,) * len(styles)
    return blend(list(map(at_size, styles, own)), config.style_blend)


def masks_of(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    content_mask: np.ndarray | None = None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None = None,
) -> Masks | None:
    """The masks that are given, or that the settings say to find; None for the style as a whole."""
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
    return as_masks(content_mask, [style_mask] if isinstance(style_mask, np.ndarray) else style_mask, len(styles))


def as_styles(given: np.ndarray | Style | Sequence[np.ndarray | Style]) -> list[np.ndarray | Style]:
    """One or more styles as a list; PictureError if there is none."""
    styles = [given] if isinstance(given, np.ndarray | jax.Array | Style) else list(given)
    if not styles:
        raise PictureError("there is no style picture; expected at least one")
    return styles


def check_content(content: np.ndarray, config: StyleConfig) -> np.ndarray:
    """The content as float32; PictureError if it is no picture, or too small at the size of the result."""
    content = check_picture(content)
    check_scale("content", content.shape[0], content.shape[1], config.size)
    return content


def check_style(style: np.ndarray | Style, network: Network, config: StyleConfig) -> np.ndarray | Style:
    """The style, as float32 if it is a picture; an error if it is no picture or cannot be used with these settings."""
    if isinstance(style, Style):
        check_fits(style, network, config.style_names, config.style_representation)
        if config.regions > 1:
            raise ConfigError(f"regions is {config.regions}, and a measured style has none; give its picture instead")
        for longest in style_sizes(config):
            style.at(longest)
        return style
    picture = check_picture(style)
    check_scale("style", picture.shape[0], picture.shape[1], config.size * config.style_scale)
    return picture


def check_whole(config: StyleConfig) -> None:
    """Raise ConfigError if a style is to have regions where it is measured without a content."""
    if config.regions > 1:
        raise ConfigError(f"regions is {config.regions}, but without a content a style has none; expected 1")
