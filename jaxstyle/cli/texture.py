"""`jaxstyle texture`: make a texture from style pictures, by the same run as a stylization."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.batch.pair import Pair
from jaxstyle.cli.options import AsJson, OutputPath, Overwrite, with_options
from jaxstyle.cli.run import Run, execute_and_print
from jaxstyle.images.reading import Picture
from jaxstyle.jobs.environment import device
from jaxstyle.jobs.options import Options
from jaxstyle.jobs.output import ResultWriter, result_record
from jaxstyle.jobs.reading import check_output_is_no_input, read_network, read_on_background, read_styles
from jaxstyle.texture import as_stylization


@partial(
    with_options,
    without=("content_weight", "content_layers", "background", "regions"),
    defaults=Options(init="pink"),
)
def texture_command(
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="Style pictures, or saved styles (.safetensors).")
    ],
    output: OutputPath,
    options: Options,
    width: Annotated[int | None, typer.Option("--width", help="Width in pixels.", show_default="as --size")] = None,
    height: Annotated[int | None, typer.Option("--height", help="Height in pixels.", show_default="as --size")] = None,
    overwrite: Overwrite = False,
    save_every: Annotated[
        int | None,
        typer.Option(min=1, metavar="STEPS", help="Save snapshots such as OUT-0040.png, as stylize does."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a texture that has the style of STYLE and no content. Ctrl-C writes the current picture."""
    started = time.perf_counter()
    settings = options.settings()
    initial, background = settings.initial_picture, settings.background
    height, width = height or options.size, width or options.size
    canvas, config = as_stylization(height, width, settings.config)
    check_output_is_no_input(output, [*styles, *([initial] if initial else [])])
    device_record = device()
    network = read_network(*settings.network_key)
    settings = replace(settings, config=config).resolve(network)
    config = settings.config
    style_inputs, saved = read_styles(styles, network, config, background)
    initial_picture = read_on_background(initial, config.size, background) if initial else None
    record = result_record(None, styles, settings, network, saved_styles=saved, device=device_record)
    run = Run(
        pair=Pair(canvas, tuple(style_inputs), config, settings.seed, initial_picture),
        network=network,
        writer=ResultWriter(Picture(canvas), record, overwrite=overwrite),
        output=output,
        save_every=save_every,
    )
    execute_and_print(run, "", started, as_json=as_json)
