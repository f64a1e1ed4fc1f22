"""Run a planned job: files are read ahead of the computation and results are written behind it.

A result is written under a temporary name and moved into place; only then is its record added. (In object stores,
writing is atomic.) Long optimizations write checkpoints. If the process is killed at any moment, the steps since the
last checkpoint are lost and nothing else.
"""

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle.batch import Group, MeasurementCache, Turn, computing_lock, stylize_group
from jaxstyle.compilation import available_cores, stage
from jaxstyle.errors import JaxStyleError, PictureError
from jaxstyle.files import GroupCheckpoints, first_and_last_losses, losses_by_step, open_checkpoints, result_record
from jaxstyle.images import RemotePath, path_in_errors
from jaxstyle.jobs.cost import EnergyMeter
from jaxstyle.jobs.events import Event, Failed, Finished, Started, Step, Written
from jaxstyle.jobs.inputs import InputReader, Inputs
from jaxstyle.jobs.leftovers import CHECKPOINTS, checkpoint_name
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.records import STATE_FOLDER
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress, is_out_of_memory, memory_error, pair_workload
from jaxstyle.options import Settings
from jaxstyle.stylize import Stylized


class _Stopped(Exception):  # noqa: N818 - not an error
    """Raised in an optimization to end it; has the progress to save, if there is any."""

    def __init__(self, progress: Progress | None = None):
        super().__init__()
        self.progress = progress


@dataclass(frozen=True, eq=False)
class RunnerContext:
    """Everything that a `Runner` needs.

    Attributes:
        plan: of all pairs.
        networks: the network for settings.
        reader: reads the inputs.
        take: the next group, or None if there is none now; its argument says whether to wait for one.
        add_record: called with each record, before the event about it.
        folder: where the results go.
        callback: called with each event, one call at a time.
        workers: the number of groups that are in work at the same time.
        checkpoint_every: seconds between the checkpoints of a group.
        fail_fast: whether to stop when a pair fails.
        record_losses: whether records hold the losses of every step, not only of the first and the last.
        stop: when it is set, groups in work save checkpoints and end, and no others begin.
    """

    plan: Plan
    networks: Callable[[Settings], Network]
    reader: InputReader
    take: Callable[[bool], Group | None]
    add_record: Callable[[Mapping[str, Any]], None]
    folder: Path
    callback: Callable[[Event], None]
    workers: int
    checkpoint_every: float
    fail_fast: bool
    record_losses: bool
    stop: threading.Event


class Runner:
    """Runs a planned job in threads: as many readers and writers as cores, and a computing thread for each worker."""

    def __init__(self, run: RunnerContext):
        self._run, self._plan = run, run.plan
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._callback_lock, self._record_lock = threading.Lock(), threading.Lock()
        self._computing = computing_lock(max((group.batch_size for group in run.plan.groups), default=1))
        self._reading: deque[tuple[Group, dict[int, Future[Inputs]]]] = deque()
        self._caches: dict[int, MeasurementCache] = {}
        self._energy = EnergyMeter(run.reader.device["platform"])
        self._checkpoints = open_checkpoints(run.folder / CHECKPOINTS)
        self._writing = run.folder / STATE_FOLDER / f"writing-{run.plan.share.name}-{os.urandom(4).hex()}"

    def __call__(self) -> None:
        """Compute and write everything that has to be done, or stop at the first failure if `fail_fast` is set.

        Raises:
            JaxStyleError: if results or records cannot be written; finished results stay.
        """
        with path_in_errors(self._writing, "written", JaxStyleError) as folder:
            folder.mkdir(parents=True)
        try:
            with (
                ThreadPoolExecutor(available_cores()) as self._readers,
                ThreadPoolExecutor(available_cores()) as self._writers,
                ThreadPoolExecutor(self._run.workers) as workers,
            ):
                unreadable = [
                    (pair, error) for pair, error in self._plan.unreadable.items() if pair in self._plan.pairs
                ]
                _wait([write for pair, error in unreadable for write in self._fail(pair, error)])
                _wait([workers.submit(self._compute) for _ in range(self._run.workers)])
        finally:
            shutil.rmtree(self._writing, ignore_errors=True)

    def _report(self, event: Event) -> None:
        with self._callback_lock:
            self._run.callback(event)

    def _compute(self) -> None:
        """Compute groups, one after another, until none is left."""
        try:
            writes: list[Future[None]] = []
            while next_group := self._next_group():
                previous, writes = writes, self._compute_group(*next_group)
                _wait(previous)  # the writing may be one group behind, but no more
            _wait(writes)
        except _Stopped:
            pass
        except BaseException:
            self._stopping.set()
            raise

    def _next_group(self) -> tuple[Group, dict[int, Future[Inputs]]] | None:
        """The next group with its inputs; those of the groups after it start to be read."""
        with self._lock:
            while len(self._reading) <= self._run.workers and not self._is_stopping():
                group = self._run.take(not self._reading)
                if group is None:
                    break
                reads = {pair: self._readers.submit(self._read, pair) for pair in group.pairs}
                self._reading.append((group, reads))
            return self._reading.popleft() if self._reading and not self._is_stopping() else None

    def _is_stopping(self) -> bool:
        return self._stopping.is_set() or self._run.stop.is_set()

    def _read(self, pair: int) -> Inputs:
        with stage("reading"):
            return self._run.reader(self._plan.tasks[pair])

    def _compute_group(self, group: Group, reads: dict[int, Future[Inputs]]) -> list[Future[None]]:
        """Compute a group; returns the writes of its results and failures."""
        started = time.perf_counter()
        writes: list[Future[None]] = []
        checkpoints = GroupCheckpoints(self._checkpoints, checkpoint_name(self._plan, group), self._writers)
        inputs: dict[int, Inputs] = {}
        with stage("waiting for inputs"):
            for pair, read in reads.items():
                try:
                    inputs[pair] = read.result()
                except JaxStyleError as error:
                    writes += self._fail(pair, str(error))
        if any(map(self._plan.is_todo, inputs)):
            read_at, turn = time.perf_counter(), Turn(self._computing)
            self._report(Started(group))
            resume = checkpoints.load(self._plan.tasks[group.pairs[0]].settings.config.optimizer)
            try:
                results = self._stylize(group, inputs, resume, checkpoints, turn)
            except _Stopped as stopped:
                if stopped.progress:
                    checkpoints.save(stopped.progress)
                raise
            computing_since = turn.since or read_at
            seconds = {"wait": computing_since - started, "compute": time.perf_counter() - computing_since}
            resumed = resume.history.total.shape[-1] if resume else 0
            joules = None if (joules := self._energy.take()) is None else joules / len(inputs)
            group_record = {"together": len(inputs), "resumed": resumed, "seconds": seconds, "joules": joules}
            self._report(Finished(group))
            for pair, result in results.items():
                if isinstance(result, str):
                    writes += self._fail(pair, result)
                elif self._plan.is_todo(pair):
                    writes.append(self._writers.submit(self._write, pair, inputs[pair], result, group_record))
        return [*writes, self._writers.submit(checkpoints.drop, list(writes))]

    def _stylize(
        self,
        group: Group,
        inputs: dict[int, Inputs],
        resume: Progress | None,
        checkpoints: GroupCheckpoints,
        turn: Turn,
    ) -> dict[int, Stylized | str]:
        """The result or error of each pair in a group whose inputs could be read."""
        network = next(iter(inputs.values())).network
        try:
            results = stylize_group(
                network,
                replace(group, pairs=tuple(inputs)),
                [pair_inputs.pair for pair_inputs in inputs.values()],
                callback=self._group_callback(group, checkpoints),
                resume=resume,
                cache=self._caches.setdefault(id(network), MeasurementCache()),
                turn=turn,
            )
        except JaxStyleError as error:
            return dict.fromkeys(inputs, str(error))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = memory_error(pair_workload(network, next(iter(inputs.values())).pair))
            return dict.fromkeys(inputs, str(message))
        return {
            pair: str(result.error) if result.error else result for pair, result in zip(inputs, results, strict=True)
        }

    def _group_callback(self, group: Group, checkpoints: GroupCheckpoints) -> Callable[[Progress], None]:
        """A callback that reports the steps of a group, saves checkpoints, and ends the optimization on a stop."""

        def on_progress(progress: Progress) -> None:
            if self._stopping.is_set():
                raise _Stopped
            is_stopping = self._run.stop.is_set()
            self._report(Step(group, progress))
            # A group that ran out of memory continues in halves, whose states are not those of the group.
            may_save = np.size(progress.state.loss) == group.batch_size and progress.history.total.size > 0
            if is_stopping and not progress.is_last:
                raise _Stopped(progress if may_save else None)
            if may_save:
                checkpoints.save_if_due(progress, self._run.checkpoint_every)

        return on_progress

    def _write(self, pair: int, inputs: Inputs, result: Stylized, group_record: dict[str, Any]) -> None:
        started = time.perf_counter()
        task, writer = self._plan.tasks[pair], inputs.writer
        path, temporary = self._run.folder / task.output, self._writing / f"{pair}{task.output.suffix}"
        temporary = path if isinstance(path, RemotePath) else temporary  # stores write all of an object or nothing
        try:
            with stage("encoding"):
                writer.write(temporary, result.image, len(result.sizes))
        except PictureError as error:
            raise PictureError(str(error).replace(str(temporary), str(path))) from error
        with path_in_errors(path, "written", JaxStyleError):
            if temporary != path:
                os.replace(temporary, path)
        height, width = writer.content.rgb.shape[:2]
        record = {
            "output": str(task.output),
            "key": self._plan.keys[pair],
            "error": None,
            **writer.record,
            "width": width,
            "height": height,
            "steps": len(result.sizes),
            "losses": first_and_last_losses(result.history),
            **({"history": losses_by_step(result.history)} if self._run.record_losses else {}),
            **group_record,
            "seconds": {**group_record["seconds"], "write": time.perf_counter() - started},
        }
        self._add_record(record)
        self._report(Written(pair, path, record))

    def _add_record(self, record: Mapping[str, Any]) -> None:
        with self._record_lock, stage("recording"):
            self._run.add_record(record)

    def _fail(self, pair: int, error: str) -> list[Future[None]]:
        """Record a failure, unless it was recorded before."""
        is_new = self._plan.is_todo(pair) or pair in self._plan.unreadable
        return [self._writers.submit(self.write_failure, pair, error)] if is_new else []

    def write_failure(self, pair: int, error: str) -> None:
        """Record and report that a pair has failed."""
        task = self._plan.tasks[pair]
        network, device = self._run.networks(task.settings), self._run.reader.device
        record = result_record(task.content, task.styles, task.settings, network, saved_styles=[], device=device)
        self._add_record({"output": str(task.output), "key": self._plan.keys[pair], "error": error, **record})
        self._report(Failed(pair, error))
        if self._run.fail_fast:
            self._stopping.set()


def _wait(futures: list[Future[None]]) -> None:
    """Wait for all futures; raise the first error."""
    for future in futures:
        future.result()
