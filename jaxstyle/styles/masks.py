"""Masks: given as arrays, or drawn as pictures of flat colors.

A mask `[K, H, W]` says how much each pixel belongs to each of K regions, from 0 to 1; see `regions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from jaxstyle.config import MAX_REGIONS
from jaxstyle.errors import ConfigError, PictureError, counted
from jaxstyle.images import as_numpy

# All in levels of 255, as the largest difference in a channel.
_NOISE = 12  # within a flat color, such as that of JPEG
_SAME_COLOR = 48  # between the same color in two masks
_BLOCK = 17  # side in pixels of a square that has no noise in any JPEG, whose blocks have 16
_MIN_SHARE = 0.005  # of the pixels, for a color that nowhere fills 3 x 3 pixels exactly and is no mixture
_ROUNDING = 2  # of mixtures
# Shares of pixels in flat colors, but for noise and exactly; of photographs less than 10 % exactly.
_MIN_SIMILAR, _MIN_EXACT = 0.75, 0.25

_CODE = np.array([1 << 16, 1 << 8, 1])  # product with a color in levels: one number for each color


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks `[K, H, W]` of a content and of each of its styles, and what a person should know about them."""

    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    warnings: tuple[str, ...] = ()


def check_masks(content: np.ndarray, styles: Sequence[np.ndarray], count: int) -> Masks:
    """Check the masks of a content and of `count` styles, and bring them into the form `[K, H, W]`.

    A mask `[H, W]` becomes two regions: the given one and the rest.

    Raises:
        PictureError: if a mask has another shape, values outside [0, 1], or is 0 everywhere, or if the numbers of
            regions differ.
        ConfigError: if the numbers of style masks and styles differ.
    """
    check_mask_count(styles, count)
    style_masks = tuple(_as_regions(check_mask("style", style)) for style in styles)
    masks = Masks(_as_regions(check_mask("content", content)), style_masks)
    for style in masks.styles:
        if len(style) != len(masks.content):
            raise PictureError(
                f"the style mask has {len(style)} regions and the content mask has {len(masks.content)}; "
                "expected the same number in both"
            )
    return masks


def check_mask_count(masks: Sequence[object], count: int) -> None:
    """Raise ConfigError unless there are `count` style masks, one for each style."""
    if len(masks) != count:
        found = f"{counted(len(masks), 'style mask')} for {counted(count, 'style picture')}"
        raise ConfigError(f"there {'is' if len(masks) == 1 else 'are'} {found}; expected one for each")


def masks_from_colors(content: np.ndarray, styles: Sequence[np.ndarray], names: Sequence[str] = ()) -> Masks:
    """Convert pictures of flat colors, `[H, W, 3]` in [0, 1], to masks with a region for each color of the content's.

    Every color counts that fills 3 x 3 pixels somewhere, in a picture of up to 16 colors also a single pixel. Pixels of
    soft edges and of JPEG's noise belong to the region beside them with the most similar color. A color of a style's
    picture belongs to the region of the most similar color of the content's picture.

    Args:
        content: the content's picture.
        styles: that of each style.
        names: of all pictures, the content's first, for messages.

    Returns:
        The masks, with warnings for colors that are in only one of two pictures, and for spots of other colors that
        are too small or blurred to be regions.

    Raises:
        ConfigError: for a picture that is not of flat colors, such as a photograph, or has too many; if the content's
            picture has fewer than 2, or a style's picture has none of them.
    """
    names = names or ("the content mask", *(f"the mask of style {number}" for number in range(1, len(styles) + 1)))
    colors, labels, warnings = _read_colors(names[0], content)
    if len(colors) < 2:
        raise ConfigError(f"{names[0]} has 1 color, {_list(colors)}; expected 2 to {MAX_REGIONS}, one for each region")
    masks = []
    for name, style in zip(names[1:], styles, strict=True):
        style_colors, style_labels, style_warnings = _read_colors(name, style)
        partners = _match(colors, style_colors)
        if not partners:
            raise ConfigError(
                f"{name} has {_list(style_colors)} and {names[0]} has {_list(colors)}; expected the same colors in both"
            )
        warnings += style_warnings
        if missing := [color for index, color in enumerate(colors) if index not in partners]:
            warnings.append(f"{name} lacks {_list(missing)} of {names[0]}, which takes the whole style there")
        if unused := [color for index, color in enumerate(style_colors) if index not in partners.values()]:
            warnings.append(f"{name} has {_list(unused)}, which {names[0]} lacks; that part of the style is not used")
        masks.append(np.stack([style_labels == partners.get(index, -1) for index in range(len(colors))]))
    regions = labels == np.arange(len(colors))[:, None, None]
    return Masks(regions.astype(np.float32), tuple(mask.astype(np.float32) for mask in masks), tuple(warnings))


def check_mask(name: str, mask: np.ndarray, *, dimensions: Sequence[int] = (2, 3)) -> np.ndarray:
    """The mask as float32, `[H, W]` or, if it may have 3 dimensions, `[K, H, W]`; PictureError if it is none."""
    mask = as_numpy(mask, f"the {name} mask")
    if mask.ndim not in dimensions or not mask.size:
        expected = "[H, W], or [K, H, W] for K regions" if 3 in dimensions else "[H, W]"
        raise PictureError(f"the {name} mask is {list(mask.shape)}; expected {expected}")
    mask = mask.astype(np.float32, copy=False)
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise PictureError(f"the {name} mask has values from {mask.min()} to {mask.max()}; expected 0 to 1")
    if not mask.any():
        raise PictureError(f"the {name} mask is 0 everywhere; expected values above 0 in the region")
    return mask


def _as_regions(mask: np.ndarray) -> np.ndarray:
    """A mask `[K, H, W]`; one of `[H, W]` has the region and the rest."""
    return mask if mask.ndim == 3 else np.stack([mask, 1 - mask])


def _read_colors(name: str, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The flat colors `[K, 3]` of a picture in levels, the index of each pixel's color `[H, W]`, and warnings."""
    levels = np.rint(picture * 255).astype(np.int32)
    colors = _flat_colors(levels)
    labels = _nearest(levels, colors)
    similar, exact = labels >= 0, labels >= 0
    if len(colors):
        exact = (levels == colors[labels]).all(-1)
    if similar.mean() < _MIN_SIMILAR or exact.mean() < _MIN_EXACT:
        found = f"{exact.mean():.0%} of its pixels have exactly one of {len(colors)} flat colors"
        raise ConfigError(f"{name} is no mask ({found}); expected a picture of 2 to {MAX_REGIONS} flat colors")
    if len(colors) > MAX_REGIONS:
        raise ConfigError(f"{name} has {len(colors)} flat colors; expected 2 to {MAX_REGIONS}, one for each region")
    spots = np.argwhere(_filled(labels < 0, 5))
    spots = spots[~_is_mixture(levels[tuple(spots.T)], colors, 2 * _NOISE)]
    warnings = []
    if len(spots):
        row, column = spots[_distances(levels[tuple(spots.T)], colors).min(1).argmax()].tolist()
        found = f"{name} has blurred or noisy spots, such as {_list(levels[row, column][None])} at x {column}, y {row}"
        size = f"of {levels.shape[1]} x {levels.shape[0]} pixels"
        warnings.append(f"{found} {size}, which count as the color beside them; save masks as PNG with hard edges")
    return colors, _spread(levels, colors, labels), warnings


def _flat_colors(levels: np.ndarray) -> np.ndarray:
    """The colors `[K, 3]` that were drawn in a picture `[H, W, 3]`, without those of soft edges and noise."""
    codes, differences = levels @ _CODE, _differences(levels)
    # Where 15 x 15 pixels equal those around them, the whole square has one color.
    colors = list(_frequent(codes[_filled(differences == 0, _BLOCK - 2)])[0])
    flat, counts = _frequent(codes[differences <= _NOISE])
    exact = np.isin(flat @ _CODE, codes[differences == 0])
    is_new = _distances(flat, np.array(colors)).min(1, initial=256) > _NOISE
    while is_new.any() and len(colors) <= 4 * MAX_REGIONS:  # more are no mask
        color = flat[is_new.argmax()]
        similar = is_new & (np.abs(flat - color).max(1) <= _NOISE)
        is_frequent = counts[similar].sum() >= _MIN_SHARE * codes.size
        is_gradual = _is_mixture(color[None], np.array(colors), _NOISE)  # as in an edge of many pixels
        if exact[similar].any() or (is_frequent and not is_gradual):
            colors.append(color)
        is_new &= ~similar
    distinct, _ = _frequent(codes)
    if len(distinct) <= MAX_REGIONS:  # no noise, so that thin lines count too
        for color in distinct:
            known = np.array(colors)
            if _distances(color[None], known).min(initial=256) > 0 and not _is_mixture(color[None], known, _ROUNDING):
                colors.append(color)
    return np.array(colors).reshape(-1, 3)


def _frequent(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct colors `[N, 3]` of codes, and how often they occur; the most frequent first."""
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return found[order, None] // _CODE % 256, counts[order]


def _differences(levels: np.ndarray) -> np.ndarray:
    """The largest difference in a channel among the 3 x 3 pixels around each pixel, `[H, W]`."""
    padded = np.pad(levels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = [padded[shift : shift + levels.shape[0]] for shift in range(3)]
    highest, lowest = np.maximum.reduce(rows), np.minimum.reduce(rows)
    columns = [slice(shift, shift + levels.shape[1]) for shift in range(3)]
    highest = np.maximum.reduce([highest[:, column] for column in columns])
    return (highest - np.minimum.reduce([lowest[:, column] for column in columns])).max(-1)


def _filled(where: np.ndarray, side: int) -> np.ndarray:
    """Whether a condition `[H, W]` holds in the whole square of this odd side around each pixel; not at the borders."""
    height, width = where.shape
    filled = np.zeros_like(where)
    if min(height, width) >= side:
        sums = np.pad(where, ((1, 0), (1, 0))).cumsum(0, dtype=np.int64).cumsum(1)
        counts = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        border = side // 2
        filled[border : height - border, border : width - border] = counts == side**2
    return filled


def _distances(levels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The largest difference in a channel between each of the pixels `[..., 3]` and each color, `[..., K]`."""
    distances = np.empty((*levels.shape[:-1], len(colors)), np.int16)
    for index, color in enumerate(colors):
        distances[..., index] = np.abs(levels - color).max(-1)
    return distances


def _is_mixture(levels: np.ndarray, colors: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether pixels `[N, 3]` are mixtures of two of the colors."""
    distances = [np.full(len(levels), np.inf)]
    for first, second in combinations(colors.astype(float), 2):
        line = second - first
        shares = ((levels - first) @ line / (line @ line)).clip(0, 1)
        distances.append(np.abs(levels - first - shares[:, None] * line).max(-1))
    return np.min(distances, 0) <= tolerance


def _nearest(levels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The index of the color that each pixel has but for noise, `[H, W]`; -1 for others."""
    if not len(colors):
        return np.full(levels.shape[:2], -1)
    distances = _distances(levels, colors)
    return np.where(distances.min(-1) <= _NOISE, distances.argmin(-1), -1)


def _spread(levels: np.ndarray, colors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels for pixels with the label -1: that of the labeled pixel beside them with the most similar color."""
    labels = np.pad(labels, 1, constant_values=-1)
    unknown = np.argwhere(labels[1:-1, 1:-1] < 0)
    while len(unknown):
        around = np.stack([labels[tuple((unknown + shift).T)] for shift in product(range(3), repeat=2)], -1)
        distances = _distances(levels[tuple(unknown.T)], colors)
        distances = np.where(around < 0, 1000, np.take_along_axis(distances, np.maximum(around, 0), 1))
        labels[tuple((unknown + 1).T)] = np.take_along_axis(around, distances.argmin(1)[:, None], 1)[:, 0]
        unknown = unknown[(around < 0).all(1)]
    return labels[1:-1, 1:-1]


def _match(colors: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """For each color the index of the same one among others, if there is one; the most similar pairs first."""
    distances = _distances(colors, others).astype(int)
    partners: dict[int, int] = {}
    for index, other in np.argwhere(distances <= _SAME_COLOR)[np.argsort(distances[distances <= _SAME_COLOR])].tolist():
        if index not in partners and other not in partners.values():
            partners[index] = other
    return partners


def _list(colors: np.ndarray | Sequence[np.ndarray]) -> str:
    """Colors in levels as `#ff0000, #0000ff`."""
    return ", ".join("#" + bytes(color.astype(np.uint8)).hex() for color in np.asarray(colors))
