"""Checks of the pictures and measured styles of an optimization."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import check_picture, check_same_proportions, check_scaled_shape, fit_shape, rotated_shape
from jaxstyle.networks import Network
from jaxstyle.optimization.pyramid import blend_scale, style_sizes
from jaxstyle.styles import Style, check_compatible, check_representation, check_transparent


def as_style_list(style: np.ndarray | Style | Sequence[np.ndarray | Style]) -> list[np.ndarray | Style]:
    """One or more styles as a list; PictureError if there is none."""
    styles: list[Any] = list(style) if isinstance(style, list | tuple) else [style]
    if not styles:
        raise PictureError("there is no style picture; expected at least one")
    return styles


def check_content(content: np.ndarray, config: StyleConfig) -> np.ndarray:
    """The content as float32, `[H, W, 3]`, or `[H, W, 4]` if it is transparent.

    Raises:
        PictureError: if it is no picture, or too small at the size of the result.
    """
    content = check_transparent(content)
    check_scaled_shape("content", content.shape[0], content.shape[1], config.size)
    return content


def check_initial_picture(picture: np.ndarray | None, content: np.ndarray) -> np.ndarray | None:
    """The picture to start from, as float32; PictureError if it is none, or has other proportions than the content."""
    if picture is None:
        return None
    picture = check_picture(picture)
    check_same_proportions("the initial picture", picture.shape, "the content", content.shape)
    return picture


def check_styles(
    styles: Sequence[np.ndarray | Style], network: Network, config: StyleConfig
) -> list[np.ndarray | Style]:
    """The styles, each from `check_style`; ConfigError for another number of scales."""
    configs = config.of_each_style(len(styles))
    return [check_style(style, network, style_config) for style, style_config in zip(styles, configs, strict=True)]


def check_style(style: np.ndarray | Style, network: Network, config: StyleConfig) -> np.ndarray | Style:
    """The style, for its settings from `of_each_style`; a picture as float32, `[H, W, 3]` or transparent `[H, W, 4]`.

    Raises:
        PictureError: if it is no picture, or too small.
        ConfigError: if it is a measured style that does not fit the network or the settings.
    """
    check_representation(config.style_representation)
    if isinstance(style, Style):
        check_compatible(style, network, config.style_names, config.style_representation)
        if config.regions > 1:
            raise ConfigError(f"regions is {config.regions}, and a measured style has none; give its picture instead")
        if config.rotate_style:
            angle = f"rotate_style is {config.rotate_style:g}"
            raise ConfigError(f"{angle}, and a measured style has no picture to turn; give its picture instead")
        if kept := [name for name, share in config.colors if name != "style" and share]:
            raise ConfigError(f"colors is {kept[0]}, and those of a measured style are fixed; give its picture instead")
        for longest in style_sizes(config):
            style.at(longest)
        return style
    picture = check_transparent(style)
    longest = config.size * blend_scale(config)
    height, width = fit_shape(picture.shape[0], picture.shape[1], max(1, round(longest)))
    height, width = rotated_shape(height, width, config.rotate_style)
    check_scaled_shape("style", height, width, max(height, width))
    return picture


def check_without_content(config: StyleConfig) -> None:
    """Raise ConfigError if the settings need a content where a style is measured without one."""
    if config.regions > 1:
        raise ConfigError(f"regions is {config.regions}, but a style has no regions without a content; expected 1")
    if config.colors != (("style", 1.0),):
        names = ", ".join(name for name, _ in config.colors)
        raise ConfigError(f"colors is {names}, but here is no content whose colors could be kept; expected style")
