"""Which pairs share compiled programs: a plan for pictures of many shapes, made before any of them is computed.

A program is compiled for one shape. Where there would be too many, neighbouring shapes share the smallest one that
holds both, and pictures are padded to it; their extent keeps the padding from having any effect. The plan depends on
nothing but the shapes and settings of all pairs, so that a job that is resumed is computed as it began.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from jaxstyle.config import StyleConfig
from jaxstyle.pyramid import schedule, shape_at

PROGRAMS = 8  # compiled programs of the step in a plan, unless the settings differ so much that there must be more

Shape = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """What pictures are computed in at one size: a shape, and whether any of them is padded to it."""

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
        pairs: their indices in the plan, at most `lanes` of them.
        lanes: how many pairs the program takes at once.
        frames: at each size from coarse to fine.
    """

    pairs: tuple[int, ...]
    lanes: int
    frames: tuple[Frame, ...]


def plan(
    shapes: Sequence[Shape],
    configs: Sequence[StyleConfig],
    *,
    lanes: int = 1,
    devices: int = 1,
    programs: int = PROGRAMS,
) -> list[Group]:
    """Group the pairs of contents of these shapes, `(height, width)`, with these settings.

    There are as many programs as shapes at every size, or `programs` in all if that is fewer: shapes are then merged
    where the padding costs least. Pairs that can be grouped keep their order, and are spread evenly over groups of at
    most `lanes`, as many for each of the `devices` that share a group.
    """
    levels = [
        [((_program(config), size), shape_at(*shape, size), steps) for size, steps in schedule(config, *shape)]
        for shape, config in zip(shapes, configs, strict=True)
    ]
    uses: Counter[tuple[Any, Shape]] = Counter()
    for kind, shape, steps in (level for pair in levels for level in pair):
        uses[kind, shape] += steps
    frames = _frames(uses, programs)
    together: dict[Any, list[int]] = {}
    for pair, config in enumerate(configs):
        own = tuple(frames[kind, shape] for kind, shape, _ in levels[pair])
        together.setdefault((_program(config), config.size, config.steps, own), []).append(pair)
    return [group for (*_, own), pairs in together.items() for group in _spread(pairs, own, lanes, devices)]


def _spread(pairs: Sequence[int], frames: tuple[Frame, ...], lanes: int, devices: int) -> list[Group]:
    """Groups of as equal a size as can be, so that few lanes are empty."""
    if lanes > 1:
        count = math.ceil(len(pairs) / lanes)
        lanes = math.ceil(len(pairs) / count / devices) * devices
    return [Group(tuple(pairs[first : first + lanes]), lanes, frames) for first in range(0, len(pairs), lanes)]


def count_programs(groups: Sequence[Group], configs: Sequence[StyleConfig]) -> int:
    """How many programs of the step the groups need in all."""
    return len({(_program(configs[group.pairs[0]]), group.lanes, frame) for group in groups for frame in group.frames})


def _program(config: StyleConfig) -> tuple[Any, ...]:
    """The settings that a program of the step is compiled for; all others are numbers that it is given."""
    style = config.style_names, config.style_representation, config.regions, config.normalisation
    return config.content_names, *style, config.optimizer


def _frames(uses: Counter[tuple[Any, Shape]], programs: int) -> dict[tuple[Any, Shape], Frame]:
    """The frame of every shape of a kind: its own, or one that it shares with its neighbours in proportions."""

    @cache
    def cost(kind: Any, shapes: tuple[Shape, ...]) -> int:
        height, width = _around(shapes)
        return height * width * sum(uses[kind, shape] for shape in shapes)

    in_order = sorted(uses, key=lambda use: (repr(use[0]), use[1][0] / use[1][1], use[1]))
    buckets: list[tuple[Any, tuple[Shape, ...]]] = [(kind, (shape,)) for kind, shape in in_order]
    while len(buckets) > programs:
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
        (kind, shape): Frame(*_around(shapes), is_padded=len(shapes) > 1)
        for kind, shapes in buckets
        for shape in shapes
    }


def _around(shapes: Sequence[Shape]) -> Shape:
    """The smallest shape that holds all of these."""
    heights, widths = zip(*shapes, strict=True)
    return max(heights), max(widths)
