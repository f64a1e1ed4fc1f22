"""Shares of a job, for machines that do not talk to each other: each computes the same split by itself."""

import heapq
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jaxstyle.errors import ConfigError

COUNT_VARIABLE = "JAXSTYLE_SHARDS"  # the number of shares, because Kubernetes gives its pods only their index

Kind = TypeVar("Kind", bound=Hashable)


@dataclass(frozen=True)
class Share:
    """The part of a job that one process computes: number `index`, from 0, of `count` parts."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """The share in names of files."""
        return f"{self.index}-of-{self.count}"


WHOLE = Share()


def parse_share(name: str, text: str) -> Share:
    """The share that `text` stands for, such as `0/3`; ConfigError, beginning with `name`, if it is none."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if not match or not int(match[2]):
        raise ConfigError(f"{name} is {text!r}; expected INDEX/COUNT, from 0/3 to 2/3 for three shares")
    share = Share(int(match[1]), int(match[2]))
    if share.index >= share.count:
        raise ConfigError(f"{name} is {text!r}; expected an index from 0 to {share.count - 1}")
    return share


def share_from_variables(variables: Mapping[str, str]) -> tuple[Share, str] | None:
    """The share that a cluster gives this process, and the variable that holds its index; None if there is none.

    Sources: `JOB_COMPLETION_INDEX` of a Kubernetes Indexed Job with `JAXSTYLE_SHARDS`, `SLURM_ARRAY_TASK_ID` of a SLURM
    array, and `TPU_WORKER_ID` of a TPU slice with several workers.

    Raises:
        ConfigError: if the variables contradict each other, or the number of shares is missing.
    """
    get = variables.get
    kubernetes, slurm, tpu = "JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "TPU_WORKER_ID"
    slurm_count = "SLURM_ARRAY_TASK_COUNT"
    if kubernetes in variables and COUNT_VARIABLE in variables:
        return _share(variables, kubernetes, variables[COUNT_VARIABLE]), kubernetes
    if slurm in variables:
        if slurm_count not in variables:
            raise _without_count(slurm, f"{slurm_count} as SLURM does")
        first, step = get("SLURM_ARRAY_TASK_MIN", "0"), get("SLURM_ARRAY_TASK_STEP", "1")
        return _share(variables, slurm, variables[slurm_count], first, step), slurm
    workers = get("TPU_WORKER_HOSTNAMES", "").split(",")
    if tpu in variables and len(workers) > 1:
        return _share(variables, tpu, str(len(workers))), tpu
    if kubernetes in variables:
        raise _without_count(kubernetes, f"{COUNT_VARIABLE} to the job's completions")
    return None


def _without_count(index: str, advice: str) -> ConfigError:
    expected = f"set {advice}, or give --shard (0/1 for the whole job)"
    return ConfigError(f"{index} is set, but not the number of shares; {expected}")


def _share(variables: Mapping[str, str], name: str, count: str, first: str = "0", step: str = "1") -> Share:
    """The share of the index in a variable; indices begin at `first` and have a `step`."""
    index, expected = variables[name], "expected indices without gaps: renumber the tasks, or give --shard INDEX/COUNT"
    try:
        position, remainder = divmod(int(index) - int(first), int(step))
        share = Share(position, int(count))
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"{name} is {index!r} of {count!r} tasks; {expected}") from None
    if remainder or not 0 <= share.index < share.count:
        raise ConfigError(f"{name} is {index!r} of {count!r} tasks from {first!r}; {expected}")
    return share


def split_evenly(kinds: Sequence[Kind], costs: Mapping[Kind, int], count: int) -> list[int]:
    """The share of each item, so that all shares cost nearly the same.

    Items are given out one by one, the most expensive kind first, always to the share with the lowest cost so far.
    Items of one kind that a share gets are neighbors, because those often have the same content.

    Args:
        kinds: the kind of each item.
        costs: the cost of one item of each kind.
        count: the number of shares.
    """
    loads = [(0, index) for index in range(count)]
    owners: dict[Kind, Iterator[int]] = {}
    number_of = Counter(kinds)
    for kind in sorted(number_of, key=lambda kind: -costs[kind]):  # kinds of the same cost stay in order
        received: Counter[int] = Counter()
        for _ in range(number_of[kind]):
            load, index = loads[0]
            heapq.heapreplace(loads, (load + costs[kind], index))
            received[index] += 1
        owners[kind] = iter(sorted(received.elements()))
    return [next(owners[kind]) for kind in kinds]
