"""A worker of a cluster: computes groups that a driver sends, and answers with records and events.

Its methods are called from other threads than the one that computes. It knows nothing of the engine that calls them.
"""

import os
import queue
import socket
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxstyle.batch import Group
from jaxstyle.compilation import enable_cache
from jaxstyle.environment import device
from jaxstyle.errors import JaxStyleError
from jaxstyle.jobs.events import Event, Step
from jaxstyle.jobs.inputs import NetworkCache
from jaxstyle.jobs.job import Job, make_runner, plan_job
from jaxstyle.jobs.leftovers import delete_leftovers
from jaxstyle.jobs.plan import Plan
from jaxstyle.optimization import MemoryNeed

# A record to add, an event, an error that ends the job, or None at the end.
Message = dict[str, Any] | Event | Exception | None


class Worker:
    """Plans a job or computes groups of its plan, and keeps compiled programs, networks and measured styles."""

    def __init__(self, job: Job, directory: str):
        try:
            os.chdir(directory)  # to which paths are relative
        except OSError as error:
            found = f"the machine {socket.gethostname()} has no folder {directory} ({error.strerror})"
            raise JaxStyleError(f"{found}; expected the same folders on all machines of the cluster") from None
        enable_cache()
        self._job, self._networks = job, NetworkCache()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._groups: queue.SimpleQueue[Group | None] = queue.SimpleQueue()
        self._stop = threading.Event()

    def is_there(self) -> bool:
        """Whether the worker has begun: the cluster answers only when it has room for it."""
        return True

    def plan(self) -> tuple[Plan, int, MemoryNeed | None]:
        """The plan, the number of groups to compute at the same time, and the memory that they need."""
        plan, at_once, memory = plan_job(self._job, self._networks)
        delete_leftovers(plan, self._job.folder)
        return plan, at_once, memory

    def start(self, plan: Plan, at_once: int) -> None:
        """Compute the groups to come, in a thread."""
        plan = replace(plan, unreadable={})  # whose failures the driver has recorded once
        options: dict[str, Any] = {"at_once": at_once, "take": self._take, "stop": self._stop}
        runner = make_runner(self._job, plan, self._networks, device(), self._add, self._messages.put, **options)
        self.fail = runner.write_failure

        def run() -> None:
            try:
                runner()
                self._messages.put(None)
            except JaxStyleError as error:
                self._messages.put(error)
            except BaseException:
                self._messages.put(RuntimeError(traceback.format_exc()))

        threading.Thread(target=run, daemon=True).start()

    def compute(self, group: Group) -> None:
        """Compute a group after those before it."""
        self._groups.put(group)

    def finish(self) -> None:
        """End after the groups that it has."""
        self._groups.put(None)

    def stop(self) -> None:
        """Save checkpoints of the groups in work, and end."""
        self._stop.set()
        self._groups.put(None)

    def record_failure(self, pair: int, error: str) -> None:
        """Record that a pair has failed."""
        self.fail(pair, error)

    def messages(self) -> list[Message]:
        """The messages since the last call, in order; waits for the first. Of the steps of a group, only the last."""
        found = [self._messages.get()]
        while not self._messages.empty():
            found.append(self._messages.get())
        last = {message.group: message for message in found if isinstance(message, Step)}
        return [
            _without_pictures(message) if isinstance(message, Step) else message
            for message in found
            if not isinstance(message, Step) or message is last[message.group]
        ]

    def _add(self, record: Mapping[str, Any]) -> None:
        self._messages.put(dict(record))

    def _take(self, wait: bool) -> Group | None:
        try:
            group = self._groups.get(block=wait)
        except queue.Empty:
            return None
        if group is None:
            self._groups.put(None)  # for the other threads
        return group


def _without_pictures(step: Step) -> Step:
    """The numbers of a step, which are all that a display needs."""
    terms = jax.tree.map(np.asarray, step.progress.terms)
    nothing: Any = None
    return Step(step.group, replace(step.progress, terms=terms, history=nothing, state=nothing))
