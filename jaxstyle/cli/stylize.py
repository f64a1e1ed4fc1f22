"""`jaxstyle stylize`: read and check everything, then run one stylization."""

import time
from pathlib import Path
from typing import Annotated

import typer

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
from jaxstyle.cli.prepare import prepare_run
from jaxstyle.cli.run import check_files, execute_and_print
from jaxstyle.files import read_masks, resolve_size
from jaxstyle.images import fit_shape, read_shape
from jaxstyle.options import STYLE, Options, check_print_shape, check_size, fit_paper, parse_paper

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
    masks = read_masks(content_mask, style_mask or [], content, styles)
    original = read_shape(content)
    sheet = parse_paper(paper) if paper else None
    if sheet:
        check_paper_alone(context, "size")
        options, warnings = fit_paper(options, sheet, *original)
        print_warnings(*warnings)
        check_print_shape(fit_shape(*original, check_size(options.size)), output)
    options = resolve_size(options, content, styles, regions=len(masks.content) if masks else 1)
    run = prepare_run(
        options.settings(),
        content,
        styles,
        output,
        masks=masks,
        mask_files=[*([content_mask] if content_mask else []), *(style_mask or [])],
        paper=sheet,
        proof=proof,
        overwrite=overwrite,
        save_every=save_every,
    )
    if dry_run:
        check_files(run)
        print_prediction(run.memory, as_json=as_json)
        return
    execute_and_print(run, f"{content.name} at ", started, as_json=as_json)


app = command_app("stylize", stylize_command, EXAMPLES)
