"""The plan of a job: which pairs are done, which failed, and in what groups the others are computed."""

import os
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jax

from jaxstyle.batch import Group, PairKind, Shape, default_batch_size, group_kinds, plan_kinds
from jaxstyle.config import StyleConfig
from jaxstyle.errors import PictureError
from jaxstyle.files import content_warnings, network_record
from jaxstyle.images import path_in_errors, read_shape, scaled_shape, target_shape
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.records import format_settings, pair_key
from jaxstyle.jobs.results import existing_results
from jaxstyle.jobs.shares import WHOLE, Share, split_evenly
from jaxstyle.jobs.tasks import Task
from jaxstyle.jobs.tiling import by_tiles
from jaxstyle.networks import Network
from jaxstyle.optimization import schedule
from jaxstyle.options import Settings

STATE_FIELDS = ("key", "error")  # what a plan needs of a record


@dataclass(frozen=True, eq=False)
class Plan:
    """The pairs of a job and their state; a pair is its index in `tasks`.

    Attributes:
        tasks: all pairs.
        keys: the key of each pair; see `records`.
        done: pairs whose results exist.
        failed: pairs that failed before and are not tried again, with the errors.
        unreadable: pairs whose content cannot be read, new ones or ones to be tried again, with the errors.
        replaced: pairs of this share to compute whose results exist, of other files or settings.
        share: the part of the job that this process computes.
        share_of: the index of the share that each pair belongs to.
        groups: of all pairs of this share whose content can be read; each group has one network.
        pixel_steps: for each pair whose content can be read, the number of pixels that all its steps process.
        warnings: lines on contents of pairs to compute that are much smaller than their results.
    """

    tasks: tuple[Task, ...]
    keys: tuple[str, ...]
    done: frozenset[int]
    failed: dict[int, str]
    unreadable: dict[int, str]
    replaced: frozenset[int]
    share: Share
    share_of: tuple[int, ...]
    groups: tuple[Group, ...]
    pixel_steps: dict[int, int]
    warnings: tuple[str, ...] = ()

    def is_todo(self, pair: int) -> bool:
        """Whether a pair has to be computed."""
        return pair not in self.done and pair not in self.failed and pair not in self.unreadable

    @cached_property
    def pairs(self) -> frozenset[int]:
        """All pairs of this share, done or not."""
        return frozenset(pair for pair, index in enumerate(self.share_of) if index == self.share.index)

    @cached_property
    def groups_to_do(self) -> list[Group]:
        """The groups that have a pair to compute."""
        return [group for group in self.groups if any(map(self.is_todo, group.pairs))]

    @cached_property
    def todo(self) -> list[int]:
        """The pairs of this share to compute, in the order of the groups."""
        return [pair for group in self.groups for pair in group.pairs if self.is_todo(pair)]


def make_plan(
    tasks: Sequence[Task],
    networks: Callable[[Settings], Network],
    records: Mapping[str, dict[str, Any]],
    folder: Path,
    *,
    files: KnownFiles,
    batch_size: int | None = None,
    retry_failed: bool = False,
    share: Share = WHOLE,
) -> Plan:
    """Plan a job whose results go to the folder and have these records.

    Groups depend on all pairs of the share, done or not, so that a resumed job computes the same groups. Shares depend
    on the pairs of the whole job and on no device, so that all machines split it in the same way. Keys do not depend on
    tiles that are chosen for the memory that there is.
    """
    resolved = {given: given.resolve(networks(given)) for given in {task.settings for task in tasks}}
    tasks = [replace(task, settings=resolved[task.settings]) for task in tasks]
    files.find(file for task in tasks for file in task.files)
    keys = _keys(tasks, networks, files)
    done, failed = done_and_failed(tasks, keys, records, folder)
    failed = {} if retry_failed else failed
    shapes, errors = _content_shapes(tasks, files)
    share_of = _split(len(tasks), _kinds(tasks, shapes), share)
    tasks = by_tiles(tasks, shapes, networks, files)
    kinds = _kinds(tasks, shapes)
    unreadable = {pair: error for pair, error in errors.items() if pair not in failed}
    grouped = {pair: kind for pair, kind in kinds.items() if share_of[pair] == share.index}
    computed = [tasks[pair] for pair in grouped.keys() - done - failed.keys()]
    return Plan(
        tasks=tuple(tasks),
        keys=tuple(keys),
        done=done,
        failed=failed,
        unreadable=unreadable,
        replaced=frozenset(existing_results(tasks, folder) & grouped.keys() - done - failed.keys()),
        share=share,
        share_of=tuple(share_of),
        groups=tuple(_groups(tasks, networks, grouped, batch_size)),
        pixel_steps={pair: count_pixel_steps(tasks[pair].settings.config, *shape) for pair, shape in shapes.items()},
        warnings=tuple(
            content_warnings(
                (task.content, shape, task.settings.config.size)
                for task in computed
                if (shape := files[task.content].shape)
            )
        ),
    )


def done_and_failed(
    tasks: Sequence[Task], keys: Sequence[str], records: Mapping[str, dict[str, Any]], folder: Path
) -> tuple[frozenset[int], dict[int, str]]:
    """The pairs that have a record and a result, and the errors of those that failed."""
    done, failed, existing = set(), {}, existing_results(tasks, folder)
    for pair, (task, key) in enumerate(zip(tasks, keys, strict=True)):
        record = records.get(str(task.output))
        if record is None or record["key"] != key:
            continue
        if record["error"] is not None:
            failed[pair] = record["error"]
        elif pair in existing or os.path.isfile(folder / task.output):
            done.add(pair)
    return frozenset(done), failed


@cache
def count_pixel_steps(config: StyleConfig, height: int, width: int) -> int:
    """The number of pixels that all steps process, for a content of this shape."""
    shapes = [(scaled_shape(height, width, size), steps) for size, steps in schedule(config, height, width)]
    return sum(rows * columns * steps for (rows, columns), steps in shapes)


def seconds_per_pixel_step(records: Iterable[Mapping[str, Any]], device: Mapping[str, Any]) -> float | None:
    """The median over pairs that were computed on such a device; None if there are none."""
    measured = [
        record["seconds"]["compute"] / record["together"] / _pixel_steps_of_record(record)
        for record in records
        if record["error"] is None and record["device"] == device and not record["resumed"]
    ]
    return statistics.median(measured) if measured else None


def _pixel_steps_of_record(record: Mapping[str, Any]) -> int:
    settings = record["settings"]
    init = tuple((name, share) for name, share in settings["init"])
    config = StyleConfig(size=settings["size"], steps=settings["steps"], init=init, levels=settings.get("levels"))
    return count_pixel_steps(config, record["height"], record["width"])


def _keys(tasks: Sequence[Task], networks: Callable[[Settings], Network], files: KnownFiles) -> list[str]:
    def digest(file: Path) -> str:
        return files[file].digest

    @cache
    def rest(settings: Settings) -> str:
        network = network_record(networks(settings), settings.network, settings.weights)
        return format_settings(settings.record(), network)

    return [
        pair_key(
            digest(task.content),
            list(map(digest, task.styles)),
            [digest(file) if file else None for file in (task.settings.initial_picture, task.settings.strength_mask)],
            rest(task.settings),
        )
        for task in tasks
    ]


def _content_shapes(tasks: Sequence[Task], files: KnownFiles) -> tuple[dict[int, Shape], dict[int, str]]:
    """The shape of each pair's content, and the errors of contents that cannot be read."""

    @cache
    def shape_at(content: Path, size: int) -> Shape | str:
        shape = files[content].shape
        try:
            if shape is None:
                return read_shape(content, size=size)  # raises
            with path_in_errors(content, "read", PictureError):
                return target_shape(*shape, size)
        except PictureError as error:
            return str(error)

    shapes: dict[int, Shape] = {}
    errors: dict[int, str] = {}
    for pair, task in enumerate(tasks):
        result = shape_at(task.content, task.settings.config.size)
        if isinstance(result, str):
            errors[pair] = result
        else:
            shapes[pair] = result
    return shapes, errors


def _kinds(tasks: Sequence[Task], shapes: Mapping[int, Shape]) -> dict[int, tuple[Hashable, PairKind]]:
    """The network and the kind of each pair that has a shape."""
    pairs_by_network: dict[Hashable, list[int]] = {}
    for pair in shapes:
        pairs_by_network.setdefault(tasks[pair].settings.network_key, []).append(pair)
    kinds: dict[int, tuple[Hashable, PairKind]] = {}
    for network, pairs in pairs_by_network.items():
        planned = plan_kinds([shapes[pair] for pair in pairs], [tasks[pair].settings.config for pair in pairs])
        kinds |= {pair: (network, kind) for pair, kind in zip(pairs, planned, strict=True)}
    return kinds


def _split(count: int, kinds: Mapping[int, tuple[Hashable, PairKind]], share: Share) -> list[int]:
    """The index of the share of each pair; those that have no kind, and no work, take turns."""
    share_of = [pair % share.count for pair in range(count)]
    costs = {kind: kind[1].pixel_steps for kind in dict.fromkeys(kinds.values())}
    for pair, index in zip(kinds, split_evenly(list(kinds.values()), costs, share.count), strict=True):
        share_of[pair] = index
    return share_of


def _groups(
    tasks: Sequence[Task],
    networks: Callable[[Settings], Network],
    kinds: Mapping[int, tuple[Hashable, PairKind]],
    batch_size: int | None,
) -> list[Group]:
    pairs_by_network: dict[Hashable, list[int]] = {}
    for pair, (key, _) in kinds.items():
        pairs_by_network.setdefault(key, []).append(pair)
    groups: list[Group] = []
    for pairs in pairs_by_network.values():
        network = networks(tasks[pairs[0]].settings)
        configs = {kinds[pair][1]: tasks[pair].settings.config for pair in pairs}
        size = batch_size or min(default_batch_size(network, config) for config in configs.values())
        devices = len(jax.local_devices())
        groups += group_kinds({pair: kinds[pair][1] for pair in pairs}, batch_size=size, devices=devices)
    return groups
