"""The memory that commands and jobs need: the largest size that fits, and the check before anything is computed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxstyle.batch import CACHE_BYTES, Group, concurrent_groups, count_programs, takes_turns
from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.images import largest_side, read_shape
from jaxstyle.jobs.environment import device
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.options import Options
from jaxstyle.jobs.parsing import MAX_SIZE
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.reading import is_saved_style, read_network, style_shape
from jaxstyle.jobs.settings import Settings
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    MemoryNeed,
    Shape,
    Workload,
    check_memory,
    largest_size,
    measure_need,
    memory_settings,
    network_bytes,
    statistics_bytes,
)


def resolve_size(
    options: Options,
    content: Path | Shape,
    styles: Sequence[Path],
    *,
    regions: int = 1,
    settings_of: Callable[[Options], Iterable[Settings]] = lambda options: [options.settings()],
) -> Options:
    """The options with a number as `size`: for "max" the largest size that fits the memory and the limits of pictures.

    Args:
        options: the options of one or more runs with the same content and styles.
        content: the file or the shape of the content.
        styles: style pictures and saved styles.
        regions: the number of regions in masks.
        settings_of: the settings of all runs, for options whose size is a number.

    Raises:
        MemoryLimitError: if no size fits.
        JaxStyleError: if the options are wrong, or a picture or the network cannot be read.
    """
    if options.size != MAX_SIZE:
        return options
    device()  # raises if there is none
    shape = content if isinstance(content, tuple) else read_shape(content)
    shapes = {style: read_shape(style) for style in styles if not is_saved_style(style)}
    sizes = []
    for settings in settings_of(replace(options, size=DEFAULTS.size)):
        network = read_network(*settings.network_key)
        config = replace(settings.resolve(network).config, regions=max(regions, settings.config.regions))
        workload = Workload(network, config, shape, tuple(shapes.values()), may_tile=True)
        sizes += [largest_size(workload), largest_side(*shape)]
        sizes += [int(largest_side(*style) / max(config.style_scales)) for style in shapes.values()]
        if not min(sizes):
            check_memory(measure_need([replace(workload, config=replace(config, size=1))]))
    return replace(options, size=min(sizes))


def picture_shapes(files: Sequence[Path], config: StyleConfig) -> tuple[Shape, ...]:
    """The shapes of style pictures at full size, without those of saved styles; PictureError as `read_shape`."""
    styles = zip(files, config.of_each_style(len(files)), strict=True)
    return tuple(style_shape(file, style_config) for file, style_config in styles if not is_saved_style(file))


def plan_workers(
    plan: Plan, groups: Sequence[Group], networks: Callable[[Settings], Network], files: KnownFiles
) -> tuple[int, MemoryNeed | None]:
    """The number of groups to work on at the same time, see `concurrent_groups`, and what they need.

    The number is 1 if not even one group fits the memory. There is no need without groups.
    """
    workloads = _workloads(plan, groups, networks, files)
    if not workloads:
        return 1, None
    count = min(concurrent_groups(workload.network, [workload.config], workload.batch_size) for workload in workloads)
    while not (need := measure_need(_at_once(workload, count) for workload in workloads)).fits and count > 1:
        count -= 1
    return count, need


def _at_once(workload: Workload, count: int) -> Workload:
    """What this number of groups takes at the same time."""
    if takes_turns(workload.batch_size):
        return replace(workload, prepared=count - 1)
    return replace(workload, workers=count)


def _workloads(
    plan: Plan, groups: Sequence[Group], networks: Callable[[Settings], Network], files: KnownFiles
) -> list[Workload]:
    """What the groups compute: one workload for all that take the same memory, with the styles of all of them."""
    program_count = count_programs(groups, [task.settings.config for task in plan.tasks])
    all_networks = {
        settings.network_key: (networks(settings), settings.config)
        for settings in (plan.tasks[group.pairs[0]].settings for group in groups)
    }
    sizes = {key: network_bytes(*network) for key, network in all_networks.items()}
    workloads: dict[Any, Workload] = {}
    styles: dict[Any, set[Path]] = {}
    for group in groups:
        for pair in group.pairs:
            settings, largest = plan.tasks[pair].settings, group.padded_shapes[-1]
            key = settings.network_key, memory_settings(settings.config), largest, group.batch_size
            styles.setdefault(key, set()).update(plan.tasks[pair].styles)
            if key not in workloads:
                workloads[key] = Workload(
                    networks(settings),
                    settings.config,
                    (largest.height, largest.width),
                    batch_size=group.batch_size,
                    programs_per_size=program_count / len(group.padded_shapes),
                    other_bytes=sum(sizes.values()) - sizes[settings.network_key],
                )
    # Styles that cannot be read have no shape; their pairs fail later.
    shapes = {key: dict.fromkeys(files[style].shape for style in used) for key, used in styles.items()}
    return [
        replace(
            workload,
            styles=tuple(shape for shape in shapes[key] if shape),
            other_bytes=workload.other_bytes
            + min(CACHE_BYTES, len(styles[key]) * statistics_bytes(workload.network, workload.config)),
        )
        for key, workload in workloads.items()
    ]
