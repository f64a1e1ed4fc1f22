"""What there is to do in a job: which pairs are done, which failed, and in what groups the others are computed."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax

from jaxstyle.batch import default_batch_size
from jaxstyle.buckets import Group, Shape, plan
from jaxstyle.cli.inputs import network_record
from jaxstyle.cli.job.manifest import Task
from jaxstyle.cli.job.records import Share, digests, pair_key
from jaxstyle.cli.settings import Settings
from jaxstyle.config import StyleConfig
from jaxstyle.errors import JaxStyleError
from jaxstyle.images import read_shape
from jaxstyle.networks import Network
from jaxstyle.pyramid import schedule, shape_at


@dataclass(frozen=True, eq=False)
class Plan:
    """A job and where it stands; pairs go by their index in `tasks`.

    Attributes:
        tasks, keys: of all pairs.
        done: pairs whose results are there.
        failed: pairs that failed before and are not tried again, with what was wrong.
        unreadable: pairs, new or to be tried again, whose content is no picture, with what is wrong.
        groups: of all pairs with a content that seems to be a picture, each of one network.
        work: of each pair in the groups, the pixels that all its steps go over.
    """

    tasks: tuple[Task, ...]
    keys: tuple[str, ...]
    done: frozenset[int]
    failed: dict[int, str]
    unreadable: dict[int, str]
    groups: tuple[Group, ...]
    work: dict[int, int]

    def is_todo(self, pair: int) -> bool:
        """Whether a pair is to be computed."""
        return pair not in self.done and pair not in self.failed and pair not in self.unreadable

    def own(self, share: Share) -> frozenset[int]:
        """The pairs that are a process's to do, or were."""
        grouped = {pair for group in self.groups for pair in group.pairs}
        others = share.of([pair for pair in range(len(self.tasks)) if pair not in grouped])
        return frozenset(others).union(*(group.pairs for group in share.of(self.groups)))

    @property
    def todo(self) -> list[int]:
        """All pairs to be computed, in the order of the groups."""
        return [pair for group in self.groups for pair in group.pairs if self.is_todo(pair)]


def make_plan(
    tasks: Sequence[Task],
    networks: Callable[[Settings], Network],
    records: Mapping[str, dict[str, Any]],
    folder: Path,
    *,
    batch_size: int | None = None,
    retry_failed: bool = False,
) -> Plan:
    """The plan of a job whose results go to the folder and have these records.

    Groups depend on all pairs, done or not, so that a job that is resumed is computed as it began.
    """
    tasks = [replace(task, settings=task.settings.of(networks(task.settings))) for task in tasks]
    keys = _keys(tasks, networks)
    done, failed = standing(tasks, keys, records, folder)
    failed = {} if retry_failed else failed
    shapes, errors = _shapes(tasks)
    return Plan(
        tasks=tuple(tasks),
        keys=tuple(keys),
        done=done,
        failed=failed,
        unreadable={pair: error for pair, error in errors.items() if pair not in failed},
        groups=tuple(_groups(tasks, networks, shapes, batch_size)),
        work={pair: work_of(tasks[pair].settings.config, *shape) for pair, shape in shapes.items()},
    )


def standing(
    tasks: Sequence[Task], keys: Sequence[str], records: Mapping[str, dict[str, Any]], folder: Path
) -> tuple[frozenset[int], dict[int, str]]:
    """Which pairs are done, with record and picture, and what went wrong with those that failed."""
    done, failed = set(), {}
    for pair, (task, key) in enumerate(zip(tasks, keys, strict=True)):
        record = records.get(str(task.output))
        if record is None or record["key"] != key:
            continue
        if record["error"] is not None:
            failed[pair] = record["error"]
        elif (folder / task.output).is_file():
            done.add(pair)
    return frozenset(done), failed


def work_of(config: StyleConfig, height: int, width: int) -> int:
    """Pixels that all steps go over, for a content of this shape."""
    shapes = [(shape_at(height, width, size), steps) for size, steps in schedule(config, height, width)]
    return sum(rows * columns * steps for (rows, columns), steps in shapes)


def pace_of(records: Iterable[Mapping[str, Any]], device: Mapping[str, Any]) -> float | None:
    """Seconds for each unit of work, as pairs that were computed on such a device took them; None if none was."""
    paces = [
        record["seconds"]["compute"] / record["together"] / _work_in(record)
        for record in records
        if record["error"] is None and record["device"] == device and not record["resumed"]
    ]
    return statistics.median(paces) if paces else None


def _work_in(record: Mapping[str, Any]) -> int:
    settings = StyleConfig(size=record["settings"]["size"], steps=record["settings"]["steps"])
    return work_of(settings, record["height"], record["width"])


def _keys(tasks: Sequence[Task], networks: Callable[[Settings], Network]) -> list[str]:
    known = digests(file for task in tasks for file in task.files)
    return [
        pair_key(
            known[task.content],
            [known[style] for style in task.styles],
            known[task.settings.start] if task.settings.start else None,
            task.settings.record(),
            network_record(networks(task.settings), task.settings.network, task.settings.weights),
        )
        for task in tasks
    ]


def _shapes(tasks: Sequence[Task]) -> tuple[dict[int, Shape], dict[int, str]]:
    """The shape of each pair's content, and what is wrong with those that have none."""

    def look(content: tuple[Path, int]) -> Shape | str:
        file, size = content
        try:
            return read_shape(file, size=size)
        except JaxStyleError as error:
            return str(error)

    contents = [(task.content, task.settings.config.size) for task in tasks]
    distinct = list(dict.fromkeys(contents))
    with ThreadPoolExecutor() as threads:
        found = dict(zip(distinct, threads.map(look, distinct), strict=True))
    shapes: dict[int, Shape] = {}
    errors: dict[int, str] = {}
    for pair, content in enumerate(contents):
        seen = found[content]
        if isinstance(seen, str):
            errors[pair] = seen
        else:
            shapes[pair] = seen
    return shapes, errors


def _groups(
    tasks: Sequence[Task],
    networks: Callable[[Settings], Network],
    shapes: Mapping[int, Shape],
    batch_size: int | None,
) -> list[Group]:
    of_network: dict[Any, list[int]] = {}
    for pair in shapes:
        of_network.setdefault(tasks[pair].settings.choice, []).append(pair)
    groups = []
    for pairs in of_network.values():
        network, configs = networks(tasks[pairs[0]].settings), [tasks[pair].settings.config for pair in pairs]
        lanes = batch_size or min(default_batch_size(network, config) for config in set(configs))
        found = plan([shapes[pair] for pair in pairs], configs, lanes=lanes, devices=len(jax.local_devices()))
        groups += [replace(group, pairs=tuple(pairs[index] for index in group.pairs)) for group in found]
    return groups
