"""Run a job from a command: interruptible, with progress bars, and with an exit code for pairs that failed."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import typer

from jaxstyle.cli.batch_progress import BatchProgress, describe_done
from jaxstyle.cli.interrupts import on_interrupt, wait_for_end
from jaxstyle.cli.messages import print_note
from jaxstyle.cli.progress import format_duration
from jaxstyle.jobs import WHOLE, Cost, Job, Summary, run_job


def run_with_progress(
    job: Job, *, as_json: bool, run: Callable[..., Summary] = run_job, shown: set[str] | None = None
) -> Summary:
    """Run a job by this function, `run_job` or one like it, with its progress shown in the terminal.

    Ctrl-C and SIGTERM end it with one line that says how to resume, and, for `--json`, with a record. Checkpoints are
    saved before. Failures in `shown` are not shown again; those of this run are added.
    """
    progress = BatchProgress(job.folder, set() if shown is None else shown)
    stop, saved = threading.Event(), threading.Event()

    def finish() -> str:
        if as_json:
            typer.echo(json.dumps({"interrupted": True, "output": str(job.folder)} | progress.counts(), indent=2))
        return f"stopped; {progress.describe()}; run the same command again to resume"

    def save() -> threading.Event | None:
        if not progress.has_steps():
            return None
        stop.set()
        return saved

    with on_interrupt(finish, save=save), progress.display():
        summary = run(job, progress, stop=stop)
        if stop.is_set():
            wait_for_end(saved)
        return summary


def exit_unless_done(summary: Summary) -> None:
    """`print_counts`; exit with 1, unless all pairs are done."""
    print_counts(summary)
    if summary.done < summary.pairs:
        raise typer.Exit(1)


def print_counts(summary: Summary) -> None:
    """Print what is done, what was done before and what is missing."""
    is_complete = summary.done == summary.pairs
    details = [f"{summary.done_before} of them before this run"] if summary.done_before else []
    details += [] if is_complete else [f"{len(summary.failed)} failed"]
    details += [f"{summary.untried} not tried"] if summary.untried else []
    share = "" if summary.share == str(WHOLE) else summary.share
    counts = ", ".join([describe_done(summary.done, summary.pairs, share), *details])
    record = f"see {summary.record}" if summary.record else ""
    print_note("; ".join(filter(None, [counts, describe_cost(summary), record])))


def describe_cost(summary: Summary) -> str:
    """What the results of this run have cost, in words; nothing if there are none."""
    if not summary.cost.pairs:
        return ""
    return f"{summary.pairs_per_minute:.3g} a minute, {format_cost(summary.cost)}"


def format_cost(cost: Cost) -> str:
    """The time of devices, and the energy if it is known."""
    energy = "" if cost.joules is None else f" and {cost.joules / 3.6e6:.3g} kWh"
    return f"{format_duration(cost.device_seconds)} of device time{energy}"


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary as plain values, for `--json`."""
    return {name: value for name, value in asdict(summary).items() if name != "results"}
