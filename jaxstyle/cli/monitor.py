"""A stylization from the command line while it runs: its inputs, and the callback that saves what there is."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxstyle.cli.interrupts import wait_for_end
from jaxstyle.cli.messages import print_warnings
from jaxstyle.cli.progress import Levels, TimedStep, seconds_by_size, seconds_left, steps_taken
from jaxstyle.errors import JaxStyleError, MemoryLimitError
from jaxstyle.files import ResultWriter, Unfinished, first_and_last_losses
from jaxstyle.images import RemotePath, as_path
from jaxstyle.networks import Network
from jaxstyle.optimization import MemoryNeed, Pair, Progress, Workload, memory_error
from jaxstyle.styles import Masks

CHECKPOINT_EVERY = 60.0  # seconds between checkpoints, and at least ten times what it takes to write one


@dataclass(frozen=True, eq=False)
class Run:
    """One stylization: its inputs, and where the result and its snapshots go.

    Attributes:
        pair: the pictures and settings.
        network: the recognition network.
        writer: writes the result and the snapshots.
        output: the path of the result.
        memory: what the stylization needs and what there is.
        masks: of content and styles, if there are regions.
        printer: the color profile of a printer, for a proof beside the result; None for no proof.
        save_every: steps between snapshots; None for none.
        memory_error: the error if memory runs out.
    """

    pair: Pair
    network: Network
    writer: ResultWriter
    output: Path
    memory: MemoryNeed
    masks: Masks | None = None
    printer: bytes | None = None
    save_every: int | None = None
    memory_error: Callable[[Workload], MemoryLimitError] = memory_error


@dataclass(eq=False)
class Monitor:
    """The callback of a run: remembers the last progress, updates the bar, and saves snapshots and checkpoints."""

    run: Run
    checkpoint: Unfinished
    levels: Levels
    snapshots: dict[int, Path]
    started: float
    loaded: float
    update_bar: Callable[[Progress, float | None], None]
    timeline: list[TimedStep] = field(default_factory=list)
    last: Progress | None = None
    next_checkpoint: float = 0.0
    saved_steps: int = 0
    is_stopping: bool = False
    saved: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        is_local = not isinstance(as_path(self.run.output), RemotePath)
        self.next_checkpoint = self.loaded + CHECKPOINT_EVERY if is_local else math.inf

    def __call__(self, progress: Progress) -> None:
        """Take note of the progress; if the run is stopping, save a checkpoint and wait for the end of the process."""
        self.last = progress
        self.timeline.append(TimedStep(time.perf_counter(), progress.size, progress.step))
        self.update_bar(progress, seconds_left(self.timeline, self.levels))
        steps = steps_taken(progress, self.levels)
        if progress.step > 0 and steps in self.snapshots:
            self.run.writer.write(self.snapshots[steps], progress.picture, steps)
        is_stopping = self.is_stopping and steps < self.total
        if is_stopping or time.perf_counter() >= self.next_checkpoint:
            self._save(progress)
        if is_stopping:
            wait_for_end(self.saved)

    def stop(self) -> threading.Event | None:
        """Save the state after the steps that are being computed; returns an event for that, if there is a need."""
        if self.next_checkpoint == math.inf or not self.saved_steps < self.steps < self.total:
            return None
        self.is_stopping = True
        return self.saved

    def _save(self, progress: Progress) -> None:
        """Save a checkpoint, unless the last one was of this step, or the run is at its end."""
        steps, started = steps_taken(progress, self.levels), time.perf_counter()
        if not self.saved_steps < steps < self.total:
            return
        try:
            self.checkpoint.save(progress)
        except JaxStyleError as error:
            print_warnings(f"{error}; there are no more checkpoints")
            self.next_checkpoint = math.inf
            return
        self.saved_steps, ended = steps, time.perf_counter()
        self.next_checkpoint = ended + max(CHECKPOINT_EVERY, 10 * (ended - started))

    @property
    def total(self) -> int:
        """The number of steps of the run at all sizes together."""
        return sum(steps for _, steps in self.levels)

    @property
    def steps(self) -> int:
        """The number of steps taken at all sizes together."""
        return steps_taken(self.last, self.levels) if self.last else 0

    def write_last(self) -> bool:
        """Write the last picture, if any step was taken; returns whether it was."""
        if self.last is None or self.steps == 0:
            return False
        self.run.writer.write(self.run.output, self.last.picture, self.steps)
        return True

    def record(self) -> dict[str, Any]:
        """The record of the run up to now, whose output was written if any step was taken."""
        is_written, now = self.last is not None and self.steps > 0, time.perf_counter()
        height, width = self.run.pair.content.shape[:2]
        return {
            **self.run.writer.record,
            "steps": self.steps,
            "interrupted": self.steps < self.total,
            "output": str(self.run.output) if is_written else None,
            "width": width,
            "height": height,
            "losses": first_and_last_losses(self.last.history) if self.last and is_written else None,
            "seconds": {
                "load": self.loaded - self.started,
                "sizes": seconds_by_size(self.timeline, self.loaded),
                "write": now - self.timeline[-1].time if self.timeline else 0,
                "total": now - self.started,
            },
        }
