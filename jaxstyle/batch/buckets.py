"""Which pairs share a compiled program: groups for pictures of many shapes, planned before anything is computed.

A program is compiled for one shape. If there would be too many programs, neighboring shapes share the smallest shape
that holds both, and pictures are padded to it; the extent of each picture keeps the padding from having any effect.
The plan depends on nothing but the shapes and settings of all pairs, so that a resumed job computes the same groups.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from jaxstyle.config import StyleConfig
from jaxstyle.images import scaled_shape
from jaxstyle.optimization import schedule

MAX_PROGRAMS = 8  # compiled step programs in a plan, unless the settings differ so much that there must be more

Shape = tuple[int, int]


@dataclass(frozen=True)
class PaddedShape:
    """The shape of the pictures in a program, and whether any picture is padded to it."""

    height: int
    width: int
    is_padded: bool

    @property
    def padding(self) -> Shape | None:
        """The height and width to pad pictures to; None if none is padded."""
        return (self.height, self.width) if self.is_padded else None


@dataclass(frozen=True)
class Group:
    """Pairs that are computed together.

    Attributes:
        pairs: their indices in the plan, at most `batch_size` of them.
        batch_size: the number of pairs that the program takes.
        padded_shapes: the shape at each size, coarse to fine.
    """

    pairs: tuple[int, ...]
    batch_size: int
    padded_shapes: tuple[PaddedShape, ...]


@dataclass(frozen=True)
class PairKind:
    """What pairs that can be computed together have in common.

    Attributes:
        settings: those that are compiled into the programs, the size and the steps.
        padded_shapes: the shape at each size, coarse to fine.
        pixel_steps: the number of pixels, with padding, that all steps of one pair process.
        is_tiled: whether pictures are computed by tiles, one pair at a time.
    """

    settings: tuple[Any, ...]
    padded_shapes: tuple[PaddedShape, ...]
    pixel_steps: int
    is_tiled: bool


def plan_groups(
    shapes: Sequence[Shape],
    configs: Sequence[StyleConfig],
    *,
    batch_size: int = 1,
    devices: int = 1,
    max_programs: int = MAX_PROGRAMS,
) -> list[Group]:
    """Group the pairs of contents of these shapes, `(height, width)`, with these settings.

    There are as many programs as shapes at every size, or `max_programs` in all if that is fewer: shapes are then
    merged where the padding costs least. Pairs that can be grouped keep their order, and are spread evenly over groups
    of at most `batch_size`, a multiple of the `devices` that share a group.
    """
    kinds = plan_kinds(shapes, configs, max_programs=max_programs)
    return group_kinds(dict(enumerate(kinds)), batch_size=batch_size, devices=devices)


def plan_kinds(
    shapes: Sequence[Shape], configs: Sequence[StyleConfig], *, max_programs: int = MAX_PROGRAMS
) -> list[PairKind]:
    """The kind of each pair: pairs of one kind can be computed together. It depends on all pairs, on no device."""
    pairs = list(zip(shapes, configs, strict=True))
    levels = {
        (shape, config): [
            ((_static_settings(config), size), scaled_shape(*shape, size), steps)
            for size, steps in schedule(config, *shape)
        ]
        for shape, config in dict.fromkeys(pairs)
    }
    uses: Counter[tuple[Any, Shape]] = Counter()
    padded: dict[tuple[Any, Shape], PaddedShape] = {}
    for (shape, config), count in Counter(pairs).items():
        for kind, scaled, steps in levels[shape, config]:
            if config.tile_size_for(scaled) is None:
                uses[kind, scaled] += count * steps
            else:  # pictures that are computed by tiles are not padded
                padded[kind, scaled] = PaddedShape(*scaled, is_padded=False)
    padded |= _padded_shapes(uses, max_programs)
    kinds = {
        (shape, config): PairKind(
            (_static_settings(config), config.size, config.steps),
            tuple(padded[kind, scaled] for kind, scaled, _ in levels[shape, config]),
            sum(
                padded[kind, scaled].height * padded[kind, scaled].width * steps
                for kind, scaled, steps in levels[shape, config]
            ),
            any(config.tile_size_for(scaled) is not None for _, scaled, _ in levels[shape, config]),
        )
        for shape, config in levels
    }
    return [kinds[pair] for pair in pairs]


def group_kinds(kinds: Mapping[int, PairKind], *, batch_size: int = 1, devices: int = 1) -> list[Group]:
    """Group pairs, the keys, by their kinds; see `plan_groups`."""
    grouped: dict[PairKind, list[int]] = {}
    for pair, kind in kinds.items():
        grouped.setdefault(kind, []).append(pair)
    return [
        group
        for kind, pairs in grouped.items()
        for group in _split(pairs, kind.padded_shapes, 1 if kind.is_tiled else batch_size, devices)
    ]


def _split(pairs: Sequence[int], padded_shapes: tuple[PaddedShape, ...], batch_size: int, devices: int) -> list[Group]:
    """Groups of nearly equal size, so that few places of a batch stay empty."""
    if batch_size > 1:
        count = math.ceil(len(pairs) / batch_size)
        batch_size = math.ceil(len(pairs) / count / devices) * devices
    offsets = range(0, len(pairs), batch_size)
    return [Group(tuple(pairs[first : first + batch_size]), batch_size, padded_shapes) for first in offsets]


def count_programs(groups: Sequence[Group], configs: Sequence[StyleConfig]) -> int:
    """The number of step programs that the groups need in all."""
    return len(
        {
            (_static_settings(configs[group.pairs[0]]), group.batch_size, padded_shape)
            for group in groups
            for padded_shape in group.padded_shapes
        }
    )


def _static_settings(config: StyleConfig) -> tuple[Any, ...]:
    """The settings that are compiled into a step program; all others are arguments of it."""
    style = config.style_names, config.style_representation, config.regions, config.normalization
    return config.content_names, *style, config.optimizer, config.tile_size


def _padded_shapes(uses: Counter[tuple[Any, Shape]], max_programs: int) -> dict[tuple[Any, Shape], PaddedShape]:
    """The padded shape for every shape of a kind: its own, or one shared with its neighbors in aspect ratio."""

    @cache
    def cost(kind: Any, shapes: tuple[Shape, ...]) -> int:
        height, width = _bounding_shape(shapes)
        return height * width * sum(uses[kind, shape] for shape in shapes)

    in_order = sorted(uses, key=lambda use: (repr(use[0]), use[1][0] / use[1][1], use[1]))
    buckets: list[tuple[Any, tuple[Shape, ...]]] = [(kind, (shape,)) for kind, shape in in_order]
    while len(buckets) > max_programs:
        merged = [
            (cost(kind, left + right) - cost(kind, left) - cost(kind, right), index)
            for index, ((kind, left), (other, right)) in enumerate(pairwise(buckets))
            if kind == other
        ]
        if not merged:
            break
        _, index = min(merged)
        kind, left = buckets[index]
        buckets[index : index + 2] = [(kind, left + buckets[index + 1][1])]
    return {
        (kind, shape): PaddedShape(*_bounding_shape(shapes), is_padded=len(shapes) > 1)
        for kind, shapes in buckets
        for shape in shapes
    }


def _bounding_shape(shapes: Sequence[Shape]) -> Shape:
    """The smallest shape that holds all of these."""
    heights, widths = zip(*shapes, strict=True)
    return max(heights), max(widths)
