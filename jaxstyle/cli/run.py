"""Run one stylization from the command line: interruptible at any moment, with snapshots, progress and a record."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from jaxstyle.batch import Pair
from jaxstyle.cli.interrupts import run_interruptibly, sigterm_as_interrupt
from jaxstyle.cli.progress import (
    Levels,
    TimedStep,
    progress_bar,
    seconds_by_size,
    seconds_left,
    snapshot_steps,
    steps_taken,
)
from jaxstyle.errors import DivergedError
from jaxstyle.jobs import ResultWriter, device_name, first_and_last_losses
from jaxstyle.networks import Network
from jaxstyle.optimization import MemoryNeed, Progress, is_out_of_memory, memory_error, schedule
from jaxstyle.styles import Masks
from jaxstyle.stylize import Stylized, stylize


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
        save_every: steps between snapshots; None for no snapshots.
    """

    pair: Pair
    network: Network
    writer: ResultWriter
    output: Path
    memory: MemoryNeed
    masks: Masks | None = None
    save_every: int | None = None


@dataclass(eq=False)
class _Monitor:
    """The callback of a run: remembers the last progress, updates the progress bar, and saves snapshots."""

    run: Run
    levels: Levels
    snapshots: dict[int, Path]
    update_bar: Callable[[Progress, float | None], None]
    timeline: list[TimedStep] = field(default_factory=list)
    last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.last = progress
        self.timeline.append(TimedStep(time.perf_counter(), progress.size, progress.step))
        self.update_bar(progress, seconds_left(self.timeline, self.levels))
        steps = steps_taken(progress, self.levels)
        if progress.step > 0 and steps in self.snapshots:
            self.run.writer.write(self.snapshots[steps], progress.picture, steps)

    def write_last(self) -> str:
        """Write the last picture, if any step was taken; returns a message that says so."""
        steps = steps_taken(self.last, self.levels) if self.last else 0
        if self.last is None or steps == 0:
            return "before the first step; nothing was written"
        self.run.writer.write(self.run.output, self.last.picture, steps)
        total = sum(steps for _, steps in self.levels)
        return f"after {steps} of {total} steps; the current picture is in {self.run.output}"


def execute(run: Run, started: float) -> dict[str, Any]:
    """Stylize and write the result; returns the record of the run.

    On Ctrl-C or SIGTERM, and if the optimization diverges, the last good picture is written.

    Args:
        run: the stylization.
        started: when the command started, by `time.perf_counter`.

    Raises:
        typer.Exit: with 130, after Ctrl-C or SIGTERM.
        JaxStyleError: before any work if a file cannot be written, and as `stylize`.
    """
    levels = schedule(run.pair.config, *run.pair.content.shape[:2])
    run.writer.check(run.output)
    snapshots = {
        step: run.output.with_stem(f"{run.output.stem}-{step:04}")
        for step in (snapshot_steps(levels, run.save_every) if run.save_every else ())
    }
    for file in snapshots.values():
        run.writer.check(file)

    loaded = time.perf_counter()
    with progress_bar(levels, run.writer.record["device"]["platform"]) as update_bar:
        monitor = _Monitor(run, levels, snapshots, update_bar)
        result = _stylize(run, monitor)
    optimized = time.perf_counter()
    run.writer.write(run.output, result.image, len(result.sizes))
    ended = time.perf_counter()
    return {
        **run.writer.record,
        "steps": len(result.sizes),
        "output": str(run.output),
        "width": result.image.shape[1],
        "height": result.image.shape[0],
        "losses": first_and_last_losses(result.history),
        "seconds": {
            "load": loaded - started,
            "sizes": seconds_by_size(monitor.timeline, loaded),
            "write": ended - optimized,
            "total": ended - started,
        },
    }


def execute_and_print(run: Run, title: str, started: float, *, as_json: bool) -> None:
    """`execute`, with a title printed first on a terminal, and the path of the output or the record at the end."""
    if sys.stderr.isatty():
        height, width = run.pair.content.shape[:2]
        name = device_name(run.writer.record["device"])
        typer.echo(f"{title}{width} x {height} pixels, on {name}, {run.memory}", err=True)
    record = execute(run, started)
    typer.echo(json.dumps(record, indent=2) if as_json else run.output)


def _stylize(run: Run, monitor: _Monitor) -> Stylized:
    def work() -> Stylized:
        return stylize(
            run.pair.content,
            run.pair.styles,
            network=run.network,
            config=run.pair.config,
            seed=run.pair.seed,
            initial_picture=run.pair.initial_picture,
            content_mask=run.masks.content if run.masks else None,
            style_mask=run.masks.styles if run.masks else None,
            callback=monitor,
        )

    try:
        with sigterm_as_interrupt():
            return run_interruptibly(work)
    except KeyboardInterrupt:
        typer.echo(f"jaxstyle: stopped {monitor.write_last()}", err=True)
        raise typer.Exit(130) from None
    except DivergedError as error:
        raise DivergedError(f"{error}; stopped {monitor.write_last()}") from error
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise memory_error(run.memory.workload) from error
        raise
