"""`jaxstyle stylize`: options and files in, everything checked, one job out."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.inputs import check_replaces_none, read_masks, read_network, read_opaque, read_styles
from jaxstyle.cli.run import Job, run
from jaxstyle.cli.settings import STYLES, Options, about, with_options
from jaxstyle.cli.system import device, device_name
from jaxstyle.images import Picture, read_picture


@with_options
def stylize_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The picture to paint, such as a photograph.")],
    styles: Annotated[
        list[Path],
        typer.Argument(
            metavar="STYLE", help="The pictures, or saved styles (.safetensors), in whose manner to paint it."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The result: .png, .jpg, .webp, .tiff or .bmp.")
    ],
    options: Options,
    content_mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK",
            rich_help_panel=STYLES,
            help="A picture of flat colours, such as black and white: what has a colour in it is painted in the manner "
            "of what has that colour in the style's mask.",
        ),
    ] = None,
    style_mask: Annotated[
        list[Path] | None,
        typer.Option(metavar="MASK", rich_help_panel=STYLES, help="The same for STYLE; once for each of several."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="STEPS",
            help="Save OUT-0040.png and so on along the way. Steps count through all sizes; the run can be looked at "
            "after every 10th step of a size, and a snapshot that is due waits for that.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a record of the run: settings, versions, device, losses, seconds.")
    ] = False,
) -> None:
    """Paint CONTENT in the manner of STYLE. Ctrl-C writes the picture as it stands."""
    began = time.perf_counter()
    settings = options.settings()
    start, background = settings.start, settings.background
    masks = [*([content_mask] if content_mask else []), *(style_mask or [])]
    check_replaces_none(output, [content, *styles, *([start] if start else []), *masks])
    found = device()
    network = read_network(settings.network, settings.weights, settings.pooling)
    settings = settings.of(network)
    config = settings.config
    picture = read_picture(content, size=config.size)
    read, saved = read_styles(styles, network, config, background)
    job = Job(
        content=picture if background is None else Picture(picture.over(background)),
        styles=read,
        start=read_opaque(start, config.size, background) if start else None,
        network=network,
        config=config,
        seed=settings.seed,
        output=output,
        overwrite=overwrite,
        save_every=save_every,
        about=about(content, styles, settings, network, saved=saved, device=found)
        | ({"masks": [mask.name for mask in masks]} if masks else {}),
        masks=read_masks(content_mask, style_mask or []),
    )
    if sys.stderr.isatty():
        height, width = job.content.rgb.shape[:2]
        typer.echo(f"{content.name} at {width} x {height} pixels, on {device_name(found)}", err=True)
    record = run(job, began)
    typer.echo(json.dumps(record, indent=2) if as_json else output)
