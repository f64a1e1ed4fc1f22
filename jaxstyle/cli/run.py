"""Run one stylization from the command line: interruptible at any moment, with snapshots, progress and a record.

A run that was stopped goes on from its last checkpoint. Ctrl-C and SIGTERM save one, after the steps in flight.
"""

import itertools
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import typer

from jaxstyle.batch import Pair
from jaxstyle.cli.interrupts import on_interrupt, wait_for_end
from jaxstyle.cli.messages import print_note, print_path, print_warnings
from jaxstyle.cli.progress import (
    Levels,
    TimedStep,
    progress_bar,
    seconds_by_size,
    seconds_left,
    snapshot_steps,
    steps_taken,
)
from jaxstyle.environment import device_name
from jaxstyle.errors import DivergedError, JaxStyleError, MemoryLimitError, PictureError, escape_unprintable
from jaxstyle.files import ResultWriter, Unfinished, first_and_last_losses, run_identity
from jaxstyle.images import RemotePath, as_path, exists, print_proof
from jaxstyle.networks import Network
from jaxstyle.optimization import MemoryNeed, Progress, Workload, is_out_of_memory, memory_error, schedule
from jaxstyle.styles import Masks
from jaxstyle.stylize import Stylized, stylize

CHECKPOINT_EVERY = 60.0  # seconds between checkpoints, and at least ten times what it takes to write one
_OF_NO_RESULT = ("tile_size", "bits", "dpi", "profile")


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
class _Monitor:
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


def execute_and_print(run: Run, title: str, started: float, *, as_json: bool) -> None:
    """Stylize, write the result, and print its path or the record of the run; on a terminal, print a title first.

    On Ctrl-C or SIGTERM, and if the optimization diverges, the last good picture is written.

    Args:
        run: the stylization.
        title: a text on the content.
        started: when the command started, by `time.perf_counter`.
        as_json: whether to print the record.

    Raises:
        JaxStyleError: before any work if a file cannot be written, and as `stylize`.
    """
    if sys.stderr.isatty():
        height, width = run.pair.content.shape[:2]
        name = device_name(run.writer.record["device"])
        typer.echo(escape_unprintable(f"{title}{width} x {height} pixels, on {name}, {run.memory}"), err=True)
    levels = schedule(run.pair.config, *run.pair.content.shape[:2])
    run, checkpoint, begun, snapshots = _checked(run, levels)
    if not begun:
        checkpoint.drop()  # of another run, or one that cannot be read
    with progress_bar(levels, run.writer.record["device"]["platform"]) as update_bar:
        monitor = _Monitor(run, checkpoint, levels, snapshots, started, time.perf_counter(), update_bar)
        monitor.saved_steps = steps_taken(begun[0], levels) if begun else 0

        def finish() -> str:
            stopped = replace(monitor, timeline=[*monitor.timeline])  # the run goes on in its thread
            is_written = stopped.write_last()
            if as_json:
                typer.echo(json.dumps(stopped.record(), indent=2))
            if not is_written:
                return "stopped before the first step; nothing was written"
            text = f"stopped after {stopped.steps} of {stopped.total} steps; the current picture is in {run.output}"
            if not stopped.saved_steps:
                return f"{text}; there is no checkpoint to go on from"
            checkpoint.note_picture()
            return f"{text}; the same command goes on from step {stopped.saved_steps}"

        with on_interrupt(finish, save=monitor.stop):
            result = _stylize(run, monitor, begun)
    output = _write(run, result)
    checkpoint.drop()
    if as_json:
        typer.echo(json.dumps(monitor.record() | {"output": str(output)}, indent=2))
    else:
        print_path(output)


def check_files(run: Run) -> None:
    """Raise the errors of `execute_and_print` before any work: the files of the run cannot be written."""
    _checked(run, schedule(run.pair.config, *run.pair.content.shape[:2]))


def _checked(run: Run, levels: Levels) -> tuple[Run, Unfinished, list[Progress], dict[int, Path]]:
    """The run as it goes on, its checkpoint, the progress to go on from, if any, and the snapshots by their steps."""
    checkpoint, begun = _find_checkpoint(run, levels)
    steps_before = steps_taken(begun[0], levels) if begun else 0
    run = replace(run, pair=replace(run.pair, config=replace(run.pair.config, tile_size=checkpoint.tile_size)))
    writer = replace(run.writer, overwrite=run.writer.overwrite or checkpoint.has_written_picture())
    run = replace(run, writer=writer)
    writer.check(run.output)
    snapshots = {
        step: run.output.with_stem(f"{run.output.stem}-{step:04}")
        for step in (snapshot_steps(levels, run.save_every) if run.save_every else ())
        if step > steps_before
    }
    for file in (*snapshots.values(), *([_proof_path(run.output)] if run.printer else [])):
        writer.check(file)
    return run, checkpoint, begun, snapshots


def _find_checkpoint(run: Run, levels: Levels) -> tuple[Unfinished, list[Progress]]:
    """The checkpoint that the run is to write, and, if there is one of the same command, the progress to go on from."""
    tile_size = run.pair.config.tile_size
    identity, record = run_identity(run.network, run.pair, run.masks), run.writer.record
    # Settings of the file and tiles change no result.
    compared = {name: value for name, value in record["settings"].items() if name not in _OF_NO_RESULT}
    settings = {name: record[name] for name in ("content", "styles")} | compared
    checkpoint = Unfinished(run.output, identity, tile_size, settings)
    if not run.writer.overwrite and (difference := checkpoint.difference()):
        found = f"{checkpoint.folder}: is the checkpoint of another run (different {difference})"
        raise PictureError(f"{found}; repeat its command to go on with it, or use --overwrite to start anew")
    begun = checkpoint.find()
    progress = begun.load(run.pair.config.optimizer) if begun else None
    if begun is None or progress is None:
        return checkpoint, []
    total = sum(steps for _, steps in levels)
    print_note(f"going on from step {steps_taken(progress, levels)} of {total}; to start again, delete {begun.folder}")
    # The same tiles give the same bytes, but there may be less memory now.
    return replace(begun, tile_size=min(begun.tile_size, tile_size, key=lambda size: size or math.inf)), [progress]


def _write(run: Run, result: Stylized) -> Path:
    """Write the result; under another name, if there is a file of its name by now, which nobody asked to replace."""
    names = (run.output.with_stem(f"{run.output.stem}-{number}") for number in itertools.count(2))
    output = run.output
    if exists(output) and not run.writer.overwrite:
        output = next(name for name in names if not exists(name))
        print_note(f"{run.output} has appeared meanwhile; the result is in {output}")
    run.writer.write(output, result.image, len(result.sizes))
    if run.printer:
        proof = print_proof(result.image, run.printer, run.writer.content.profile)
        run.writer.write(_proof_path(output), proof, len(result.sizes))
        print_note(f"the proof is in {_proof_path(output)}")
    return output


def _proof_path(output: Path) -> Path:
    return output.with_stem(f"{output.stem}-proof")


def _stylize(run: Run, monitor: _Monitor, begun: list[Progress]) -> Stylized:
    """Stylize, from the progress in the list on, which is taken out of it because its state takes memory."""
    try:
        return stylize(
            run.pair.content,
            run.pair.styles,
            network=run.network,
            config=run.pair.config,
            seed=run.pair.seed,
            initial_picture=run.pair.initial_picture,
            content_mask=run.masks.content if run.masks else None,
            style_mask=run.masks.styles if run.masks else None,
            strength_mask=run.pair.strength_mask,
            callback=monitor,
            resume=begun.pop() if begun else None,
        )
    except DivergedError as error:
        monitor.checkpoint.drop()
        written = f"the last good picture is in {run.output}" if monitor.write_last() else "nothing was written"
        raise DivergedError(f"{error}; {written}") from error
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise run.memory_error(run.memory.workload) from error
        raise
