"""What a job reports while it runs: the events that its callback gets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxstyle.batch import Group
from jaxstyle.jobs.plan import Plan
from jaxstyle.optimization import MemoryNeed, Progress


@dataclass(frozen=True)
class Waiting:
    """A Ray cluster has no room for a worker yet, so that the job is not even planned.

    Attributes:
        needed: what a worker takes on one node: "num_gpus" or "num_cpus".
    """

    needed: dict[str, int]


@dataclass(frozen=True, eq=False)
class Planned:
    """The job is planned and about to start.

    Attributes:
        plan: the plan of the job.
        memory: what that needs and what there is; None if there is nothing to compute.
    """

    plan: Plan
    memory: MemoryNeed | None = None


@dataclass(frozen=True, eq=False)
class Started:
    """The optimization of a group starts."""

    group: Group


@dataclass(frozen=True, eq=False)
class Step:
    """A group has taken some steps; arrays of `progress` have a leading axis if the batch size is above 1."""

    group: Group
    progress: Progress


@dataclass(frozen=True, eq=False)
class Finished:
    """The optimization of a group has ended; its results are being written."""

    group: Group


@dataclass(frozen=True, eq=False)
class Written:
    """The result of a pair is at `path`, and its record is on disk."""

    pair: int
    path: Path
    record: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Failed:
    """A pair has failed, and its record is on disk."""

    pair: int
    error: str


Event = Waiting | Planned | Started | Step | Finished | Written | Failed
