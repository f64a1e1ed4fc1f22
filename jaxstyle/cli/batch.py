"""`jaxstyle batch`: many pairs, from folders or a manifest, in one job that can be stopped and goes on."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxstyle.batch import workers
from jaxstyle.buckets import Group
from jaxstyle.cli.inputs import check_replaces_none
from jaxstyle.cli.job.contact_sheet import contact_sheet
from jaxstyle.cli.job.inputs import Networks, Reader, choice_of
from jaxstyle.cli.job.manifest import Task, find_pictures, pair_up, read_manifest
from jaxstyle.cli.job.plan import Plan, make_plan, pace_of, standing
from jaxstyle.cli.job.processes import roll_call
from jaxstyle.cli.job.progress import Watch, clock, reason
from jaxstyle.cli.job.records import HIDDEN, Records, Share, read_records
from jaxstyle.cli.job.run import Run, Work
from jaxstyle.cli.run import in_background, sigterm_like_ctrl_c
from jaxstyle.cli.settings import Options, with_options
from jaxstyle.cli.system import device, device_name
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import check_writable, write_image
from jaxstyle.memory import bytes_needed

_PROCESSES = "One of several processes"


@with_options
def batch_command(
    *,
    manifest: Annotated[
        Path | None,
        typer.Argument(metavar="[MANIFEST]", help="CSV or JSON lines: content, style, and any options as columns."),
    ] = None,
    content: Annotated[
        str | None, typer.Option("--content", metavar="DIR|GLOB", help="The pictures to paint; quote a pattern.")
    ] = None,
    style: Annotated[
        str | None, typer.Option("--style", metavar="DIR|GLOB", help="The pictures, or saved styles, to paint them by.")
    ] = None,
    zipped: Annotated[
        bool, typer.Option("--zip", help="The first content with the first style and so on, not all with all.")
    ] = False,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the results.")],
    options: Options,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pictures in DIR that no job has made.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try pairs again that failed before.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop when a pair fails.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do, and do nothing.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--contact-sheet", metavar="FILE", help="Write one picture of all contents, styles and results."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", min=1, help="Pairs in one program.", show_default="what fits, and 1 on CPU"),
    ] = None,
    every: Annotated[
        float,
        typer.Option("--checkpoint-every", min=0, metavar="SECONDS", help="How often to keep what is unfinished."),
    ] = 60,
    coordinator: Annotated[
        str | None,
        typer.Option(
            "--coordinator",
            metavar="HOST:PORT",
            rich_help_panel=_PROCESSES,
            help="Address of process 0, the same for all, or auto on a cluster that JAX recognises.",
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", rich_help_panel=_PROCESSES, help="How many share the job.")
    ] = None,
    process: Annotated[
        int | None, typer.Option("--process", rich_help_panel=_PROCESSES, help="Which this is, from 0.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a record of the job.")] = False,
) -> None:
    """Paint many pictures, each in the manner of a style. Stopped in any way, the same command goes on."""
    tasks = _tasks(manifest, content, style, options, zipped=zipped)
    _check_places(tasks, output, overwrite=overwrite, from_folders=manifest is None)
    if sheet:
        check_replaces_none(sheet, [file for task in tasks for file in task.files])
        check_writable(sheet, overwrite=overwrite or (output / HIDDEN).is_dir())
    share = Share(*roll_call(coordinator, processes, process))
    job = _Job(tasks, output, device(), share, batch_size, retry_failed, fail_fast, every)
    if dry_run:
        plan = job.tell()
        typer.echo(json.dumps(plan, indent=2) if as_json else _written(plan))
        return
    try:
        with sigterm_like_ctrl_c():
            record = in_background(job)
            if sheet:
                results = [output / task.output if pair in job.done else None for pair, task in enumerate(tasks)]
                write_image(sheet, contact_sheet(tasks, results), overwrite=True)
    except KeyboardInterrupt:
        done = job.watch.hide() if job.watch else 0
        typer.echo(f"jaxstyle: stopped; this run finished {done} pairs, and the same command goes on", err=True)
        raise typer.Exit(130) from None
    typer.echo(json.dumps(record, indent=2) if as_json else output)
    if record["done"] < record["pairs"]:
        untried = f", {record['untried']} not tried" if record["untried"] else ""
        told = f"{record['done']} of {record['pairs']} pairs are done, {len(record['failed'])} failed{untried}"
        typer.echo(f"jaxstyle: {told}; {record['record']} tells of each", err=True)
        raise typer.Exit(1)


@dataclass(eq=False)
class _Job:
    """A job as the command carries it out, in a thread of its own; `watch` and `done` tell what has come of it."""

    tasks: Sequence[Task]
    folder: Path
    device: dict[str, Any]
    share: Share
    batch_size: int | None
    retry_failed: bool
    fail_fast: bool
    every: float
    networks: Networks = field(default_factory=Networks)
    watch: Watch | None = None
    done: frozenset[int] = frozenset()

    def plan(self) -> Plan:
        """How the job stands."""
        return make_plan(
            self.tasks,
            self.networks,
            read_records(self.folder),
            self.folder,
            batch_size=self.batch_size,
            retry_failed=self.retry_failed,
        )

    def __call__(self) -> dict[str, Any]:
        """Do what is to be done, and tell about it."""
        began = time.perf_counter()
        with closing(Records(self.folder, self.share)) as records:
            plan = self.plan()
            self.watch = Watch(plan, self.share)
            work = Work(
                plan=plan,
                share=self.share,
                networks=self.networks,
                reader=Reader(self.networks, self.folder, self.device),
                records=records,
                folder=self.folder,
                watch=self.watch,
                workers=self._workers(plan),
                every=self.every,
                fail_fast=self.fail_fast,
            )
            with self.watch.shown():
                Run(work)()
        self.done, failed = standing(plan.tasks, plan.keys, read_records(self.folder), self.folder)
        own = plan.own(self.share)
        wrong = {pair: error for pair, error in failed.items() if pair in own}
        return {
            "pairs": len(own),
            "done": len(own & self.done),
            "done_before": len(own & plan.done),
            "failed": [{"output": str(plan.tasks[pair].output), "error": error} for pair, error in wrong.items()],
            "untried": len(own - self.done - wrong.keys()),
            "output": str(self.folder),
            "record": str(records.path),
            "pairs_per_minute": self.watch.per_minute(),
            "seconds": time.perf_counter() - began,
        }

    def tell(self) -> dict[str, Any]:
        """What there is to do, in plain values."""
        plan = self.plan()
        workers, todo = self._workers(plan), set(plan.todo)
        pace = pace_of(read_records(self.folder).values(), self.device)
        programs: dict[Any, dict[str, Any]] = {}
        for group in plan.groups:
            if own := todo & set(group.pairs):
                kind = group.frames, group.lanes, choice_of(plan.tasks[group.pairs[0]].settings)
                told = programs.setdefault(kind, {}) or programs[kind] | self._tell_group(plan, group)
                programs[kind] = told | {"groups": told["groups"] + 1, "pairs": told["pairs"] + len(own)}
        return {
            "pairs": len(plan.tasks),
            "done": len(plan.done),
            "failed": [reason(plan.tasks[pair], error) for pair, error in (plan.failed | plan.unreadable).items()],
            "todo": [str(plan.tasks[pair].output) for pair in plan.todo],
            "groups": list(programs.values()),
            "at_once": workers,
            "device": self.device,
            "seconds": None if pace is None else pace * sum(plan.work[pair] for pair in todo) / workers,
        }

    def _tell_group(self, plan: Plan, group: Group) -> dict[str, Any]:
        settings, last = plan.tasks[group.pairs[0]].settings, group.frames[-1]
        network = self.networks(settings)
        return {
            "shapes": [[frame.height, frame.width] for frame in group.frames],
            "together": group.lanes,
            "bytes": bytes_needed(network, settings.config, last.height, last.width, lanes=group.lanes),
            "groups": 0,
            "pairs": 0,
        }

    def _workers(self, plan: Plan) -> int:
        """Groups to compute at the same time: as many as the most demanding settings allow."""
        kinds = {(plan.tasks[pair].settings, group.lanes) for group in plan.groups for pair in group.pairs}
        of_config = {(settings.config, lanes): self.networks(settings) for settings, lanes in kinds}
        found = [workers(network, [config], lanes) for (config, lanes), network in of_config.items()]
        return min(found, default=1)


def _tasks(
    manifest: Path | None, content: str | None, style: str | None, options: Options, *, zipped: bool
) -> list[Task]:
    if manifest:
        if content or style or zipped:
            raise ConfigError("MANIFEST and --content, --style or --zip exclude each other; give one or the others")
        return read_manifest(manifest, options)
    if not content or not style:
        raise ConfigError("there are no pairs; expected --content and --style, or a MANIFEST")
    contents, others = find_pictures("--content", content)
    styles, more = find_pictures("--style", style, styles=True)
    for where, count in ((content, others), (style, more)):
        if count:
            typer.echo(f"jaxstyle: left out {count} files in {where} that are no pictures by their names", err=True)
    return pair_up(contents, styles, options, zipped=zipped)


def _check_places(tasks: Sequence[Task], folder: Path, *, overwrite: bool, from_folders: bool) -> None:
    """Raise if a result would replace a picture that is to be read, or, unless asked for, one that no job has made."""
    inputs = {os.path.realpath(file.expanduser()) for task in tasks for file in task.files}
    if from_folders and os.path.realpath(folder) in {os.path.dirname(file) for file in inputs}:
        raise ConfigError(f"{folder} has pictures to read in it; choose another folder for the results")
    is_ours = (folder / HIDDEN).is_dir()
    for task in tasks:
        path = folder / task.output
        if os.path.realpath(path) in inputs:
            raise ConfigError(f"{path} is one of the pictures to read; choose another name for the result")
        if not is_ours and not overwrite and path.exists():
            raise PictureError(f"{path}: exists already, and no job made it; choose another folder, or say --overwrite")


def _written(told: dict[str, Any]) -> str:
    """A plan as lines."""
    failed = told["failed"]
    lines = [
        f"{told['pairs']} pairs: {told['done']} done, {len(failed)} failed, {len(told['todo'])} to do",
        *(f"  failed: {error}" for error in dict.fromkeys(failed)),
    ]
    if told["todo"]:
        lines.append(f"on {device_name(told['device'])}, {told['at_once']} at a time:")
    for group in told["groups"]:
        shapes = ", ".join(f"{width} x {height}" for height, width in group["shapes"])
        lanes = f" in groups of {group['together']}" if group["together"] > 1 else ""
        lines.append(f"  {group['pairs']} pairs{lanes} at {shapes} pixels, {group['bytes'] / 2**30:.1f} GiB each time")
    if told["todo"]:
        known = "unknown until a pair has been done here" if told["seconds"] is None else clock(told["seconds"])
        lines.append(f"time, without compiling: {known}")
    return "\n".join(lines)
