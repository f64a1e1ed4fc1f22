"""Run one stylization from the command line: interruptible at any moment, with snapshots, progress and a record.

A run that was stopped goes on from its last checkpoint. Ctrl-C and SIGTERM save one, after the steps in flight.
"""

import itertools
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import typer

from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.cli.messages import print_note, print_path, print_warnings
from jaxstyle.cli.monitor import Monitor, Run
from jaxstyle.cli.progress import Levels, progress_bar, snapshot_steps, steps_taken
from jaxstyle.environment import device_name
from jaxstyle.errors import DivergedError, PictureError, escape_unprintable
from jaxstyle.files import Unfinished, run_identity
from jaxstyle.images import exists, is_folder, print_proof
from jaxstyle.optimization import Progress, is_out_of_memory, schedule
from jaxstyle.stylize import Stylized, stylize

_OF_NO_RESULT = ("tile_size", "bits", "dpi")


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
        monitor = Monitor(run, checkpoint, levels, snapshots, started, time.perf_counter(), update_bar)
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
                return f"{text}; there is no checkpoint, so start again with --overwrite"
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
    if begun:
        total = sum(steps for _, steps in levels)
        again = f"to start again, delete {checkpoint.folder} and use --overwrite"
        print_note(f"going on from step {steps_before} of {total}; {again}")
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
        if is_folder(checkpoint.folder) and not checkpoint.difference():
            found = "has no checkpoint that can be read"
            print_warnings(f"{checkpoint.folder}: {found}; the run starts from the beginning")
        return checkpoint, []
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


def _stylize(run: Run, monitor: Monitor, begun: list[Progress]) -> Stylized:
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
