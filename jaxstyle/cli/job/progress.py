"""What a person sees of a job of many pairs while it runs: the whole, the groups at work, and every new failure."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from jaxstyle.buckets import Group
from jaxstyle.cli.job.manifest import Task
from jaxstyle.cli.job.plan import Plan
from jaxstyle.cli.job.records import Share
from jaxstyle.cli.progress import Levels, Look, describe, work_left
from jaxstyle.pyramid import schedule
from jaxstyle.stylize import Progress


class Watch:
    """Follows a job from several threads, shows it on a terminal, and says once what is wrong with each bad picture.

    Attributes:
        done: how many results this run has made.
        failed: what went wrong with the pairs that failed in this run.
    """

    def __init__(self, plan: Plan, share: Share):
        self.done, self.failed = 0, dict[int, str]()
        self._plan, self._began = plan, time.monotonic()
        groups = share.of(plan.groups)
        self._todo = [pair for group in groups for pair in group.pairs if plan.is_todo(pair)]
        self._work = 0.0  # done, in units of the plan's
        self._running: dict[Group, tuple[TaskID, float]] = {}
        self._lock = threading.RLock()
        self._said: set[str] = set()
        console = Console(stderr=True, soft_wrap=True)
        columns = (SpinnerColumn(), BarColumn(bar_width=14), TextColumn("{task.description}", markup=False))
        self._bar = Bar(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._whole = self._bar.add_task("", total=max(1, len(self._todo)))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within, lines on the terminal follow the job; failures that are not tried again are told first."""
        with self._bar:
            for pair, error in self._plan.failed.items():
                self.say(pair, f"{error} (before; --retry-failed tries it again)")
            self._show()
            yield

    def hide(self) -> int:
        """Clear the terminal, if the job is left before its end; how many results it has made."""
        self._bar.stop()
        return self.done

    def look(self, group: Group, progress: Progress) -> None:
        """A group has come this far."""
        levels = levels_of(group, self._plan)
        left = work_left(Look(0, progress.size, progress.step), levels)
        share = 1 - left / work_left(Look(0, levels[0][0], 0), levels)
        text = f"  {self._title(group)}: {describe(_mean(progress), None, levels)}"
        with self._lock:
            task, _ = self._running.get(group) or (self._bar.add_task("", total=1), 0.0)
            self._running[group] = task, share
            self._bar.update(task, completed=share, description=text)
            self._show()

    def left(self, group: Group) -> None:
        """A group is computed, or could not be."""
        with self._lock:
            if group in self._running:
                self._bar.remove_task(self._running.pop(group)[0])
            self._work += self._work_of(group)

    def finished(self, pair: int, error: str | None = None) -> None:
        """A result is there, or why there is none."""
        with self._lock:
            if error is None:
                self.done += 1
            else:
                self.failed[pair] = error
                self.say(pair, error)
            self._show()

    def say(self, pair: int, error: str) -> None:
        """Say what is wrong with a pair, unless it was said before, for another pair with the same picture."""
        line = f"jaxstyle: failed: {reason(self._plan.tasks[pair], error)}"
        if line not in self._said:
            self._said.add(line)
            self._bar.console.print(line, markup=False, highlight=False)

    def per_minute(self) -> float:
        """Results a minute since the run began."""
        return 60 * self.done / (time.monotonic() - self._began)

    def _show(self) -> None:
        done = self.done + sum(map(self._plan.is_todo, self.failed))
        parts = [f"{done}/{len(self._todo)} pairs"]
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{self.per_minute():.3g} a minute"] if self.done else []
        work = self._work + sum(share * self._work_of(group) for group, (_, share) in self._running.items())
        if work:
            left = (time.monotonic() - self._began) * (sum(self._plan.work[pair] for pair in self._todo) / work - 1)
            parts.append(f"{clock(left)} left")
        self._bar.update(self._whole, completed=done, description=", ".join(parts))

    def _work_of(self, group: Group) -> int:
        return sum(self._plan.work[pair] for pair in group.pairs if self._plan.is_todo(pair))

    def _title(self, group: Group) -> str:
        return str(self._plan.tasks[group.pairs[0]].output) if len(group.pairs) == 1 else f"{len(group.pairs)} pairs"


def levels_of(group: Group, plan: Plan) -> Levels:
    """The sizes and steps of a group, which are the larger ones of those that a square picture goes through."""
    return schedule(plan.tasks[group.pairs[0]].settings.config, 1, 1)[-len(group.frames) :]


def reason(task: Task, error: str) -> str:
    """What is wrong, with the file in front, or else the result that is missing."""
    return error if any(error.startswith(f"{file}:") for file in task.files) else f"{task.output}: {error}"


def clock(seconds: float) -> str:
    """A time as `9:05` or `1:09:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _mean(progress: Progress) -> Progress:
    """With the mean of the terms of all pairs."""
    return replace(progress, terms=jax.tree.map(np.mean, progress.terms))
