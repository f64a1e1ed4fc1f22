"""`jaxstyle stylize`: read and check everything, then run one stylization."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.batch import Pair
from jaxstyle.cli.dry_run import print_prediction
from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.messages import print_warnings
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
from jaxstyle.cli.run import Run, check_files, execute_and_print
from jaxstyle.environment import device
from jaxstyle.files import (
    ResultWriter,
    as_array,
    check_output_is_no_input,
    content_warnings,
    level_warnings,
    picture_shapes,
    read_content,
    read_initial_picture,
    read_masks,
    read_network,
    read_strength_mask,
    read_styles,
    resolve_size,
    result_record,
    style_warnings,
)
from jaxstyle.images import SRGB, fit_shape, read_printer_profile, read_shape
from jaxstyle.optimization import Workload, check_memory, measure_need
from jaxstyle.options import STYLE, Options, check_print_memory, check_print_shape, check_size, fit_paper, parse_paper

EXAMPLES = examples(
    "A photograph in the style of a painting:",
    "jaxstyle stylize photo.jpg painting.jpg -o out.png",
    "For print, with 16 bits and in the color profile of the photograph:",
    "jaxstyle stylize photo.jpg painting.jpg -o out.tiff --print 30x20cm --bits 16 --profile keep",
    "Shapes closer to the photograph, or larger strokes:",
    "jaxstyle stylize photo.jpg painting.jpg -o out.png --content-weight 0.3",
    "jaxstyle stylize photo.jpg painting.jpg -o out.png --style-scale 1.5",
    "In the colors of the photograph:",
    "jaxstyle stylize photo.jpg painting.jpg -o out.png --colors content",
    "A blend of two styles:",
    "jaxstyle stylize photo.jpg one.jpg two.jpg -o out.png --style-blend 0.7,0.3",
    "Sky in the style of the sky, ground in the style of the ground:",
    "jaxstyle stylize photo.jpg painting.jpg -o out.png --regions 2",
)


@with_options
def stylize_command(
    context: typer.Context,
    content: Annotated[
        Path, typer.Argument(metavar="CONTENT", help="Content: the picture to stylize, such as a photograph.")
    ],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="Style pictures or saved styles (.safetensors), blended.")
    ],
    output: OutputPath,
    options: Options,
    content_mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK",
            rich_help_panel=STYLE,
            help="Mask of CONTENT: a picture of the same proportions in flat colors, such as black and white. Each "
            "color takes its style from the same color in --style-mask.",
        ),
    ] = None,
    style_mask: Annotated[
        list[Path] | None,
        typer.Option(metavar="MASK", rich_help_panel=STYLE, help="Mask of STYLE. Repeat it for several styles."),
    ] = None,
    paper: PaperSize = None,
    proof: PrinterProfile = None,
    overwrite: Overwrite = False,
    save_every: SaveEvery = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the size, the memory and the time of the result, and stop.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stylize CONTENT with STYLE.

    Prints the path of the result. Ctrl-C stops and writes the current picture; the same command goes on from there.
    """
    started = time.perf_counter()
    regions = read_masks(content_mask, style_mask or [], content, styles)
    count = len(regions.content) if regions else 1
    original = read_shape(content)
    if paper:
        check_paper_alone(context, "size")
        options, warnings = fit_paper(options, parse_paper(paper), *original)
        print_warnings(*warnings)
        check_print_shape(fit_shape(*original, check_size(options.size)), output)
    options = resolve_size(options, content, styles, regions=count)
    settings = options.settings()
    initial, strength_mask, background = settings.initial_picture, settings.strength_mask, settings.background
    masks = [*([content_mask] if content_mask else []), *(style_mask or [])]
    check_output_is_no_input(output, [content, *styles, *settings.files, *masks, *([proof] if proof else [])])
    printer = read_printer_profile(proof) if proof else None
    device_record = device()
    network = read_network(*settings.network_key)
    settings = settings.resolve(network)
    size = settings.config.size
    shape, style_shapes = read_shape(content, size=size), picture_shapes(styles, settings.config)
    predicted = replace(settings.config, regions=max(count, settings.config.regions))
    need = measure_need([Workload(network, predicted, shape, style_shapes, may_tile=True)])
    memory = check_print_memory(need, settings.file.dpi) if paper and settings.file.dpi else check_memory(need)
    settings = settings.by_tiles(memory.workload.config.tile_size)
    picture = read_content(content, size, background, settings.file.profile)
    profile = picture.profile or SRGB
    style_inputs, saved = read_styles(
        styles, network, settings.config, background, crop=regions is None, profile=profile
    )
    initial_picture = read_initial_picture(initial, size, background, content, profile) if initial else None
    mask = read_strength_mask(strength_mask, size, content) if strength_mask else None
    print_warnings(*(regions.warnings if regions else ()), *style_warnings([(tuple(styles), settings.config)]))
    print_warnings(*content_warnings(content, original, size), *level_warnings([settings.config], shape))
    record = result_record(content, styles, settings, network, saved_styles=saved, device=device_record)
    run = Run(
        pair=Pair(as_array(picture), tuple(style_inputs), settings.config, settings.seed, initial_picture, mask),
        network=network,
        writer=ResultWriter(
            picture,
            record | ({"masks": [mask.name for mask in masks]} if masks else {}),
            settings.file,
            overwrite=overwrite,
        ),
        output=output,
        memory=memory,
        masks=regions,
        printer=printer,
        save_every=save_every,
    )
    if dry_run:
        check_files(run)
        print_prediction(memory, as_json=as_json)
        return
    execute_and_print(run, f"{content.name} at ", started, as_json=as_json)


app = command_app("stylize", stylize_command, EXAMPLES)
