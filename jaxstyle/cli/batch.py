"""`jaxstyle batch`: many pairs, from folders or a manifest, in one job that can be stopped and goes on."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxstyle.cli.inputs import check_replaces_none
from jaxstyle.cli.job.contact_sheet import contact_sheet
from jaxstyle.cli.job.job import BatchJob, check_places, fail_unless_done, stoppable
from jaxstyle.cli.job.manifest import Task, find_pictures, pair_up, read_manifest
from jaxstyle.cli.job.processes import roll_call
from jaxstyle.cli.job.progress import clock
from jaxstyle.cli.job.records import HIDDEN, Share
from jaxstyle.cli.run import in_background
from jaxstyle.cli.settings import Options, with_options
from jaxstyle.cli.system import device, device_name
from jaxstyle.errors import ConfigError
from jaxstyle.images import check_writable, write_image

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
    check_places(tasks, output, overwrite=overwrite, from_folders=manifest is None)
    if sheet:
        check_replaces_none(sheet, [file for task in tasks for file in task.files])
        check_writable(sheet, overwrite=overwrite or (output / HIDDEN).is_dir())
    share = Share(*roll_call(coordinator, processes, process))
    job = BatchJob(tasks, output, device(), share, batch_size, retry_failed, fail_fast, every)
    if dry_run:
        plan = job.tell()
        typer.echo(json.dumps(plan, indent=2) if as_json else _written(plan))
        return
    with stoppable(job):
        record = in_background(job)
        if sheet:
            results = [output / task.output if pair in job.done else None for pair, task in enumerate(tasks)]
            write_image(sheet, contact_sheet(tasks, results), overwrite=True)
    typer.echo(json.dumps(record, indent=2) if as_json else output)
    fail_unless_done(record)


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
