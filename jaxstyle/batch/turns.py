"""Which groups compute at the same time, and which take turns: one computes, while the next one is prepared."""

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import jax

from jaxstyle.compilation import stage

IN_FLIGHT = 2  # groups that take turns


def takes_turns(batch_size: int) -> bool:
    """Whether groups compute one after another: always, but for single pairs on CPU."""
    return batch_size > 1 or jax.local_devices()[0].platform != "cpu"


def computing_lock(batch_size: int) -> AbstractContextManager[Any]:
    """What groups of this size hold while they compute: a lock, if they take turns."""
    return threading.Lock() if takes_turns(batch_size) else nullcontext()


@dataclass(eq=False)
class Turn:
    """The turn of one group to compute: a context in which it holds the lock of all groups.

    Attributes:
        lock: from `computing_lock`.
        since: when the turn came, by `time.perf_counter`; None before.
    """

    lock: AbstractContextManager[Any] = field(default_factory=nullcontext)
    since: float | None = None

    def __enter__(self) -> None:
        with stage("waiting for the turn"):
            self.lock.__enter__()
        self.since = self.since or time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.lock.__exit__(*error)  # type: ignore[arg-type]
