"""`jaxstyle batch`: stylize many pairs, from folders or a manifest, in a job that can be stopped and resumed."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.arrivals import PictureState, wait_for_change
from jaxstyle.cli.batch_description import format_description
from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.jax_config import leave_gpus_alone
from jaxstyle.cli.job import exit_unless_done, print_counts, run_with_progress, summary_record
from jaxstyle.cli.messages import print_note, print_path, print_warnings
from jaxstyle.cli.options import with_options
from jaxstyle.errors import ConfigError, PictureError, counted
from jaxstyle.files import check_output_is_no_input, level_warnings, style_warnings
from jaxstyle.images import check_writable, write_image
from jaxstyle.jobs import (
    WHOLE,
    Job,
    Share,
    Task,
    check_output_folder,
    describe_job,
    draw_contact_sheet,
    find_pictures,
    has_job,
    pair_up,
    parse_share,
    read_manifest,
    run_job,
    run_job_on_ray,
    share_from_variables,
)
from jaxstyle.options import Options

EXAMPLES = examples(
    "Every photograph in the style of every painting:",
    "jaxstyle batch --content photos --style paintings -o results",
    "Pairs and their settings from a table, with columns such as content, style and seed:",
    "jaxstyle batch pairs.csv -o results --size 1024",
    "The remaining pairs, and the memory and time that they take:",
    "jaxstyle batch --content 'photos/*.jpg' --style paintings -o results --dry-run",
    "On the second of three machines with a common folder:",
    "jaxstyle batch --content photos --style paintings -o results --shard 1/3",
)


@with_options
def batch_command(
    *,
    manifest: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST",
            help="Table of the pairs, instead of --content and --style: CSV or JSON lines with the columns content, "
            "style, output, and any options, such as seed.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the results and their records.")
    ],
    options: Options,
    content: Annotated[
        str | None,
        typer.Option("--content", metavar="DIR|GLOB", help="Content pictures: a folder, or a quoted pattern."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style", metavar="DIR|GLOB", help="Style pictures or saved styles: a folder, or a quoted pattern."
        ),
    ] = None,
    zipped: Annotated[
        bool,
        typer.Option(
            "--zip",
            help="Pair the first content with the first style and so on (2 before 10), instead of all with all.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace pictures in DIR that were not written by a job.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again the pairs that failed in an earlier run.")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first pair that fails.")] = False,
    until_stopped: Annotated[
        bool, typer.Option("--watch", help="Go on with pictures that arrive in the folders, or rows in the table.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print what is done, failed and left, the memory and time, and compute nothing."
        ),
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--contact-sheet", metavar="FILE", help="Also write one picture of all contents, styles and results."
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            min=1,
            metavar="N",
            help="Number of pairs computed together. More: faster on a GPU or TPU, and more memory.",
            show_default="what fits; 1 on CPU",
        ),
    ] = None,
    checkpoint_every: Annotated[
        float,
        typer.Option(
            "--checkpoint-every",
            min=0,
            metavar="SECONDS",
            help="Time between checkpoints of a pair, from which a stopped job resumes.",
        ),
    ] = 60,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            help="Compute only part I, from 0, of N equal parts, one for each machine. 0/1: the whole job. By default "
            "the part that Kubernetes, SLURM or a TPU gives this process.",
            show_default="its part, or all",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Compute on a Ray cluster, a worker for each GPU: HOST:PORT; auto, for that of this machine; or "
            "local to start one here.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a record of the job as JSON.")] = False,
) -> None:
    """Stylize many pairs of pictures, from folders or a table.

    A pair that fails is reported, and the others go on. However the job is stopped, the same command resumes it.
    """
    share = WHOLE if ray and not shard else _share(shard)
    if ray and share != WHOLE and not dry_run:
        raise ConfigError(f"--ray computes the whole job, but --shard is {share}; leave one of them out")
    may_be_empty = until_stopped and not dry_run
    find_tasks = partial(_tasks, manifest, content, style, output, options, zipped=zipped, may_be_empty=may_be_empty)

    def make_job(tasks: list[Task]) -> Job:
        check_output_folder(tasks, output, overwrite=overwrite, from_folders=manifest is None)
        _check_pictures(tasks, sheet, overwrite=overwrite or has_job(output))
        return Job(tasks, output, share, batch_size, retry_failed, fail_fast, checkpoint_every)

    state = PictureState.of(find_tasks())
    if dry_run:
        description = describe_job(make_job(state.tasks))
        print_warnings(*description["warnings"])
        typer.echo(json.dumps(description, indent=2) if as_json else format_description(description, state.tasks))
        return
    if ray:
        leave_gpus_alone()
    run = partial(run_job_on_ray, address=ray) if ray else run_job
    shown: set[str] = set()
    job = make_job(state.tasks) if state.tasks else None
    while True:
        if job is None:
            state, job = _wait_for_job(find_tasks, make_job, state)
        summary = run_with_progress(job, as_json=as_json, run=run, shown=shown)
        if sheet:
            results = [summary.results.get(pair) for pair in range(len(job.tasks))]
            write_image(sheet, draw_contact_sheet(job.tasks, results), overwrite=True)
        if as_json:
            typer.echo(json.dumps(summary_record(summary), indent=2))
        else:
            print_path(output)
        if not until_stopped or summary.untried:
            exit_unless_done(summary)
            return
        print_counts(summary)
        job = None


app = command_app("batch", batch_command, EXAMPLES)


def _wait_for_job(
    find_tasks: Callable[..., list[Task]], make_job: Callable[[list[Task]], Job], known: PictureState
) -> tuple[PictureState, Job]:
    """Wait for other pictures or rows, until they make a job that can run."""
    while True:
        print_note("waiting for pictures; Ctrl-C ends it")
        known = wait_for_change(partial(find_tasks, quiet=True), known, _print_error)
        try:
            return known, make_job(known.tasks)
        except (ConfigError, PictureError) as error:
            _print_error(str(error))


def _print_error(error: str) -> None:
    print_note(f"error: {error}")


def _share(shard: str | None) -> Share:
    """The share of `--shard`, or the one that a cluster gives this process, with a line that says so."""
    if shard is not None:
        return parse_share("--shard", shard)
    found = share_from_variables(os.environ)
    if found is None:
        return WHOLE
    print_note(f"share {found[0]} of the job, by {found[1]}; --shard 0/1 computes all")
    return found[0]


def _tasks(
    manifest: Path | None,
    content: str | None,
    style: str | None,
    output: Path,
    options: Options,
    *,
    zipped: bool,
    may_be_empty: bool,
    quiet: bool = False,
) -> list[Task]:
    if manifest:
        if content or style or zipped:
            raise ConfigError(
                f"there is {str(manifest)!r} besides --content, --style or --zip; expected a MANIFEST alone, "
                "or none (quote a pattern of files, or the shell makes several arguments of it)"
            )
        return read_manifest(manifest, options)
    if not content or not style:
        raise ConfigError("there are no pairs; expected --content and --style, or a MANIFEST")
    results = output if has_job(output) else None
    find = partial(find_pictures, results=results, may_be_empty=may_be_empty)
    contents, skipped_contents = find("--content", content)
    styles, skipped_styles = find("--style", style, styles=True)
    for folder, count in ((content, skipped_contents), (style, skipped_styles)):
        if count and not quiet:
            print_note(f"skipped {counted(count, 'file')} in {folder} whose suffix is not that of a picture")
    return pair_up(contents, styles, options, zipped=zipped)


def _check_pictures(tasks: list[Task], sheet: Path | None, *, overwrite: bool) -> None:
    """Check that the contact sheet can be written, and warn of styles and levels that do not fit the settings."""
    if sheet:
        check_output_is_no_input(sheet, [file for task in tasks for file in task.files])
        try:
            check_writable(sheet, overwrite=overwrite)
        except (ConfigError, PictureError) as error:
            raise ConfigError(f"--contact-sheet: {error}") from error
    uses = {(task.styles, task.settings.config) for task in tasks}
    print_warnings(*style_warnings(uses), *level_warnings({config for _, config in uses}))
