"""The targets of an optimization: what the result is compared with at each size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.compilation import stage
from jaxstyle.config import StyleConfig
from jaxstyle.images import resize_longest, rotate
from jaxstyle.networks import Network
from jaxstyle.optimization.losses import content_targets
from jaxstyle.optimization.measuring import content_of_picture, statistics_of_picture
from jaxstyle.optimization.objective import Objective, make_objective
from jaxstyle.optimization.pyramid import blend_scale
from jaxstyle.optimization.strength import targets_of_strength
from jaxstyle.styles import (
    REPRESENTATIONS,
    Layers,
    Masks,
    Style,
    StyleStatistics,
    blend_statistics,
    fill_missing_regions,
    measure_padded_statistics,
    regions_at_size,
    resample_masks,
    split_alpha,
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
    for_batch: bool = False,
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
        for_batch: whether the pair is one of a batch. The objective then has no features of the content, because those
            of all pairs are measured together; and styles are measured as squares, so that all share a program.
        memoize: `memoize(pictures, *key, make=function)` returns `function()` or an earlier result for the same
            pictures and key.
    """
    layers = config.content_names
    target = memoize((content,), "content at a size", size, make=lambda: _resized(content, size))

    def measure_styles() -> StyleStatistics:
        with stage("measuring styles"):
            return style_statistics(network, config, styles, size, masks, as_squares=for_batch)

    statistics = memoize(
        (content, *styles) if masks else tuple(styles),
        "style",
        size,
        *(config.style_scale, config.rotate_style, config.style_layers, config.style_blend),
        *(config.style_representation, config.regions, config.tile_size, for_batch),
        make=measure_styles,
    )
    mask = masks.content if masks else None

    def measure_content() -> StyleStatistics:
        regions = None if mask is None else regions_at_size(network, mask, config.style_names, target.shape)
        return statistics_of_picture(network, config, target, regions)

    statistics = targets_of_strength(
        config,
        statistics,
        lambda: memoize(
            (content, *styles) if masks else (content,),
            "content's own style",
            target.shape,
            *(config.style_layers, config.style_representation, config.regions, config.tile_size),
            make=measure_content,
        ),
    )
    extent = None if padded_shape is None else np.array(target.shape[:2])
    tile_size = config.tile_size_for(target.shape) if padded_shape is None else None

    def content_features() -> Layers:
        with stage("measuring contents"):
            if padded_shape is None:
                return content_of_picture(network, config, target)
            return content_targets(network.direct(), pad_picture(target, padded_shape), layers, extent=extent)

    key = "content", target.shape, padded_shape, layers, tile_size
    contents = memoize((content,), *key, make=content_features) if not for_batch else {}
    regions = None if mask is None else regions_at_size(network, mask, config.style_names, target.shape, padded_shape)
    objective = make_objective(config, contents, statistics, extent=extent, regions=regions, tile_size=tile_size)
    return Targets(target, mask, statistics, objective)


def _resized(content: np.ndarray, size: int) -> np.ndarray:
    """The colors of a content at a size."""
    with stage("resizing"):
        return resize_longest(content[..., :3], size)


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
    *,
    as_squares: bool = False,
) -> StyleStatistics:
    """The statistics of all styles, or of their regions, blended, for a result with the longest side `size`.

    Only what is visible of a style counts, and of a turned one the largest upright rectangle and all colors. Where it
    is possible, pictures are padded to squares on demand, which changes nothing but the number of compiled programs.
    """
    layers = config.style_names

    def measure(style: np.ndarray | Style, mask: np.ndarray | None, config: StyleConfig) -> StyleStatistics:
        longest = size * blend_scale(config)
        if isinstance(style, Style):
            statistics = style.at(longest)
            return statistics if mask is None else jax.tree.map(lambda values: values[None], statistics)
        style = resize_longest(style, longest)
        if not config.rotate_style:
            if as_squares and mask is None and _fits_square(config, style):
                return _measure_as_square(network, style, layers, config.style_representation)
            return measure_picture(style, mask, layers, config.style_representation)
        rotated = rotate(style, config.rotate_style)
        rotated = resize_longest(rotated, max(rotated.shape[:2]))  # enlarged if it is very small
        rotated_mask = mask
        if mask is not None:
            rotated_mask = np.moveaxis(rotate(np.moveaxis(mask, 0, -1), config.rotate_style), -1, 0)
        strokes = measure_picture(rotated, rotated_mask, layers, config.style_representation)
        # The colors of the whole picture, because those of the rectangle may be others.
        return replace(measure_picture(style, mask, (), "gram"), measured=strokes.measured)

    def measure_picture(
        style: np.ndarray, mask: np.ndarray | None, layers: tuple[str, ...], representation: str
    ) -> StyleStatistics:
        picture, alpha = split_alpha(style)
        weights = _visible_mask(mask, alpha)
        regions = None if weights is None else regions_at_size(network, weights, layers, picture.shape)
        described = replace(config, style_representation=representation)
        statistics = statistics_of_picture(network, described, picture, regions, layers)
        return jax.tree.map(lambda values: values[0], statistics) if regions and mask is None else statistics

    style_masks = masks.styles if masks else (None,) * len(styles)
    measured = list(map(measure, styles, style_masks, config.of_each_style(len(styles))))
    return blend_statistics(measured, config.style_blend, config.style_representation)


def _fits_square(config: StyleConfig, style: np.ndarray) -> bool:
    """Whether padding changes nothing: for an opaque picture whose statistics are functions of sums over positions."""
    is_sum = REPRESENTATIONS[config.style_representation].is_sum
    return is_sum and style.shape[-1] == 3 and config.tile_size_for(style.shape) is None


def _measure_as_square(
    network: Network, style: np.ndarray, layers: tuple[str, ...], representation: str
) -> StyleStatistics:
    extent, side = np.array(style.shape[:2], np.int32), max(style.shape)
    padded: Any = pad_picture(style, (side, side))
    return measure_padded_statistics(network.direct(), padded, extent, layers, representation)


def turned(config: StyleConfig, style: np.ndarray | Style) -> np.ndarray | Style:
    """A style picture turned by `config.rotate_style`; a measured style cannot be turned, and is returned as it is."""
    return style if isinstance(style, Style) else rotate(style, config.rotate_style)


def _visible_mask(mask: np.ndarray | None, alpha: np.ndarray | None) -> np.ndarray | None:
    """The mask `[K, H, W]` of the visible parts of a style's regions, or of the whole style; None if all counts."""
    if alpha is None:
        return None if mask is None else fill_missing_regions(mask)
    visible = alpha[None] if mask is None else alpha * resample_masks(mask, *alpha.shape)
    return np.minimum(alpha, fill_missing_regions(visible))
