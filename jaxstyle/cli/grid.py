"""`jaxstyle grid`: one pair with settings that vary in two directions, on one sheet, in a job that can be resumed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.job import exit_unless_done, run_with_progress, summary_record
from jaxstyle.cli.messages import print_path, print_warnings
from jaxstyle.cli.options import with_options
from jaxstyle.files import check_output_is_no_input, level_warnings, resolve_size, style_warnings
from jaxstyle.images import check_writable, read_image, read_shape, write_image
from jaxstyle.jobs import (
    AXIS_EXAMPLE,
    Job,
    check_output_folder,
    draw_grid,
    grid_tasks,
    has_job,
    parse_axis,
    picture_distances,
    read_records,
)
from jaxstyle.options import Options, Settings

EXAMPLES = examples(
    "Shapes closer to the content from left to right:",
    "jaxstyle grid photo.jpg art.jpg -o out.png --columns 'content-weight=0.03;0.3'",
    "Small and large strokes, with and without the style's colors:",
    "jaxstyle grid photo.jpg art.jpg -o out.png --rows 'color-weight=1;0' --columns 'style-scale=1;2'",
)


@with_options
def grid_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="Content: the picture to stylize.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="Style pictures or saved styles (.safetensors), blended.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="SHEET",
            help="Picture of all results to write. The results themselves go to a folder of the same name.",
        ),
    ],
    options: Options,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="OPTION=VALUES",
            help=f"Option that varies from column to column, and its values, such as {AXIS_EXAMPLE}.",
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="OPTION=VALUES", help="Option that varies from row to row, and its values."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace SHEET if it was not written by this command.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a record as JSON: losses by step, distances between the results, failures."),
    ] = False,
) -> None:
    """Stylize CONTENT with several settings, and show the results side by side.

    All other options apply to all results. However the command is stopped, the same command resumes it.
    """
    row_axis = parse_axis("--rows", rows, options) if rows else None
    column_axis = parse_axis("--columns", columns, options) if columns else None
    folder = output.with_suffix("")

    def settings_of(options: Options) -> list[Settings]:
        return [task.settings for task in grid_tasks(content, tuple(styles), options, row_axis, column_axis)]

    options = resolve_size(options, content, styles, settings_of=settings_of)
    tasks = grid_tasks(content, tuple(styles), options, row_axis, column_axis)
    check_output_is_no_input(output, tasks[0].files)
    check_output_folder(tasks, folder, overwrite=overwrite, from_folders=False)
    check_writable(output, overwrite=overwrite or has_job(folder))
    configs = [task.settings.config for task in tasks]
    print_warnings(
        *style_warnings((task.styles, task.settings.config) for task in tasks),
        *level_warnings(configs, read_shape(content)),
    )
    summary = run_with_progress(Job(tasks, folder, record_losses=True), as_json=as_json)
    records = read_records(folder)
    pictures = {pair: read_image(path) for pair, path in summary.results.items()}
    losses = {pair: records[str(tasks[pair].output)]["history"] for pair in pictures}
    if pictures:
        final_losses = {pair: history["total"][-1] for pair, history in losses.items()}
        write_image(output, draw_grid(pictures, final_losses, row_axis, column_axis), overwrite=True)
    if as_json:
        record = {
            "rows": [row_axis.option, row_axis.values] if row_axis else None,
            "columns": [column_axis.option, column_axis.values] if column_axis else None,
            "results": [{"output": str(tasks[pair].output), "losses": losses[pair]} for pair in pictures],
            "distances": picture_distances(list(pictures.values())),
        }
        typer.echo(json.dumps(record | summary_record(summary), indent=2))
    elif pictures:
        print_path(output)
    exit_unless_done(summary)


app = command_app("grid", grid_command, EXAMPLES)
