"""`jaxstyle stylize`: read and check everything, then run one stylization."""

import time
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.batch.pair import Pair
from jaxstyle.cli.options import AsJson, OutputPath, Overwrite, with_options
from jaxstyle.cli.run import Run, execute_and_print
from jaxstyle.images.reading import Picture, read_picture
from jaxstyle.jobs.environment import device
from jaxstyle.jobs.options import STYLE, Options
from jaxstyle.jobs.output import ResultWriter, result_record
from jaxstyle.jobs.reading import check_output_is_no_input, read_masks, read_network, read_on_background, read_styles


@with_options
def stylize_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="Content picture, such as a photograph.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="Style pictures, or saved styles (.safetensors).")
    ],
    output: OutputPath,
    options: Options,
    content_mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK",
            rich_help_panel=STYLE,
            help="Mask of CONTENT: a picture of flat colors, such as black and white. Each color takes its style from "
            "the same color in --style-mask.",
        ),
    ] = None,
    style_mask: Annotated[
        list[Path] | None,
        typer.Option(metavar="MASK", rich_help_panel=STYLE, help="Mask of STYLE; repeat it for several styles."),
    ] = None,
    overwrite: Overwrite = False,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="STEPS",
            help="Save snapshots such as OUT-0040.png. Steps count through all sizes; snapshots are possible after "
            "every 10th step of a size.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stylize CONTENT with STYLE. Ctrl-C writes the current picture."""
    started = time.perf_counter()
    settings = options.settings()
    initial, background = settings.initial_picture, settings.background
    masks = [*([content_mask] if content_mask else []), *(style_mask or [])]
    check_output_is_no_input(output, [content, *styles, *([initial] if initial else []), *masks])
    device_record = device()
    network = read_network(*settings.network_key)
    settings = settings.resolve(network)
    size = settings.config.size
    picture = read_picture(content, size=size)
    picture = picture if background is None else Picture(picture.over(background))
    style_inputs, saved = read_styles(styles, network, settings.config, background)
    initial_picture = read_on_background(initial, size, background) if initial else None
    record = result_record(content, styles, settings, network, saved_styles=saved, device=device_record)
    run = Run(
        pair=Pair(picture.rgb, tuple(style_inputs), settings.config, settings.seed, initial_picture),
        network=network,
        writer=ResultWriter(
            picture, record | ({"masks": [mask.name for mask in masks]} if masks else {}), overwrite=overwrite
        ),
        output=output,
        masks=read_masks(content_mask, style_mask or []),
        save_every=save_every,
    )
    execute_and_print(run, f"{content.name} at ", started, as_json=as_json)
