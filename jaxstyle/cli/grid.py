"""`jaxstyle grid`: one pair under settings that vary in two directions, on one sheet, as a job that can be stopped."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Annotated, Any

import numpy as np
import typer

from jaxstyle.cli.inputs import check_replaces_none
from jaxstyle.cli.job.job import BatchJob, check_places, fail_unless_done, stoppable
from jaxstyle.cli.job.manifest import Task, check_styles, column_of, read_cell
from jaxstyle.cli.job.records import HIDDEN, read_records
from jaxstyle.cli.run import in_background
from jaxstyle.cli.settings import Options, with_options
from jaxstyle.cli.sheet import captioned, titled
from jaxstyle.cli.system import device
from jaxstyle.errors import ConfigError
from jaxstyle.images import check_writable, fit, read_image, resize, write_image

_LARGEST = 320  # pixels: of a picture on the sheet
_OPTIONS = tuple(field.name for field in fields(Options))
_EXAMPLE = "'init=content;noise'"
Axis = tuple[str, tuple[str, ...]]  # an option and its values as they are typed


@with_options
def grid_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The picture to paint.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="The pictures, or saved styles, in whose manner to paint it.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="SHEET", help="The sheet. The results go to the folder SHEET without its suffix."
        ),
    ],
    options: Options,
    columns: Annotated[
        str,
        typer.Option(
            "--columns", metavar="OPTION=VALUE;...", help=f"What varies from left to right, such as {_EXAMPLE}."
        ),
    ],
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="OPTION=VALUE;...", help="What varies from top to bottom.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace SHEET if no grid has made it.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a record: losses by step, distances between the results, failures.")
    ] = False,
) -> None:
    """Paint CONTENT many times, each with other settings, and show all on one SHEET.

    Options hold for all that do not vary. Stopped in any way, the same command goes on.
    """
    down, across = _axis("--rows", rows) if rows else None, _axis("--columns", columns)
    if down and down[0] == across[0]:
        raise ConfigError(f"--rows and --columns both vary {down[0]}; expected two options, or --columns alone")
    folder = output.with_suffix("")
    tasks = _tasks(content, tuple(styles), options, down, across)
    check_replaces_none(output, tasks[0].files)
    check_places(tasks, folder, overwrite=overwrite, from_folders=False)
    check_writable(output, overwrite=overwrite or (folder / HIDDEN).is_dir())
    job = BatchJob(tasks, folder, device(), histories=True)
    with stoppable(job):
        record = in_background(job)
        records = read_records(folder)
        made = {pair: read_image(folder / tasks[pair].output) for pair in sorted(job.done)}
        losses = {pair: records[str(tasks[pair].output)]["history"] for pair in made}
        cells = [
            captioned(_shrunk(made[pair]), f"loss {losses[pair]['total'][-1]:.3g}") if pair in made else None
            for pair in range(len(tasks))
        ]
        width = len(across[1])
        lines = [cells[first : first + width] for first in range(0, len(cells), width)]
        if made:
            write_image(output, titled(lines, _titles(down), _titles(across)), overwrite=True)
    if as_json:
        told = {
            "rows": down,
            "columns": across,
            "results": [{"output": str(tasks[pair].output), "losses": losses[pair]} for pair in made],
            "distances": _distances(list(made.values())),
        }
        typer.echo(json.dumps(told | record, indent=2))
    else:
        typer.echo(output)
    fail_unless_done(record)


def _axis(option: str, text: str) -> Axis:
    """What an option of this command says."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(f"{option} has {text!r}; expected OPTION=VALUE;VALUE;..., such as {_EXAMPLE}")
    return column_of(f"{option} has", name, _OPTIONS), tuple(value.strip() for value in values.split(";"))


def _tasks(content: Path, styles: tuple[Path, ...], options: Options, down: Axis | None, across: Axis) -> list[Task]:
    """The pairs, row by row; `2-3.png` is the third in the second row."""

    def varied(options: Options, flag: str, option: str, value: str) -> Options:
        return replace(options, **{option: read_cell(f"{flag}, {option}", option, value, Path())})

    lines = [varied(options, "--rows", down[0], value) for value in down[1]] if down else [options]
    tasks = []
    for row, line in enumerate(lines, 1):
        for column, value in enumerate(across[1], 1):
            settings = varied(line, "--columns", across[0], value).settings()
            check_styles(styles, settings.config)
            tasks.append(Task(content, styles, settings, PurePath(f"{row}-{column}.png")))
    return tasks


def _titles(axis: Axis | None) -> list[str]:
    return [f"{axis[0]}\n{value or '(none)'}" for value in axis[1]] if axis else []


def _shrunk(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return resize(picture, *fit(height, width, min(_LARGEST, max(height, width))))


def _distances(pictures: Sequence[np.ndarray]) -> list[list[Any]]:
    """The root mean square difference of every two pictures, at the size of the first."""
    alike = [resize(picture, *pictures[0].shape[:2]) for picture in pictures]
    return [[float(np.sqrt(np.mean((one - other) ** 2))) for other in alike] for one in alike]
