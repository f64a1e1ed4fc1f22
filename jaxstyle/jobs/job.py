"""A job of many pairs, from files to files: plan it, run it, and sum it up."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jaxstyle.batch import Group, takes_turns
from jaxstyle.environment import device
from jaxstyle.images import RemotePath, exists
from jaxstyle.jobs.cost import Cost
from jaxstyle.jobs.events import Event, Planned, Written
from jaxstyle.jobs.failures import describe_failures
from jaxstyle.jobs.inputs import InputReader, NetworkCache
from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.leftovers import delete_leftovers
from jaxstyle.jobs.memory import plan_workers
from jaxstyle.jobs.plan import STATE_FIELDS, Plan, done_and_failed, make_plan, seconds_per_pixel_step
from jaxstyle.jobs.records import is_running, iterate_records, open_records, read_records
from jaxstyle.jobs.results import check_inputs_stay
from jaxstyle.jobs.run import Runner, RunnerContext
from jaxstyle.jobs.shares import WHOLE, Share
from jaxstyle.jobs.tasks import Task
from jaxstyle.optimization import MemoryNeed, check_memory, predict_bytes


@dataclass(frozen=True)
class Job:
    """Pairs to stylize, and the folder for their results.

    Attributes:
        tasks: the pairs, from `pair_up` or `read_manifest`.
        folder: where the results, their records and checkpoints go. It is created if it does not exist. For a folder
            in an object store, `as_path` of its URL.
        share: the part of the job that this process computes.
        batch_size: pairs in one program; by default what fits a GPU or TPU, and 1 on CPU.
        retry_failed: whether to try pairs again that failed in an earlier run.
        fail_fast: whether to stop when a pair fails.
        checkpoint_every: seconds between the checkpoints of an optimization.
        record_losses: whether records hold the losses of every step, not only of the first and the last.
    """

    tasks: Sequence[Task]
    folder: Path
    share: Share = WHOLE
    batch_size: int | None = None
    retry_failed: bool = False
    fail_fast: bool = False
    checkpoint_every: float = 60
    record_losses: bool = False


@dataclass(frozen=True)
class Summary:
    """What came of a job.

    Attributes:
        share: the part of the job that this process computed, such as `0/1` for the whole.
        pairs: the number of pairs of this share.
        done: how many of them have results.
        done_before: how many of them had results before this run.
        failed: `{"output": name, "error": message}` for each pair that failed.
        untried: the number of pairs that were not tried or not finished, because the job was stopped.
        output: the folder of the results.
        record: the file of their records; in an object store, their folder. None if there is none, because other shares
            did these pairs.
        pairs_per_minute: the speed of this run.
        cost: what the results of this run have cost.
        seconds: the duration of this run.
        results: the path of each result in the job, of all shares, by the index of its pair.
    """

    share: str
    pairs: int
    done: int
    done_before: int
    failed: list[dict[str, str]]
    untried: int
    output: str
    record: str | None
    pairs_per_minute: float
    cost: Cost
    seconds: float
    results: dict[int, Path]


def run_job(
    job: Job, callback: Callable[[Event], None] = lambda event: None, *, stop: threading.Event | None = None
) -> Summary:
    """Run a job to its end, or resume one that was stopped in any way, and return a summary.

    Args:
        job: the pairs and the folder. Pairs with results from an earlier run are not computed again, unless their
            files or settings have changed.
        callback: called with each `Event`, from several threads but one call at a time; an exception from it ends the
            job. What a `Step` holds is only valid during the call.
        stop: set it to stop the job: after the steps that are being computed, it saves checkpoints and returns. The
            same job then goes on from there.

    Raises:
        ConfigError: if a result would replace a picture to read.
        MemoryLimitError: if a pair needs more memory than there is; before any is computed.
        JaxStyleError: if another job runs in the folder, or results cannot be written.
    """
    check_inputs_stay(job.tasks, job.folder)
    started = time.perf_counter()
    device_record, networks, cost = device(), NetworkCache(), Cost()

    def on_event(event: Event) -> None:
        nonlocal cost
        if isinstance(event, Written):
            cost += Cost.of_record(event.record)
        callback(event)

    with closing(open_records(job.folder, job.share)) as records:
        plan, at_once, memory = plan_job(job, networks)
        on_event(Planned(plan, memory))
        # In a store, a running process may lose its checkpoints, and no more.
        if records.is_locked or isinstance(job.folder, RemotePath):
            delete_leftovers(plan, job.folder)
        groups = deque(plan.groups_to_do)
        runner = make_runner(
            job,
            plan,
            networks,
            device_record,
            records.add,
            on_event,
            at_once=at_once,
            take=lambda wait: groups.popleft() if groups else None,
            stop=stop,
        )
        running_since = time.perf_counter()
        runner()
    return summarize(job, plan, records.path, cost=cost, started=started, running_since=running_since)


def plan_job(job: Job, networks: NetworkCache) -> tuple[Plan, int, MemoryNeed | None]:
    """The plan of a job, the number of groups to compute at the same time, and the memory that they need.

    Raises:
        MemoryLimitError: if there is less.
    """
    files = KnownFiles(job.folder)
    plan = _plan(job, networks, files)
    at_once, memory = plan_workers(plan, plan.groups_to_do, networks.shapes, files)
    files.save()
    if memory:
        check_memory(memory)
    return plan, at_once, memory


def make_runner(
    job: Job,
    plan: Plan,
    networks: NetworkCache,
    device_record: dict[str, Any],
    add_record: Callable[[Mapping[str, Any]], None],
    callback: Callable[[Event], None],
    *,
    at_once: int,
    take: Callable[[bool], Group | None],
    stop: threading.Event | None = None,
) -> Runner:
    """The runner of a planned job; see `RunnerContext`."""
    return Runner(
        RunnerContext(
            plan=plan,
            networks=networks,
            reader=InputReader(networks.prepared, job.folder, device_record),
            take=take,
            add_record=add_record,
            folder=job.folder,
            callback=callback,
            workers=at_once,
            checkpoint_every=job.checkpoint_every,
            fail_fast=job.fail_fast,
            record_losses=job.record_losses,
            stop=stop or threading.Event(),
        )
    )


def summarize(job: Job, plan: Plan, record: Path, *, cost: Cost, started: float, running_since: float) -> Summary:
    """Sum up a job that has ended, from its records and the cost of this run; times are of `time.perf_counter`."""
    seconds = time.perf_counter() - running_since
    done, failed = done_and_failed(plan.tasks, plan.keys, read_records(job.folder, fields=STATE_FIELDS), job.folder)
    pairs = plan.pairs
    failed = {pair: error for pair, error in failed.items() if pair in pairs}
    return Summary(
        share=str(job.share),
        pairs=len(pairs),
        done=len(pairs & done),
        done_before=len(pairs & plan.done),
        failed=describe_failures(plan, failed),
        untried=len(pairs - done - failed.keys()),
        output=str(job.folder),
        record=str(record) if exists(record) else None,
        pairs_per_minute=60 * cost.pairs / seconds,
        cost=cost,
        seconds=time.perf_counter() - started,
        results={pair: job.folder / plan.tasks[pair].output for pair in sorted(done)},
    )


def describe_job(job: Job) -> dict[str, Any]:
    """What there is to do in the job's share, as plain values: its pairs, groups and memory, and the predictable time.

    Only "shares" is about the whole job: it has the state of each share.
    """
    device_record, networks, files = device(), NetworkCache(), KnownFiles(job.folder)
    plan = _plan(job, networks, files)
    workers, memory = plan_workers(plan, plan.groups_to_do, networks.shapes, files)
    todo, failed = set(plan.todo), plan.failed | plan.unreadable
    computing = 1 if any(takes_turns(group.batch_size) for group in plan.groups) else workers
    spent = Cost()

    def records_with_cost() -> Iterator[dict[str, Any]]:
        nonlocal spent
        for record in iterate_records(job.folder):
            spent += Cost.of_record(record)
            yield record

    pace = seconds_per_pixel_step(records_with_cost(), device_record)
    descriptions: dict[Any, dict[str, Any]] = {}
    for group in plan.groups:
        if pairs := todo & set(group.pairs):
            key = group.padded_shapes, group.batch_size, plan.tasks[group.pairs[0]].settings.network_key
            description = descriptions.setdefault(key, {"groups": 0, "pairs": 0})
            description |= _describe_group(plan, group, networks)
            description["groups"] += 1
            description["pairs"] += len(pairs)
    return {
        "share": str(plan.share),
        "pairs": len(plan.pairs),
        "done": len(plan.pairs & plan.done),
        "failed": describe_failures(plan, failed),
        "todo": [str(plan.tasks[pair].output) for pair in sorted(todo)],
        "shares": _describe_shares(plan, job.folder),
        "replaced": len(plan.replaced),
        "warnings": list(plan.warnings),
        "groups": list(descriptions.values()),
        "at_once": workers,
        "memory": {"needed": memory.needed, "available": memory.available.bytes} if memory else None,
        "device": device_record,
        "spent": asdict(spent),
        "seconds": None if pace is None else pace * sum(plan.pixel_steps[pair] for pair in todo) / computing,
    }


def _plan(job: Job, networks: NetworkCache, files: KnownFiles) -> Plan:
    return make_plan(
        job.tasks,
        networks.shapes,
        read_records(job.folder, fields=STATE_FIELDS),
        job.folder,
        files=files,
        batch_size=job.batch_size,
        retry_failed=job.retry_failed,
        share=job.share,
    )


def _describe_shares(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """The numbers of pairs of each share, and whether a process works on it, as far as locks can tell."""
    pairs = Counter(plan.share_of)
    done = Counter(plan.share_of[pair] for pair in plan.done)
    failed = Counter(plan.share_of[pair] for pair in plan.failed | plan.unreadable)
    shares = [Share(index, plan.share.count) for index in range(plan.share.count)]
    return [
        {
            "share": str(share),
            "pairs": pairs[share.index],
            "done": done[share.index],
            "failed": failed[share.index],
            "todo": pairs[share.index] - done[share.index] - failed[share.index],
            "running": is_running(folder, share),
        }
        for share in shares
    ]


def _describe_group(plan: Plan, group: Group, networks: NetworkCache) -> dict[str, Any]:
    settings, largest = plan.tasks[group.pairs[0]].settings, group.padded_shapes[-1]
    network = networks.shapes(settings)
    return {
        "shapes": [[shape.height, shape.width] for shape in group.padded_shapes],
        "together": group.batch_size,
        "bytes": predict_bytes(network, settings.config, largest.height, largest.width, batch_size=group.batch_size),
    }
