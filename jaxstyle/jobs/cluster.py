"""A job on a Ray cluster: workers, one for each GPU or share of the CPUs, compute the groups of one plan.

The first worker plans the job, because a plan depends on the device. This process, the driver, hands out groups,
longest first, to workers as they become free; it appends the records and reports the events, as for a local job. Files
are read and written by the workers: only groups, records and events are sent. A worker that dies is replaced, and its
groups are done again from their checkpoints.
"""

import math
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from jaxstyle.batch import Group
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.jobs.cluster_room import worker_resources, worker_room
from jaxstyle.jobs.cost import Cost
from jaxstyle.jobs.events import Event, Failed, Finished, Planned, Started, Waiting, Written
from jaxstyle.jobs.job import Job, Summary, summarize
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.ray_connection import connected
from jaxstyle.jobs.records import open_records
from jaxstyle.jobs.results import check_inputs_stay
from jaxstyle.jobs.shares import WHOLE
from jaxstyle.jobs.worker import Message, Worker

CORES = 4  # CPU cores of a worker without a GPU
_MAX_DEATHS = 5  # of workers that compute one group; then its pairs fail. And of workers that never begin
_WAIT = 0.2  # seconds to wait for messages of all workers
_PATIENCE = 20  # seconds for the first worker to begin, before the job says that it waits
_GOODBYE = 10  # seconds for workers to end
_CALLS = 4  # to one worker at the same time


def run_job_on_ray(
    job: Job,
    callback: Callable[[Event], None] = lambda event: None,
    *,
    address: str = "local",
    cores: int = CORES,
    stop: threading.Event | None = None,
) -> Summary:
    """`run_job` on a Ray cluster, whose machines have the files of the job under the same paths.

    Args:
        job: as for `run_job`; its share is the whole.
        callback: as for `run_job`; the `Progress` of a `Step` has no picture, history and state.
        address: "local" starts Ray on this machine for the job, "auto" connects to the cluster of this machine, and
            `HOST:PORT` to another one. A process that is connected already uses that connection.
        cores: CPU cores of a worker, if the cluster has no GPUs.
        stop: as for `run_job`.

    Raises:
        JaxStyleError: as `run_job`; and if Ray is not installed or cannot be reached, or workers do not start.
    """
    if job.share != WHOLE:
        raise ConfigError(f"the job has share {job.share}; on Ray, expected the whole job, 0/1")
    check_inputs_stay(job.tasks, job.folder)
    started, cost = time.perf_counter(), Cost()

    def on_event(event: Event) -> None:
        nonlocal cost
        if isinstance(event, Written):
            cost += Cost.of_record(event.record)
        callback(event)

    with closing(open_records(job.folder, WHOLE)) as records, connected(address) as ray:
        driver = _Driver(ray, job, records.add, on_event, cores, is_shared=address != "local")
        plan = driver.plan()
        running_since = time.perf_counter()
        driver.run(plan, stop or threading.Event())
    return summarize(job, plan, records.path, cost=cost, started=started, running_since=running_since)


class _WorkerDied(Exception):  # noqa: N818 - no error of the job
    """A worker does not answer any more."""


@dataclass(eq=False)
class _Hired:
    """A worker as the driver knows it.

    Attributes:
        actor: the handle of the worker.
        call: the call that will return its next messages, or `start`.
        has_started: whether it takes groups.
        left: the groups that it has, with the pairs that are not done.
        computing: those whose optimization is running.
        failures: the failures that it has to record, with their pairs.
    """

    actor: Any
    call: Any
    has_started: bool = False
    left: dict[Group, set[int]] = field(default_factory=dict)
    computing: set[Group] = field(default_factory=set)
    failures: dict[int, str] = field(default_factory=dict)


class _Driver:
    """Hands out the groups of a plan, and handles what workers send."""

    def __init__(
        self,
        ray: Any,
        job: Job,
        add_record: Callable[[Mapping[str, Any]], None],
        callback: Callable[[Event], None],
        cores: int,
        *,
        is_shared: bool,
    ):
        self._is_shared = is_shared  # others may use the cluster, and it may grow
        self._ray, self._job, self._add_record, self._callback, self._cores = ray, job, add_record, callback, cores
        self._job_object = ray.put(job)
        self._workers: list[_Hired] = []
        self._groups: deque[Group] = deque()
        self._failures: dict[int, str] = {}
        self._ended: set[int] = set()  # pairs with a record of this run
        self._recorded: set[str] = set()  # their results
        self._deaths: Counter[Group | None] = Counter()  # None: of workers that never began

    def plan(self) -> Plan:
        """Plan the job on a worker."""
        while True:
            worker = self._hire()
            if self._is_shared:
                self._say_if_it_waits(worker)
            try:
                plan, at_once, memory = self._get(worker.actor.plan.remote())
            except _WorkerDied as error:
                self._bury(worker, error)
                continue
            self._at_once = min(at_once, self._cores)
            self._callback(Planned(plan, memory))
            self._plan, self._plan_object = plan, self._ray.put(plan)
            self._start(worker)
            return plan

    def run(self, plan: Plan, stop: threading.Event) -> None:
        """Have everything computed that has to be done, or until `stop`, or the first failure if `fail_fast` is set."""

        def work(group: Group) -> int:
            return sum(plan.pixel_steps[pair] for pair in group.pairs if plan.is_todo(pair))

        self._groups.extend(sorted(plan.groups_to_do, key=work, reverse=True))
        self._failures |= plan.unreadable
        self._has_failed = False
        while not (self._job.fail_fast and self._has_failed) and (self._groups or self._failures or self._is_busy()):
            if stop.is_set():
                self._end("stop", seconds=math.inf)
                return
            self._hire_more()
            self._hand_out()
            self._receive()
        self._end("finish", seconds=_GOODBYE)

    def _end(self, method: str, seconds: float) -> None:
        """Call this method of the workers, let them end for some seconds, and kill those that are left."""
        for worker in self._workers:
            if worker.has_started:
                getattr(worker.actor, method).remote()
        deadline = time.monotonic() + seconds
        while any(worker.has_started for worker in self._workers) and time.monotonic() < deadline:
            self._receive()
        for worker in self._workers:
            self._ray.kill(worker.actor)

    def _is_busy(self) -> bool:
        return any(worker.left or worker.failures for worker in self._workers)

    def _hire_more(self) -> None:
        """Hire as many workers as the cluster has room for; and some that wait, so that an autoscaler makes room."""
        busy = sum(bool(worker.left or worker.failures) for worker in self._workers)
        started = sum(worker.has_started for worker in self._workers)
        wanted = min(len(self._groups) + bool(self._failures) + busy, self._room() + started * self._is_shared)
        for _ in range(wanted - len(self._workers)):
            self._start(self._hire())

    def _room(self) -> int:
        return worker_room(self._ray.nodes(), self._cores)

    def _hire(self) -> _Hired:
        """A new worker, which has yet to start."""
        needed = worker_resources(self._ray.nodes(), self._cores)
        actor_class = self._ray.remote(Worker).options(max_restarts=0, max_concurrency=_CALLS, **needed)
        worker = _Hired(actor_class.remote(self._job_object, os.getcwd()), None)
        self._workers.append(worker)
        return worker

    def _say_if_it_waits(self, worker: _Hired) -> None:
        """Report it if the cluster has no room for a worker after some seconds."""
        ready, _ = self._ray.wait([worker.actor.is_there.remote()], num_returns=1, timeout=_PATIENCE)
        if not ready:
            self._callback(Waiting(worker_resources(self._ray.nodes(), self._cores)))

    def _start(self, worker: _Hired) -> None:
        worker.call = worker.actor.start.remote(self._plan_object, self._at_once)

    def _hand_out(self) -> None:
        """Give each worker what it computes at once and one group to read meanwhile; those with fewest come first."""
        free = [worker for worker in self._workers if worker.has_started]
        for depth in range(self._at_once + 1):
            for worker in free:
                if self._groups and len(worker.left) == depth:
                    group = self._groups.popleft()
                    worker.left[group] = {pair for pair in group.pairs if self._is_left(pair)}
                    worker.actor.compute.remote(group)
        if free:
            for pair, error in self._failures.items():
                free[0].failures[pair] = error
                free[0].actor.record_failure.remote(pair, error)
            self._failures = {}

    def _is_left(self, pair: int) -> bool:
        return self._plan.is_todo(pair) and pair not in self._ended

    def _receive(self) -> None:
        """Handle the messages of all workers that have any."""
        calls = {worker.call: worker for worker in self._workers}
        ready, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=_WAIT)
        for call in ready:
            worker = calls[call]
            try:
                messages = self._get(call) or []
            except _WorkerDied as error:
                self._bury(worker, error)
                continue
            worker.has_started = True
            worker.call = worker.actor.messages.remote()
            for message in messages:
                self._handle(worker, message)

    def _handle(self, worker: _Hired, message: Message) -> None:
        self._deaths[None] = 0
        match message:
            case Exception():
                raise message
            case dict():
                if message["output"] not in self._recorded:
                    self._recorded.add(message["output"])
                    self._add_record(message)
            case Written(pair) | Failed(pair):
                for group, pairs in list(worker.left.items()):
                    pairs.discard(pair)
                    if not pairs:
                        del worker.left[group]
                worker.failures.pop(pair, None)
                if pair not in self._ended:
                    self._ended.add(pair)
                    self._has_failed |= isinstance(message, Failed)
                    self._callback(message)
            case Started(group):
                worker.computing.add(group)
                self._callback(message)
            case Finished(group):
                worker.computing.discard(group)
                self._callback(message)
            case None:
                self._workers.remove(worker)
                self._ray.kill(worker.actor)
            case _:
                self._callback(message)

    def _bury(self, worker: _Hired, error: Exception) -> None:
        """Take back what a worker that died was to do; JaxStyleError if workers die again and again."""
        self._workers.remove(worker)
        self._ray.kill(worker.actor)  # if it is only out of reach
        self._deaths[None] += 1
        if self._deaths[None] > _MAX_DEATHS:
            reason = " ".join(str(error).split())[-300:]
            raise JaxStyleError(f"the workers on the Ray cluster die before they begin ({reason}); see the logs of Ray")
        for group, pairs in worker.left.items():
            if group in worker.computing:
                self._callback(Finished(group))
                self._deaths[group] += 1
            if self._deaths[group] < _MAX_DEATHS:
                self._groups.appendleft(group)
            else:
                reason = f"{_MAX_DEATHS} workers died while they computed it, perhaps for lack of memory"
                self._failures |= dict.fromkeys(pairs, reason)
        self._failures |= worker.failures

    def _get(self, call: Any) -> Any:
        """The result of a call; its errors as they were raised, or `_WorkerDied`."""
        try:
            return self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, JaxStyleError) else error) from None
        except self._ray.exceptions.RayError as error:  # killed, out of memory, or on a machine that is gone
            raise _WorkerDied(str(error)) from None
