"""Run a job from a command: interruptible, with progress bars, and with an exit code for pairs that failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import typer

from jaxstyle.cli.batch_progress import BatchProgress
from jaxstyle.cli.interrupts import run_interruptibly, sigterm_as_interrupt
from jaxstyle.jobs import Job, Summary, run_job


@contextmanager
def exit_on_interrupt(progress: BatchProgress) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command with exit code 130 and one line that says how to resume."""
    try:
        with sigterm_as_interrupt():
            yield
    except KeyboardInterrupt:
        progress.hide()
        message = f"stopped; this run finished {progress.done} pairs; run the same command again to resume"
        typer.echo(f"jaxstyle: {message}", err=True)
        raise typer.Exit(130) from None


def run_with_progress(job: Job, progress: BatchProgress) -> Summary:
    """`run_job`, with its progress shown in the terminal; can be interrupted."""

    def work() -> Summary:
        with progress.display():
            return run_job(job, progress)

    return run_interruptibly(work)


def exit_unless_done(summary: Summary) -> None:
    """Print what is missing and exit with 1, unless all pairs are done."""
    if summary.done < summary.pairs:
        untried = f", {summary.untried} not tried" if summary.untried else ""
        counts = f"{summary.done} of {summary.pairs} pairs are done, {len(summary.failed)} failed{untried}"
        typer.echo(f"jaxstyle: {counts}; see {summary.record}", err=True)
        raise typer.Exit(1)


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary as plain values, for `--json`."""
    return {name: value for name, value in asdict(summary).items() if name != "results"}
