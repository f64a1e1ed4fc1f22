"""`jaxstyle texture`: make a texture from style pictures, with the optimization of `jaxstyle stylize`."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.options import (
    AsJson,
    OutputPath,
    Overwrite,
    PaperSize,
    PrinterProfile,
    SaveEvery,
    check_paper_alone,
    with_options,
)
from jaxstyle.cli.prepare import prepare_run
from jaxstyle.cli.run import execute_and_print
from jaxstyle.errors import ConfigError
from jaxstyle.files import resolve_size
from jaxstyle.options import MAX_SIZE, Options, Settings, check_print_shape, check_size, for_print, parse_paper
from jaxstyle.texture import texture_config

EXAMPLES = examples(
    "A square texture:",
    "jaxstyle texture painting.jpg -o out.png",
    "A wide one:",
    "jaxstyle texture painting.jpg -o out.png --width 1024 --height 256",
    "One that continues the rows of a brick wall:",
    "jaxstyle texture wall.jpg -o out.png --style-representation shifted",
)


@partial(
    with_options,
    without=(
        "strength",
        "strength_mask",
        "content_weight",
        "content_layers",
        "colors",
        "background",
        "regions",
        "profile",
    ),
    defaults=Options(init="pink"),
)
def texture_command(
    context: typer.Context,
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="Style pictures or saved styles (.safetensors), blended.")
    ],
    output: OutputPath,
    options: Options,
    width: Annotated[
        int | None,
        typer.Option(
            "--width", metavar="PIXELS", help="Width of the texture in pixels.", show_default="same as --size"
        ),
    ] = None,
    height: Annotated[
        int | None,
        typer.Option(
            "--height", metavar="PIXELS", help="Height of the texture in pixels.", show_default="same as --size"
        ),
    ] = None,
    paper: PaperSize = None,
    proof: PrinterProfile = None,
    overwrite: Overwrite = False,
    save_every: SaveEvery = None,
    as_json: AsJson = False,
) -> None:
    """Make a texture in the style of STYLE, without a content picture.

    Prints the path of the result. Ctrl-C stops and writes the current picture; the same command goes on from there.
    """
    started = time.perf_counter()
    sheet = parse_paper(paper) if paper else None
    if sheet:
        check_paper_alone(context, "size", "width", "height")
        options, dpi = for_print(options)
        height, width = sheet.shape(dpi)
        check_print_shape((height, width), output)
    if options.size == MAX_SIZE and (height or width):
        raise ConfigError(f"--size is {MAX_SIZE}, and there is --height or --width too; give numbers for both, or none")
    settings_of = partial(_texture_settings, height=height, width=width)
    options = resolve_size(options, (1, 1), styles, settings_of=lambda options: [settings_of(options)])
    run = prepare_run(
        settings_of(options),
        _texture_shape(options, height, width),
        styles,
        output,
        paper=sheet,
        proof=proof,
        overwrite=overwrite,
        save_every=save_every,
    )
    execute_and_print(run, "", started, as_json=as_json)


def _texture_settings(options: Options, height: int | None, width: int | None) -> Settings:
    settings = options.settings()
    if "content" in dict(settings.config.init):
        raise ConfigError("--init has 'content', but a texture has none; choose pink, noise, style or a picture")
    return replace(settings, config=texture_config(*_texture_shape(options, height, width), settings.config))


def _texture_shape(options: Options, height: int | None, width: int | None) -> tuple[int, int]:
    return height or check_size(options.size), width or check_size(options.size)


app = command_app("texture", texture_command, EXAMPLES)
