"""A job at work: files are read ahead and results written behind the computing, and at any moment all may end.

A result is written under another name, takes its place, and only then has its record; optimisations that take long
leave checkpoints. Whoever kills the process loses the steps since the last of them, and nothing else.
"""

import hashlib
import json
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxstyle.batch import stylize_group
from jaxstyle.buckets import Group
from jaxstyle.cli.job.checkpoints import Checkpoints, snapshot
from jaxstyle.cli.job.inputs import Inputs, Reader
from jaxstyle.cli.job.plan import Plan
from jaxstyle.cli.job.progress import Watch
from jaxstyle.cli.job.records import HIDDEN, Records, Share
from jaxstyle.cli.run import by_step, first_and_last
from jaxstyle.cli.settings import about
from jaxstyle.cli.system import versions
from jaxstyle.errors import JaxStyleError
from jaxstyle.files import naming
from jaxstyle.networks import Network
from jaxstyle.pairs import Shared
from jaxstyle.stylize import Progress, Stylized

_READERS = 4  # threads
NO_MEMORY = "the memory is not enough for pictures of this size; choose a smaller size"


class _Stopped(Exception):  # noqa: N818 - it is none
    """Raised in an optimisation to end it."""


@dataclass(frozen=True, eq=False)
class Work:
    """What it takes to carry out a plan.

    Attributes:
        plan: of all pairs.
        share: which of its groups are this process's.
        networks: of settings.
        reader: of files.
        records: where to tell of each pair.
        folder: where the results go.
        watch: who is told.
        workers: groups that are computed at the same time.
        every: seconds between the checkpoints of a group.
        fail_fast: whether to stop when a pair fails.
        histories: whether records tell the losses of every step, and not only of the first and the last.
    """

    plan: Plan
    share: Share
    networks: Callable[[Any], Network]
    reader: Reader
    records: Records
    folder: Path
    watch: Watch
    workers: int
    every: float
    fail_fast: bool
    histories: bool = False


class Run:
    """A piece of work under way."""

    def __init__(self, work: Work):
        self._work, self._plan = work, work.plan
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._ahead: deque[tuple[Group, dict[int, Future[Inputs]]]] = deque()
        self._groups = deque(
            group for group in work.share.of(work.plan.groups) if any(map(work.plan.is_todo, group.pairs))
        )
        self._shared: dict[int, Shared] = {}
        self._checkpoints = Checkpoints(work.folder / HIDDEN / "checkpoints")
        self._writing = work.folder / HIDDEN / f"writing-{work.share.index}"

    def __call__(self) -> None:
        """Do all of the work, or stop at the first failure if that is wanted.

        Raises:
            JaxStyleError: if results or records cannot be written; what is there stays.
        """
        shutil.rmtree(self._writing, ignore_errors=True)
        self._writing.mkdir(parents=True)
        if self._work.share.index == 0:
            self._checkpoints.keep_only({self._name(group) for group in self._plan.groups})
        with (
            ThreadPoolExecutor(_READERS) as self._readers,
            ThreadPoolExecutor(1) as self._writer,
            ThreadPoolExecutor(self._work.workers) as computers,
        ):
            own = self._plan.own(self._work.share)
            _finish([self._fail(pair, error) for pair, error in self._plan.unreadable.items() if pair in own])
            _finish([computers.submit(self._compute) for _ in range(self._work.workers)])
        shutil.rmtree(self._writing, ignore_errors=True)

    def _compute(self) -> None:
        """Compute groups, one after another, until there are none."""
        try:
            written: list[Future[None]] = []
            while found := self._next():
                before, written = written, self._compute_group(*found)
                _finish(before)  # the writing of one group while the next is computed, but no farther behind
            _finish(written)
        except _Stopped:
            pass
        except BaseException:
            self._stopping.set()
            raise

    def _next(self) -> tuple[Group, dict[int, Future[Inputs]]] | None:
        """The next group, whose files were begun to be read while the one before it was computed."""
        with self._lock:
            while self._groups and len(self._ahead) <= self._work.workers:
                group = self._groups.popleft()
                reads = {pair: self._readers.submit(self._work.reader, self._plan.tasks[pair]) for pair in group.pairs}
                self._ahead.append((group, reads))
            return self._ahead.popleft() if self._ahead and not self._stopping.is_set() else None

    def _compute_group(self, group: Group, reads: dict[int, Future[Inputs]]) -> list[Future[None]]:
        """The writing of what has come out of it, or of why nothing has."""
        asked = time.perf_counter()
        written: list[Future[None]] = []
        inputs: dict[int, Inputs] = {}
        for pair, read in reads.items():
            try:
                inputs[pair] = read.result()
            except JaxStyleError as error:
                written.append(self._fail(pair, str(error)))
        if any(map(self._plan.is_todo, inputs)):
            began = time.perf_counter()
            optimizer = self._plan.tasks[group.pairs[0]].settings.config.optimizer
            resume = self._checkpoints.load(self._name(group), optimizer=optimizer)
            results = self._stylize(group, inputs, resume)
            seconds = {"wait": began - asked, "compute": time.perf_counter() - began}
            resumed = resume.history.total.shape[-1] if resume else 0
            told = {"together": len(inputs), "resumed": resumed, "seconds": seconds}
            for pair, result in results.items():
                if isinstance(result, str):
                    written.append(self._fail(pair, result))
                elif self._plan.is_todo(pair):
                    written.append(self._writer.submit(self._write, pair, inputs[pair], result, told))
            self._work.watch.left(group)
        return [*written, self._writer.submit(self._drop, group, written)]

    def _stylize(self, group: Group, inputs: dict[int, Inputs], resume: Progress | None) -> dict[int, Stylized | str]:
        """For each pair its result or what is wrong, of a group without those that could not be read."""
        some = next(iter(inputs.values())).job
        own = replace(group, pairs=tuple(inputs))
        pairs = [each.pair for each in inputs.values()]
        try:
            results = stylize_group(
                some.network,
                own,
                pairs,
                look=self._looker(group),
                resume=resume,
                shared=self._shared.setdefault(id(some.network), Shared()),
            )
        except JaxStyleError as error:
            return dict.fromkeys(inputs, str(error))
        except (MemoryError, jax.errors.JaxRuntimeError) as error:
            if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
                raise
            return dict.fromkeys(inputs, NO_MEMORY)
        return {
            pair: str(result.error) if result.error else result for pair, result in zip(inputs, results, strict=True)
        }

    def _looker(self, group: Group) -> Callable[[Progress], None]:
        """The callback of a group: it shows where the group stands, keeps checkpoints, and can end the optimisation."""
        name, saved, saving = self._name(group), time.monotonic(), _nothing()

        def look(progress: Progress) -> None:
            nonlocal saved, saving
            if self._stopping.is_set():
                raise _Stopped
            self._work.watch.look(group, progress)
            # A group that did not fit the memory goes on in halves, whose states are not those of the group.
            is_whole = np.size(progress.state.loss) == group.lanes
            has_begun = progress.history.total.size > 0
            if is_whole and has_begun and saving.done() and time.monotonic() - saved >= self._work.every:
                saving.result()
                saved = time.monotonic()
                saving = self._writer.submit(self._checkpoints.save, name, snapshot(progress))

        return look

    def _drop(self, group: Group, written: list[Future[None]]) -> None:
        """Forget the checkpoint of a group, once all of it is written: until then it may have to go on from there."""
        _finish(written)
        self._checkpoints.drop(self._name(group))

    def _write(self, pair: int, inputs: Inputs, result: Stylized, told: dict[str, Any]) -> None:
        began = time.perf_counter()
        job, task = inputs.job, self._plan.tasks[pair]
        written = self._writing / f"{pair}{task.output.suffix}"
        job.write(written, result.image, len(result.sizes))
        with naming(job.output, "written", JaxStyleError):
            os.replace(written, job.output)
        height, width = job.content.rgb.shape[:2]
        self._work.records.add(
            {
                "output": str(task.output),
                "key": self._plan.keys[pair],
                "error": None,
                **job.about,
                "width": width,
                "height": height,
                "steps": len(result.sizes),
                "losses": first_and_last(result.history),
                **({"history": by_step(result.history)} if self._work.histories else {}),
                **told,
                "seconds": {**told["seconds"], "write": time.perf_counter() - began},
            }
        )
        self._work.watch.finished(pair)

    def _fail(self, pair: int, error: str) -> Future[None]:
        """The writing of a failure, if the pair is to be done; it was known before otherwise."""
        is_news = self._plan.is_todo(pair) or pair in self._plan.unreadable
        return self._writer.submit(self._write_failure, pair, error) if is_news else _nothing()

    def _write_failure(self, pair: int, error: str) -> None:
        task = self._plan.tasks[pair]
        network = self._work.networks(task.settings)
        told = about(task.content, task.styles, task.settings, network, saved=[], device=self._work.reader.device)
        self._work.records.add({"output": str(task.output), "key": self._plan.keys[pair], "error": error, **told})
        self._work.watch.finished(pair, error)
        if self._work.fail_fast:
            self._stopping.set()

    def _name(self, group: Group) -> str:
        """What the checkpoint of a group goes by: all that its state depends on, versions and device included."""
        device = jax.local_devices()[0]
        parts = [
            [self._plan.keys[pair] for pair in group.pairs],
            group.lanes,
            [str(frame) for frame in group.frames],
            versions(),
            [device.platform, device.device_kind],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _finish(futures: list[Future[None]]) -> None:
    """Wait for all, and raise what one of them did."""
    for future in futures:
        future.result()


def _nothing() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future
