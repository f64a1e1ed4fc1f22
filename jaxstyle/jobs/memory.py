"""The memory that a job needs: how many groups fit at the same time, before anything is computed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxstyle.batch import CACHE_BYTES, Group, concurrent_groups, count_programs, takes_turns
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.plan import Plan
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    MemoryNeed,
    Workload,
    measure_need,
    memory_settings,
    network_bytes,
    statistics_bytes,
)
from jaxstyle.options import Settings


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
