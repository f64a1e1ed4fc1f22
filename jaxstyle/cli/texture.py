"""`jaxstyle texture`: styles in, a texture out, by the same job as a stylisation."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.inputs import check_replaces_none, read_network, read_opaque, read_styles
from jaxstyle.cli.run import AsJson, Job, Overwrite, ResultFile, run_and_tell
from jaxstyle.cli.settings import Options, about, with_options
from jaxstyle.cli.system import device
from jaxstyle.images import Picture
from jaxstyle.texture import as_stylisation


@partial(
    with_options,
    without=("content_weight", "content_layers", "background", "regions"),
    defaults=Options(init="pink"),
)
def texture_command(
    styles: Annotated[
        list[Path],
        typer.Argument(metavar="STYLE", help="The pictures, or saved styles (.safetensors), to make a texture of."),
    ],
    output: ResultFile,
    options: Options,
    width: Annotated[int | None, typer.Option("--width", help="Of the result.", show_default="as --size")] = None,
    height: Annotated[int | None, typer.Option("--height", help="Of the result.", show_default="as --size")] = None,
    overwrite: Overwrite = False,
    save_every: Annotated[
        int | None,
        typer.Option(min=1, metavar="STEPS", help="Save OUT-0040.png and so on along the way, as stylize does."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a texture of STYLE, from noise and without any content. Ctrl-C writes the picture as it stands."""
    began = time.perf_counter()
    settings = options.settings()
    height, width = height or options.size, width or options.size
    canvas, config = as_stylisation(height, width, settings.config)
    check_replaces_none(output, [*styles, *([settings.start] if settings.start else [])])
    found = device()
    network = read_network(*settings.choice)
    settings = replace(settings, config=config).of(network)
    read, saved = read_styles(styles, network, settings.config, settings.background)
    job = Job(
        content=Picture(canvas),
        styles=read,
        start=read_opaque(settings.start, settings.config.size, settings.background) if settings.start else None,
        network=network,
        config=settings.config,
        seed=settings.seed,
        output=output,
        overwrite=overwrite,
        save_every=save_every,
        about=about(None, styles, settings, network, saved=saved, device=found),
    )
    run_and_tell(job, "", began, as_json=as_json)
