"""`jaxstyle stylize`: options and files in, everything checked, one job out."""

import time
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.inputs import check_replaces_none, read_masks, read_network, read_opaque, read_styles
from jaxstyle.cli.run import AsJson, Job, Overwrite, ResultFile, run_and_tell
from jaxstyle.cli.settings import STYLES, Options, about, with_options
from jaxstyle.cli.system import device
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
    output: ResultFile,
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
    overwrite: Overwrite = False,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="STEPS",
            help="Save OUT-0040.png and so on along the way. Steps count through all sizes; the run can be looked at "
            "after every 10th step of a size, and a snapshot that is due waits for that.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Paint CONTENT in the manner of STYLE. Ctrl-C writes the picture as it stands."""
    began = time.perf_counter()
    settings = options.settings()
    start, background = settings.start, settings.background
    masks = [*([content_mask] if content_mask else []), *(style_mask or [])]
    check_replaces_none(output, [content, *styles, *([start] if start else []), *masks])
    found = device()
    network = read_network(*settings.choice)
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
    run_and_tell(job, f"{content.name} at ", began, as_json=as_json)
