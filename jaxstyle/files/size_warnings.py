"""Warnings of sizes that do not fit: small pictures, saved styles of other sizes, levels that there are not."""

import math
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from jaxstyle.config import StyleConfig
from jaxstyle.errors import JaxStyleError, counted
from jaxstyle.files.reading import is_saved_style
from jaxstyle.images import read_shape
from jaxstyle.optimization import schedule
from jaxstyle.styles import read_style_file

_MAX_ENLARGEMENT = 2.0  # beyond it, strokes of a style and edges of a content are visibly blurred
_MAX_OTHER_SIZE = 1.05  # of a saved style, relative to the size that is needed; rounding stays below it


def style_warnings(uses: Iterable[tuple[tuple[Path, ...], StyleConfig]]) -> list[str]:
    """Warnings of style pictures much smaller than their settings need, and of saved styles of other sizes.

    `uses` are the styles of each result with its settings. Files that cannot be read are ignored: they are errors when
    they are used.
    """
    settings: dict[Path, set[tuple[StyleConfig, float]]] = {}
    for styles, config in set(uses):
        scales = config.style_scales * len(styles) if len(config.style_scales) == 1 else config.style_scales
        for file, scale in zip(styles, scales, strict=False):  # another number of scales is an error elsewhere
            settings.setdefault(file, set()).add((config, scale))
    enlargements: dict[Path, tuple[float, int, int]] = {}
    resizings: dict[Path, tuple[float, float, tuple[int, ...]]] = {}
    for file in sorted(settings):
        with suppress(JaxStyleError):
            if is_saved_style(file):
                resizings[file] = _resizing(read_style_file(file).style.sizes, settings[file])
            else:
                enlargements[file] = _enlargement(max(read_shape(file)), settings[file])
    return [warning for warning in (_enlarged(enlargements), _resized(resizings)) if warning]


def content_warnings(uses: Iterable[tuple[Path, tuple[int, int], int]]) -> list[str]:
    """A warning of contents that are much smaller than their results; `uses` are file, its height and width, size."""
    factors: dict[Path, tuple[float, tuple[int, int]]] = {}
    for file, shape, size in uses:
        factors[file] = max(factors.get(file, (0.0, shape)), (size / max(shape), shape))
    small = {file: found for file, found in factors.items() if found[0] > _MAX_ENLARGEMENT}
    if not small:
        return []
    file = max(small, key=lambda name: small[name])
    factor, (height, width) = small[file]
    found = f"{file} has {width} x {height} pixels and is enlarged {factor:.2g} times for its result{_others(small)}"
    return [f"{found}, which gives it no detail; use a larger file, or a smaller result"]


def _enlargement(longest: int, settings: Collection[tuple[StyleConfig, float]]) -> tuple[float, int, int]:
    """The largest factor by which a picture is enlarged, its longest side, and the size of the result."""
    needed, size = max((config.size * scale, config.size) for config, scale in settings)
    return needed / longest, longest, size


def _enlarged(enlargements: Mapping[Path, tuple[float, int, int]]) -> str | None:
    small = {file: found for file, found in enlargements.items() if found[0] > _MAX_ENLARGEMENT}
    if not small:
        return None
    file = max(small, key=lambda name: small[name][0])
    factor, longest, size = small[file]
    found = f"{file} has {longest} pixels on its longest side and is enlarged {factor:.2g} times{_others(small)}"
    return f"{found}, which blurs the style; use a larger file, or --style-scale {longest / size:.2g} for finer strokes"


def _others(small: Collection[Path]) -> str:
    return f" (also too small: {counted(len(small) - 1, 'other')})" if len(small) > 1 else ""


def _resizing(
    sizes: tuple[int, ...], settings: Collection[tuple[StyleConfig, float]]
) -> tuple[float, float, tuple[int, ...]]:
    """The largest change of size at which a saved style is used, as a logarithm, the size there, and its own sizes."""
    needed = {level * scale for config, scale in settings for level, _ in schedule(config, 1, 1)}
    changes = {size: min((math.log(size / other) for other in sizes), key=abs) for size in needed}
    size = max(changes, key=lambda size: (abs(changes[size]), size))
    return changes[size], size, sizes


def _resized(resizings: Mapping[Path, tuple[float, float, tuple[int, ...]]]) -> str | None:
    resized = {file: found for file, found in resizings.items() if abs(found[0]) > math.log(_MAX_OTHER_SIZE)}
    if not resized:
        return None
    file = max(resized, key=lambda name: (abs(resized[name][0]), resized[name][1]))
    change, needed, sizes = resized[file]
    others = f" (also of other sizes: {counted(len(resized) - 1, 'other')})" if len(resized) > 1 else ""
    found = f"{file} was measured at {', '.join(map(str, sizes))} px and is used for {round(needed)} px{others}"
    return (
        f"{found}: its strokes get {'smaller' if change > 0 else 'larger'}; save it for this --size and --style-scale"
    )


def level_warnings(configs: Iterable[StyleConfig], shape: tuple[int, int] | None = None) -> list[str]:
    """A warning of more `levels` than there are, for contents of this shape; without one, than there are at most."""
    counts = {config: len(schedule(config, *(shape or (1, 1)))) for config in configs}
    # Without strength there is one step, whatever the levels are.
    fewer = [config for config, count in counts.items() if config.strength and count < (config.levels or 1)]
    if not fewer:
        return []
    config = min(fewer, key=lambda config: (counts[config], config.size))
    count = f"{'only' if shape else 'at most'} {counted(counts[config], 'level')}"
    return [f"--levels is {config.levels}, but a result of {config.size} pixels has {count}: others would be too small"]
