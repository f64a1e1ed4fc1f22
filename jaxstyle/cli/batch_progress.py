"""Progress bars for a job and its groups, or lines in their place, and a line for every pair that fails."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from jaxstyle.batch import Group
from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.cli.progress import Levels, describe, describe_compiling, format_duration, progress_lines, work_left
from jaxstyle.errors import counted, escape_unprintable
from jaxstyle.jobs import (
    Event,
    Failed,
    Finished,
    Plan,
    Planned,
    Started,
    Step,
    Waiting,
    Written,
    failure_cause,
    failure_message,
)
from jaxstyle.optimization import Progress, schedule


class BatchProgress:
    """The callback of a job: shows its progress in a terminal, and prints each error once.

    Args:
        folder: that of the results.
        shown: the errors that are not printed any more; those that are printed are added.

    Attributes:
        done: the number of results that were written.
    """

    def __init__(self, folder: Path, shown: set[str]) -> None:
        self._folder = folder
        self.done, self._failed = 0, 0
        self._plan: Plan | None = None
        self._todo: list[int] = []
        self._started = time.monotonic()
        self._total_pixel_steps = 0
        self._pixel_steps = 0.0  # of finished groups
        self._running: dict[Group, tuple[TaskID, float]] = {}
        self._shown = shown
        console = Console(stderr=True, soft_wrap=True)
        columns = (SpinnerColumn(), BarColumn(bar_width=14), TextColumn("{task.description}", markup=False))
        self._bar = Bar(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._job = self._bar.add_task("planning", total=1)

    @contextmanager
    def display(self) -> Iterator[None]:
        """Show the progress bars on a terminal, and lines elsewhere."""
        with on_interrupt(self._bar.stop), self._bar, progress_lines(self._state):
            yield

    def counts(self) -> dict[str, int]:
        """The numbers of pairs of this process: all, done in this run and before it, and failed."""
        pairs = self._plan.pairs if self._plan else frozenset()
        done_before = len(pairs & self._plan.done) if self._plan else 0
        return {
            "pairs": len(pairs),
            "done": self.done + done_before,
            "done_before": done_before,
            "failed": self._failed + (len(pairs & self._plan.failed.keys()) if self._plan else 0),
        }

    def has_steps(self) -> bool:
        """Whether any step was taken of groups that are not finished."""
        return any(share > 0 for _, share in self._running.values())

    def describe(self) -> str:
        """The counts in words."""
        if not self._plan:
            return "no pair was computed"
        counts = self.counts()
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        return f"{describe_done(counts['done'], counts['pairs'])}, {self.done} of them in this run{failed}"

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Waiting(needed):
                taken = "a free GPU" if "num_gpus" in needed else counted(needed["num_cpus"], "free CPU core")
                self._print_line(
                    f"jaxstyle: the Ray cluster has no room yet for a worker, which takes {taken}; waiting"
                )
                return
            case Planned(plan, memory):
                if memory and sys.stderr.isatty():
                    self._print_line(f"{counted(len(plan.todo), 'pair')} to do, {memory}")
                self._plan, self._started = plan, time.monotonic()
                for warning in plan.warnings:
                    self._print_line(f"jaxstyle: warning: {warning}")
                if plan.replaced:
                    found = f"{counted(len(plan.replaced), 'result')} in {self._folder}"
                    self._print_line(f"jaxstyle: replacing {found}, made of other files or with other settings")
                self._todo = plan.todo
                self._total_pixel_steps = sum(plan.pixel_steps[pair] for pair in plan.todo)
                for pair in sorted(plan.pairs & plan.failed.keys()):
                    self._print(pair, plan.failed[pair], " (failed before; try again with --retry-failed)")
            case Started(group):
                description = f"  {self._title(group)}: {describe_compiling(jax.default_backend())}"
                self._running[group] = self._bar.add_task(description, total=1), 0.0
            case Step(group, progress):
                self._show_step(group, progress)
            case Finished(group):
                self._bar.remove_task(self._running.pop(group)[0])
                self._pixel_steps += self._pixel_steps_of(group)
            case Written():
                self.done += 1
            case Failed(pair, error):
                self._failed += 1
                self._print(pair, error)
        self._show_job()

    def _show_step(self, group: Group, progress: Progress) -> None:
        assert self._plan is not None
        levels = levels_of(group, self._plan)
        left = work_left(progress.size, progress.step, levels)
        share = 1 - left / work_left(levels[0][0], 0, levels)
        mean = replace(progress, terms=jax.tree.map(np.mean, progress.terms))
        task, _ = self._running[group]
        self._running[group] = task, share
        waiting = describe_compiling(jax.default_backend())
        line = describe(mean, None, levels, waiting, first=waiting)
        self._bar.update(task, completed=share, description=f"  {self._title(group)}: {line}")

    def _state(self) -> str:
        return "; ".join(task.description.strip() for task in self._bar.tasks)

    def _title(self, group: Group) -> str:
        assert self._plan is not None
        pairs = group.pairs
        return escape_unprintable(str(self._plan.tasks[pairs[0]].output)) if len(pairs) == 1 else f"{len(pairs)} pairs"

    def _show_job(self) -> None:
        elapsed = time.monotonic() - self._started
        texts = [f"{self.done}/{counted(len(self._todo), 'pair')}"]
        texts += [f"{self._failed} failed"] if self._failed else []
        texts += [f"{60 * self.done / elapsed:.3g} a minute"] if self.done else []
        running = sum(share * self._pixel_steps_of(group) for group, (_, share) in self._running.items())
        if (finished := self._pixel_steps + running) and self._plan:
            texts.append(f"{format_duration(elapsed * (self._total_pixel_steps / finished - 1))} left")
        total_pairs = max(1, len(self._todo))
        self._bar.update(self._job, completed=self.done + self._failed, total=total_pairs, description=", ".join(texts))

    def _print(self, pair: int, error: str, advice: str = "") -> None:
        """Print an error, unless it was printed for another pair with the same picture."""
        assert self._plan is not None
        task = self._plan.tasks[pair]
        if (cause := failure_cause(task, error)) not in self._shown:
            self._shown.add(cause)
            self._print_line(f"jaxstyle: failed: {failure_message(task, error)}{advice}")

    def _print_line(self, line: str) -> None:
        """Print a line above the progress bars."""
        self._bar.console.print(escape_unprintable(line), markup=False, highlight=False)

    def _pixel_steps_of(self, group: Group) -> int:
        assert self._plan is not None
        return sum(self._plan.pixel_steps[pair] for pair in group.pairs if self._plan.is_todo(pair))


def describe_done(done: int, pairs: int, share: str = "") -> str:
    """How many pairs, of the job or of a share such as `0/3`, are done."""
    of_share = f" of share {share}" if share else ""
    return f"{done} of {counted(pairs, 'pair')}{of_share} {'is' if pairs == 1 else 'are'} done"


def levels_of(group: Group, plan: Plan) -> Levels:
    """The sizes and steps of a group: the last ones of those of a square picture."""
    return schedule(plan.tasks[group.pairs[0]].settings.config, 1, 1)[-len(group.padded_shapes) :]
