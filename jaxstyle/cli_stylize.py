"""`jaxstyle stylize`: options and files in, everything checked, one job out."""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from jaxstyle import weights
from jaxstyle.cli_options import NAMED_STARTS, numbers, starts, weighted, written
from jaxstyle.cli_run import Job, run
from jaxstyle.cli_system import device, device_name, versions
from jaxstyle.config import NORMALISATIONS, OPTIMIZERS, StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import Picture, read_picture
from jaxstyle.networks import POOLINGS, Network, check_layers
from jaxstyle.stylize import DEFAULTS

_DEFAULT_NETWORK = "vgg19"
_MATTERS, _STYLES, _SEARCH, _NETWORK = "What matters", "Style pictures", "Optimisation", "Network"


def _option(flag: str, panel: str | None, help_text: str, choices: Sequence[str] = (), **more: Any) -> Any:
    """An option in its group of --help, completed from its choices and showing them."""
    if choices:
        more = {"metavar": "|".join(choices), "autocompletion": lambda: list(choices)} | more
    return typer.Option(flag, help=help_text, rich_help_panel=panel, **more)


def stylize_command(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The picture to paint, such as a photograph.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE", help="The picture, or pictures, in whose manner to paint it.")
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
            show_default=_DEFAULT_NETWORK,
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
    _refuse_to_replace_inputs(output, [content, *styles, *([start] if start else [])])
    found = device()
    loaded = _load(network, weights_file, pooling, config)
    picture = read_picture(content, size=size)
    job = Job(
        content=picture if background is None else Picture(picture.over(background)),
        styles=[_opaque(style, round(size * style_scale), background) for style in styles],
        start=_opaque(start, size, background) if start else None,
        network=loaded,
        config=config,
        seed=seed,
        output=output,
        overwrite=overwrite,
        save_every=save_every,
        about={
            "content": content.name,
            "styles": [style.name for style in styles],
            "start": start.name if start else None,
            "settings": asdict(config) | {"seed": seed, "background": background},
            "network": {
                "name": weights_file.name if weights_file else network or _DEFAULT_NETWORK,
                "architecture": loaded.architecture,
                "pooling": pooling,
                "sha256": loaded.digest,
            },
            "device": found,
            "versions": versions(),
        },
    )
    if sys.stderr.isatty():
        height, width = job.content.rgb.shape[:2]
        typer.echo(f"{content.name} at {width} x {height} pixels, on {device_name(found)}", err=True)
    record = run(job, began)
    typer.echo(json.dumps(record, indent=2) if as_json else output)


def _load(name: str | None, file: Path | None, pooling: str, config: StyleConfig) -> Network:
    """The network that was asked for, which has every layer that was asked for."""
    if name and file:
        raise ConfigError("--network and --weights exclude each other; give one of them")
    if name and name not in weights.NAMES:
        raise ConfigError(f"--network is {name!r}; expected one of {', '.join(weights.NAMES)}, or --weights FILE")
    network = weights.load_network(file or name or _DEFAULT_NETWORK, pooling=pooling)
    check_layers(network.architecture, [layer for layer, _ in (*config.content_layers, *config.style_layers)])
    return network


def _opaque(file: Path, size: int, background: str | None) -> np.ndarray:
    return read_picture(file, size=max(size, 1)).over("white" if background is None else background)


def _refuse_to_replace_inputs(output: Path, inputs: Sequence[Path]) -> None:
    """Not even with --overwrite: the photograph may be the only copy."""
    output, *inputs = [file.expanduser() for file in (output, *inputs)]
    for file in inputs:
        if output.exists() and file.exists() and os.path.samefile(output, file):
            raise ConfigError(f"{output} is one of the pictures to read; choose another name for the result")
