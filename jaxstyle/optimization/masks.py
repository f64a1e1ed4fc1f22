"""The masks of a content and its styles: given, or found in the pictures."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import check_same_proportions
from jaxstyle.networks import Network
from jaxstyle.styles import Masks, Style, check_masks, find_masks, resample_masks, split_alpha


def make_masks(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    content_mask: np.ndarray | None = None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None = None,
) -> Masks | None:
    """The given masks, or those that `config.regions` asks to find; None if the style is used as a whole.

    For a transparent content they are masks of what is visible, with a single region if the style is used as a whole.

    Raises:
        ConfigError: for one mask without the other, masks and `config.regions` together, or masks of a measured style.
        PictureError: as `check_masks`, and for a mask of other proportions than its picture.
    """
    masks = _masks_of_regions(network, config, content, styles, content_mask, style_mask)
    _, alpha = split_alpha(content)
    if alpha is None:
        return masks
    if masks is None:
        return Masks(alpha[None], (np.ones((1, 1, 1), np.float32),) * len(styles))
    return replace(masks, content=alpha * resample_masks(masks.content, *alpha.shape))


def _masks_of_regions(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    styles: Sequence[np.ndarray | Style],
    content_mask: np.ndarray | None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None,
) -> Masks | None:
    if content_mask is None and style_mask is None:
        pictures = [style[..., :3] for style in styles if not isinstance(style, Style)]
        return find_masks(network, content[..., :3], pictures, config.regions) if config.regions > 1 else None
    if content_mask is None or style_mask is None:
        given, missing = ("style", "content") if content_mask is None else ("content", "style")
        raise ConfigError(f"there is a {given} mask without a {missing} mask; give both")
    if config.regions > 1:
        raise ConfigError(f"regions is {config.regions}, and there are masks too; give one of them")
    if any(isinstance(style, Style) for style in styles):
        raise ConfigError("there are masks, and a measured style has no regions; give its picture instead")
    style_masks: Sequence[Any] = style_mask if isinstance(style_mask, list | tuple) else [style_mask]
    masks = check_masks(content_mask, style_masks, len(styles))
    check_same_proportions("the content mask", masks.content.shape[1:], "the content", content.shape)
    for mask, style in zip(masks.styles, styles, strict=True):
        if not isinstance(style, Style):
            check_same_proportions("the style mask", mask.shape[1:], "the style", style.shape)
    return masks
