"""The plan of a batch: every pair once, in padded shapes that hold it, with no more max_programs than allowed."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.batch import Group, PaddedShape, count_programs, plan_groups
from jaxstyle.config import StyleConfig
from jaxstyle.images import scaled_shape
from jaxstyle.networks import resolve_layers
from jaxstyle.optimization import schedule

SMALL = resolve_layers(StyleConfig(size=128), "vgg19")
SHAPES = st.lists(st.tuples(st.integers(60, 400), st.integers(60, 400)), min_size=1, max_size=25)


def work(groups: list[Group], configs: list[StyleConfig], shapes: list[tuple[int, int]]) -> int:
    """Pixels times steps of all pairs, with padding."""
    return sum(
        padded_shape.height * padded_shape.width * steps
        for group in groups
        for pair in group.pairs
        for padded_shape, (_, steps) in zip(group.padded_shapes, schedule(configs[pair], *shapes[pair]), strict=True)
    )


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.sampled_from([64, 256, 512]), st.integers(1, 9), st.integers(1, 4), st.integers(1, 20))
def test_every_pair_is_computed_once_in_shapes_that_hold_it(shapes, size, batch_size, devices, max_programs):
    configs = [replace(SMALL, size=size)] * len(shapes)
    groups = plan_groups(shapes, configs, batch_size=batch_size, devices=devices, max_programs=max_programs)
    assert sorted(pair for group in groups for pair in group.pairs) == list(range(len(shapes)))
    for group in groups:
        assert 1 <= len(group.pairs) <= group.batch_size
        assert list(group.pairs) == sorted(group.pairs)
        for pair in group.pairs:
            levels = schedule(configs[pair], *shapes[pair])
            assert len(levels) == len(group.padded_shapes)
            for (longest, _), padded_shape in zip(levels, group.padded_shapes, strict=True):
                height, width = scaled_shape(*shapes[pair], longest)
                assert height <= padded_shape.height and width <= padded_shape.width
                assert padded_shape.is_padded or (height, width) == (padded_shape.height, padded_shape.width)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.sampled_from([64, 512]))
def test_without_a_limit_nothing_is_padded_and_with_one_it_is_kept(shapes, size):
    configs = [replace(SMALL, size=size)] * len(shapes)
    free, tight = (plan_groups(shapes, configs, max_programs=max_programs) for max_programs in (10**6, 8))
    assert not any(padded_shape.is_padded for group in free for padded_shape in group.padded_shapes)
    assert count_programs(free, configs) == len(
        {padded_shape for group in free for padded_shape in group.padded_shapes}
    )
    # Very long contents have fewer sizes, but those they have are of the same kinds.
    assert count_programs(tight, configs) <= 8
    if count_programs(free, configs) <= 8:
        assert tight == free
    assert work(tight, configs, shapes) >= work(free, configs, shapes)


def test_200_pairs_of_30_shapes_need_8_programs_and_little_padding():
    shapes = [(400 + 13 * index, 900 - 11 * index) for index in range(30)]
    shapes = [shapes[index % 30] for index in range(200)]
    configs = [SMALL] * 200
    groups = plan_groups(shapes, configs)
    assert len(groups) == 200 and count_programs(groups, configs) == 8
    free = plan_groups(shapes, configs, max_programs=100)
    assert count_programs(free, configs) > 20
    assert work(groups, configs, shapes) < 1.12 * work(free, configs, shapes)


def test_the_cheapest_padding_is_chosen():
    """Of three shapes in two max_programs the two that are nearly the same share one."""
    shapes = [(100, 100), (98, 100), (50, 100)]
    groups = plan_groups(shapes, [replace(SMALL, size=100)] * 3, max_programs=2)
    padded_shapes = {group.pairs[0]: group.padded_shapes for group in groups}
    assert padded_shapes[0] == padded_shapes[1] == (PaddedShape(100, 100, True),)
    assert padded_shapes[2] == (PaddedShape(50, 100, False),)


def test_small_sizes_are_merged_before_large_ones():
    """Padding costs more where there are more pixels."""
    shapes = [(300, 400), (280, 400), (200, 400)]
    groups = plan_groups(shapes, [replace(SMALL, size=256)] * 3, max_programs=5)
    assert not any(group.padded_shapes[1].is_padded for group in groups)
    assert [group.padded_shapes[0].is_padded for group in groups].count(True) == 2


def test_pairs_whose_programs_differ_are_not_grouped_and_others_are():
    configs = [SMALL, replace(SMALL, content_weight=3.0, tv_weight=0.0), replace(SMALL, optimizer="adam")]
    configs += [replace(SMALL, steps=7), replace(SMALL, style_layers=(("relu1_1", 1.0),)), SMALL]
    groups = plan_groups([(90, 120)] * 6, configs, batch_size=8)
    assert sorted(group.pairs for group in groups) == [(0, 1, 5), (2,), (3,), (4,)]
    assert count_programs(groups, configs) == 4  # the number of steps is none of them, but the number of batch_size is


@pytest.mark.parametrize(
    "setting",
    [
        {"content_layers": (("relu3_1", 1.0),)},
        {"style_layers": (("relu3_1", 1.0),)},
        {"style_representation": "moments"},
        {"regions": 2},
        {"normalization": "gatys"},
        {"optimizer": "adam"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_a_setting_that_is_compiled_into_the_program_separates_pairs(setting):
    configs = [SMALL, replace(SMALL, **setting)]
    groups = plan_groups([(90, 120)] * 2, configs, batch_size=2)
    assert [group.pairs for group in groups] == [(0,), (1,)] and count_programs(groups, configs) == 2


def test_pairs_are_spread_evenly_over_groups():
    groups = plan_groups([(90, 120)] * 33, [SMALL] * 33, batch_size=16)
    assert [(len(group.pairs), group.batch_size) for group in groups] == [(11, 11)] * 3
    groups = plan_groups([(90, 120)] * 5, [SMALL] * 5, batch_size=16, devices=4)
    assert [(len(group.pairs), group.batch_size) for group in groups] == [(5, 8)]


def test_a_plan_does_not_depend_on_more_than_its_pairs():
    shapes = [(300, 400), (280, 400), (400, 300)] * 5
    configs = [SMALL] * len(shapes)
    assert plan_groups(shapes, configs, batch_size=4) == plan_groups(list(shapes), list(configs), batch_size=4)
    assert plan_groups([], [], batch_size=4) == []


def test_pairs_by_tiles_are_alone_and_not_padded():
    whole, tiled = (resolve_layers(StyleConfig(size=64, levels=1, tile_size=size), "vgg19") for size in (None, 32))
    shapes = [(48, 64), (47, 64)] * 4
    groups = plan_groups(shapes, [whole] * 4 + [tiled] * 4, batch_size=4, max_programs=1)
    assert [(group.pairs, group.batch_size) for group in groups if group.pairs[0] < 4] == [((0, 1, 2, 3), 4)]
    others = [group for group in groups if group.pairs[0] >= 4]
    assert sorted(group.pairs for group in others) == [(4,), (5,), (6,), (7,)]
    assert not any(group.padded_shapes[0].is_padded or group.batch_size > 1 for group in others)
