"""`jaxstyle grid`: one pair under settings that vary in two directions, on one sheet, in a job that can be resumed."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Annotated, Any

import numpy as np
import typer

from jaxstyle.cli.batch_progress import BatchProgress
from jaxstyle.cli.job import exit_on_interrupt, exit_unless_done, run_shown, summary_record
from jaxstyle.cli.options import with_options
from jaxstyle.errors import ConfigError
from jaxstyle.images.reading import read_image
from jaxstyle.images.resizing import fit_shape, resize
from jaxstyle.images.sheet import add_caption, add_titles
from jaxstyle.images.writing import check_writable, write_image
from jaxstyle.jobs.job import Job, check_output_folder
from jaxstyle.jobs.manifest import Task, check_styles, match_column, parse_cell
from jaxstyle.jobs.options import Options
from jaxstyle.jobs.reading import check_output_is_no_input
from jaxstyle.jobs.records import STATE_FOLDER, read_records

_MAX_CELL = 320  # longest side of a picture on the sheet in pixels
_OPTIONS = tuple(field.name for field in fields(Options))
_EXAMPLE = "'init=content;noise'"
Axis = tuple[str, tuple[str, ...]]  # an option and its values as they are typed


@with_options
def grid_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="Content picture.")],
    styles: Annotated[list[Path], typer.Argument(metavar="STYLE", help="Style pictures or saved styles.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="SHEET", help="Sheet of all results, which go to a folder of the same name."
        ),
    ],
    columns: Annotated[
        str,
        typer.Option(
            "--columns", metavar="OPTION=VALUE;...", help=f"Option that varies by column, such as {_EXAMPLE}."
        ),
    ],
    options: Options,
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="OPTION=VALUE;...", help="Option that varies by row.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace SHEET if no grid has written it.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a record: losses by step, distances between the results, failures.")
    ] = False,
) -> None:
    """Stylize CONTENT several times with different settings, and show all results on one SHEET.

    Other options hold for all results. If it is stopped in any way, the same command resumes it.
    """
    row_axis, column_axis = _axis("--rows", rows) if rows else None, _axis("--columns", columns)
    if row_axis and row_axis[0] == column_axis[0]:
        raise ConfigError(f"--rows and --columns both vary {row_axis[0]}; expected two options, or --columns alone")
    folder = output.with_suffix("")
    tasks = _tasks(content, tuple(styles), options, row_axis, column_axis)
    check_output_is_no_input(output, tasks[0].files)
    check_output_folder(tasks, folder, overwrite=overwrite, from_folders=False)
    check_writable(output, overwrite=overwrite or (folder / STATE_FOLDER).is_dir())
    progress = BatchProgress()
    with exit_on_interrupt(progress):
        summary = run_shown(Job(tasks, folder, record_losses=True), progress)
        records = read_records(folder)
        pictures = {pair: read_image(path) for pair, path in summary.results.items()}
        losses = {pair: records[str(tasks[pair].output)]["history"] for pair in pictures}
        cells = [
            add_caption(_thumbnail(pictures[pair]), f"loss {losses[pair]['total'][-1]:.3g}")
            if pair in pictures
            else None
            for pair in range(len(tasks))
        ]
        width = len(column_axis[1])
        lines = [cells[first : first + width] for first in range(0, len(cells), width)]
        if pictures:
            write_image(output, add_titles(lines, _titles(row_axis), _titles(column_axis)), overwrite=True)
    if as_json:
        record = {
            "rows": row_axis,
            "columns": column_axis,
            "results": [{"output": str(tasks[pair].output), "losses": losses[pair]} for pair in pictures],
            "distances": _distances(list(pictures.values())),
        }
        typer.echo(json.dumps(record | summary_record(summary), indent=2))
    else:
        typer.echo(output)
    exit_unless_done(summary)


def _axis(option: str, text: str) -> Axis:
    """Parse `OPTION=VALUE;VALUE;...`."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(f"{option} has {text!r}; expected OPTION=VALUE;VALUE;..., such as {_EXAMPLE}")
    return match_column(f"{option} has", name, _OPTIONS), tuple(value.strip() for value in values.split(";"))


def _tasks(
    content: Path, styles: tuple[Path, ...], options: Options, row_axis: Axis | None, column_axis: Axis
) -> list[Task]:
    """The pairs, row by row; `2-3.png` is the third in the second row."""

    def vary(options: Options, flag: str, option: str, value: str) -> Options:
        return replace(options, **{option: parse_cell(f"{flag}, {option}", option, value, Path())})

    rows = [vary(options, "--rows", row_axis[0], value) for value in row_axis[1]] if row_axis else [options]
    tasks = []
    for row, row_options in enumerate(rows, 1):
        for column, value in enumerate(column_axis[1], 1):
            settings = vary(row_options, "--columns", column_axis[0], value).settings()
            check_styles(styles, settings.config)
            tasks.append(Task(content, styles, settings, PurePath(f"{row}-{column}.png")))
    return tasks


def _titles(axis: Axis | None) -> list[str]:
    return [f"{axis[0]}\n{value or '(none)'}" for value in axis[1]] if axis else []


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return resize(picture, *fit_shape(height, width, min(_MAX_CELL, max(height, width))))


def _distances(pictures: Sequence[np.ndarray]) -> list[list[Any]]:
    """The root mean square difference of every two pictures, at the size of the first."""
    resized = [resize(picture, *pictures[0].shape[:2]) for picture in pictures]
    return [[float(np.sqrt(np.mean((one - other) ** 2))) for other in resized] for one in resized]
