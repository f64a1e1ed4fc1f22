"""`jaxstyle stylize`: options and files in, everything checked, one job out."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxstyle import weights
from jaxstyle.cli_inputs import (
    DEFAULT_NETWORK,
    check_replaces_none,
    network_record,
    read_network,
    read_opaque,
    read_styles,
)
from jaxstyle.cli_options import NAMED_STARTS, numbers, starts, weighted, written
from jaxstyle.cli_run import Job, run
from jaxstyle.cli_system import device, device_name, versions
from jaxstyle.config import NORMALISATIONS, OPTIMIZERS, StyleConfig
from jaxstyle.images import Picture, read_picture
from jaxstyle.networks import POOLINGS
from jaxstyle.stylize import DEFAULTS

_MATTERS, _STYLES, _SEARCH, _NETWORK = "What matters", "Style pictures", "Optimisation", "Network"


def _option(flag: str, panel: str | None, help_text: str, choices: Sequence[str] = (), **more: Any) -> Any:
    """An option in its group of --help, completed from its choices and showing them."""
    if choices:
        more = {"metavar": "|".join(choices), "autocompletion": lambda: list(choices)} | more
    return typer.Option(flag, help=help_text, rich_help_panel=panel, **more)


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
    size: Annotated[int, typer.Option(help="Longest side of the result in pixels.")] = DEFAULTS.size,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR",
            help="Lay transparent pictures on this colour. Without it, the content's transparency is put back on the "
            "result, which then has to be .png, .webp or .tiff.",
        ),
    ] = None,
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
    content_weight: Annotated[
        float, _option("--content-weight", _MATTERS, "Weight of the content.")
    ] = DEFAULTS.content_weight,
    style_weight: Annotated[float, _option("--style-weight", _MATTERS, "Weight of the style.")] = DEFAULTS.style_weight,
    colour_weight: Annotated[
        float, _option("--colour-weight", _MATTERS, "Weight of the style's colours.")
    ] = DEFAULTS.colour_weight,
    tv_weight: Annotated[
        float, _option("--tv-weight", _MATTERS, "Weight of smoothness, as total variation.")
    ] = DEFAULTS.tv_weight,
    content_layers: Annotated[
        str, _option("--content-layers", _MATTERS, "Layers to compare with the content: NAME or NAME=WEIGHT, ...")
    ] = written(DEFAULTS.content_layers),
    style_layers: Annotated[
        str, _option("--style-layers", _MATTERS, "Layers to compare with the style: NAME or NAME=WEIGHT, ...")
    ] = written(DEFAULTS.style_layers),
    normalisation: Annotated[
        str,
        _option("--normalisation", _MATTERS, "Losses relative to their targets, or as Gatys et al.", NORMALISATIONS),
    ] = DEFAULTS.normalisation,
    style_blend: Annotated[
        str, _option("--style-blend", _STYLES, "Share of each STYLE, such as 0.7,0.3.", show_default="equal shares")
    ] = "",
    style_scale: Annotated[
        float, _option("--style-scale", _STYLES, "Size of STYLE relative to the result; above 1, strokes are larger.")
    ] = DEFAULTS.style_scale,
    init: Annotated[
        str,
        _option(
            "--init",
            _SEARCH,
            "Where to start: content, noise, style, a picture file, or content=0.7,noise=0.3.",
            NAMED_STARTS,
            metavar="START",
        ),
    ] = written(DEFAULTS.init),
    steps: Annotated[
        int, _option("--steps", _SEARCH, "Steps at full size; smaller sizes on the way take half as many more.")
    ] = DEFAULTS.steps,
    optimizer: Annotated[str, _option("--optimizer", _SEARCH, "How to step.", OPTIMIZERS)] = DEFAULTS.optimizer,
    seed: Annotated[int, _option("--seed", _SEARCH, "Seed of the noise.", min=0)] = 0,
    network: Annotated[
        str | None,
        _option(
            "--network",
            _NETWORK,
            f"{', '.join(weights.NAMES)}.",
            weights.NAMES,
            metavar="NAME",
            show_default=DEFAULT_NETWORK,
        ),
    ] = None,
    weights_file: Annotated[
        Path | None, _option("--weights", _NETWORK, "Your own network, made by `jaxstyle weights convert`.")
    ] = None,
    pooling: Annotated[str, _option("--pooling", _NETWORK, "Average pooling is smoother.", POOLINGS)] = "max",
) -> None:
    """Paint CONTENT in the manner of STYLE. Ctrl-C writes the picture as it stands."""
    began = time.perf_counter()
    shares, start = starts("--init", init)
    config = StyleConfig(
        size=size,
        content_layers=weighted("--content-layers", content_layers),
        style_layers=weighted("--style-layers", style_layers),
        content_weight=content_weight,
        style_weight=style_weight,
        colour_weight=colour_weight,
        tv_weight=tv_weight,
        style_blend=numbers("--style-blend", style_blend),
        style_scale=style_scale,
        normalisation=normalisation,
        init=shares,
        optimizer=optimizer,
        steps=steps,
    )
    check_replaces_none(output, [content, *styles, *([start] if start else [])])
    found = device()
    loaded = read_network(network, weights_file, pooling, config)
    picture = read_picture(content, size=size)
    read, saved = read_styles(styles, loaded, config, background)
    job = Job(
        content=picture if background is None else Picture(picture.over(background)),
        styles=read,
        start=read_opaque(start, size, background) if start else None,
        network=loaded,
        config=config,
        seed=seed,
        output=output,
        overwrite=overwrite,
        save_every=save_every,
        about={
            "content": content.name,
            "styles": [style.name for style in styles],
            "saved_styles": saved,
            "start": start.name if start else None,
            "settings": asdict(config) | {"seed": seed, "background": background},
            "network": network_record(loaded, network, weights_file),
            "device": found,
            "versions": versions(),
        },
    )
    if sys.stderr.isatty():
        height, width = job.content.rgb.shape[:2]
        typer.echo(f"{content.name} at {width} x {height} pixels, on {device_name(found)}", err=True)
    record = run(job, began)
    typer.echo(json.dumps(record, indent=2) if as_json else output)
