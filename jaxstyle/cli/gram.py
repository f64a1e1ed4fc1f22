"""`jaxstyle gram`: describe the Gram matrices of a picture, maximize single entries, and sample new matrices."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import jaxstyle
from jaxstyle.cli import maximize
from jaxstyle.cli.help import HelpCommand, HelpGroup, examples
from jaxstyle.cli.messages import print_path
from jaxstyle.cli.options import NetworkName, Overwrite, Pooling, WeightsFile
from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.environment import device
from jaxstyle.errors import ConfigError
from jaxstyle.files import check_output_is_no_input, is_saved_style, read_network, read_on_background
from jaxstyle.images import check_writable, write_image
from jaxstyle.laboratory import (
    SAMPLERS,
    draw_grams,
    measure_grams,
    sample_style,
    summarize_gram,
)
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.styles import Style, check_style_writable, read_style_file, save_style
from jaxstyle.stylize import measure_style

app = typer.Typer(
    name="gram",
    cls=HelpGroup,
    add_completion=False,
    help="Explore Gram matrices: describe them, maximize an entry, sample new ones.",
    epilog=examples(
        "Describe and draw the Gram matrices of a painting:",
        "jaxstyle gram show painting.jpg -o sheet.png",
        "The help of one of the commands:",
        "jaxstyle gram show --help",
    ),
)

app.command("maximize", cls=HelpCommand, epilog=maximize.EXAMPLES)(maximize.maximize_command)


@app.command(
    "show",
    cls=HelpCommand,
    epilog=examples(
        "A table of numbers for the style layers:",
        "jaxstyle gram show painting.jpg",
        "Numbers and drawings for two layers:",
        "jaxstyle gram show painting.jpg -o sheet.png --layer relu1_1 --layer relu5_1",
    ),
)
def show_command(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="Picture, or saved style (.safetensors).")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Also draw a sheet. For each layer it has heat maps of the matrix, in the order of the channels and "
            "by energy, its eigenvalues, and a histogram of its entries, on logarithmic scales.",
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--size", metavar="PIXELS", help="Longest side at which PICTURE is read. Larger: more fine texture."
        ),
    ] = maximize.COMPARED_SIZE,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer", metavar="LAYER", help="Layer to describe. Repeat it for several.", show_default="style layers"
        ),
    ] = None,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
    as_json: maximize.AsJson = False,
) -> None:
    """Describe and draw the Gram matrices of a picture.

    Prints for each layer the mean entry, the share of entries near 0, the share of inactive channels, the effective
    rank, and the share of the first eigenvalue.
    """
    if output:
        check_output_is_no_input(output, [picture])
        check_writable(output, overwrite=overwrite)
    device()
    if is_saved_style(picture):
        _check_defaults(picture, size == maximize.COMPARED_SIZE, network, weights_file, pooling)
        style = _read_grams(picture)
        layers, measured = tuple(layer or style.layers), style.statistics[-1].measured
        if missing := [name for name in layers if name not in measured]:
            found = f"{picture} was not measured in {', '.join(missing)}"
            raise ConfigError(
                f"{found}, only in {', '.join(measured)}; choose one of these, or measure the style again"
            )
        grams = {name: np.asarray(measured[name], np.float64) for name in layers}
    else:
        loaded = read_network(network, weights_file, pooling)
        layers = tuple(layer or ARCHITECTURES[loaded.architecture].style_layers)
        grams = measure_grams(loaded, read_on_background(picture, size, None), layers)
    numbers = {name: asdict(summarize_gram(gram)) for name, gram in grams.items()}
    if output:
        write_image(output, draw_grams(grams), overwrite=overwrite)
    typer.echo(json.dumps(numbers, indent=2) if as_json else _table(numbers))


@app.command(
    "sample",
    cls=HelpCommand,
    epilog=examples(
        "A style like a painting's, and a texture of it:",
        "jaxstyle gram sample painting.jpg -o sampled.safetensors --seed 1",
        "jaxstyle texture sampled.safetensors -o texture.png",
    ),
)
def sample_command(
    style: Annotated[Path, typer.Argument(metavar="STYLE", help="Style to vary: a picture or a saved style.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Saved style to write: OUT.safetensors.")
    ],
    size: Annotated[
        int,
        typer.Option(
            "--size",
            metavar="PIXELS",
            help="Longest side of the pictures to make with the new style, if STYLE is a picture.",
        ),
    ] = DEFAULTS.size,
    sampler: Annotated[
        str,
        typer.Option(
            "--sampler",
            metavar="NAME",
            help="How to sample. permuted: with permuted channels; shuffled: with shuffled entries; spectral: with new "
            "eigenvectors.",
            autocompletion=lambda: list(SAMPLERS),
        ),
    ] = "permuted",
    strength: Annotated[
        float, typer.Option("--strength", metavar="SHARE", help="Mixture, from 0, STYLE itself, to 1, the sample.")
    ] = 1.0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Seed of the sample. Another seed: another style.")
    ] = 0,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
) -> None:
    """Sample new Gram matrices that resemble those of STYLE, and save them as a style.

    The new style has the colors of STYLE. Use it with `jaxstyle texture` and `jaxstyle stylize`.
    """
    check_output_is_no_input(output, [style])
    check_style_writable(output, overwrite=overwrite)
    device()
    if is_saved_style(style):
        _check_defaults(style, size == DEFAULTS.size, network, weights_file, pooling)
        measured = _read_grams(style)
    else:
        loaded = read_network(network, weights_file, pooling)
        measured = measure_style(read_on_background(style, size, None), network=loaded, config=StyleConfig(size=size))
    about = {
        "pictures": [style.name],
        "sampler": sampler,
        "strength": strength,
        "seed": seed,
        "jaxstyle": jaxstyle.__version__,
    }
    sampled = sample_style(measured, sampler, strength=strength, seed=seed)
    save_style(output, sampled, overwrite=overwrite, about=about)
    print_path(output)


def _table(numbers: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(numbers.values())))
    lines = [f"{'layer':<12}" + "".join(f"{name:>16}" for name in names)]
    for layer, values in numbers.items():
        lines.append(f"{layer:<12}" + "".join(f"{values[name]:>16.4g}" for name in names))
    return "\n".join(lines)


def _check_defaults(
    file: Path, has_default_size: bool, network: str | None, weights_file: Path | None, pooling: str
) -> None:
    """Raise ConfigError for options that have no effect on a saved style."""
    given = {
        "--size": not has_default_size,
        "--network": network,
        "--weights": weights_file,
        "--pooling": pooling != "max",
    }
    if unused := [option for option, value in given.items() if value]:
        raise ConfigError(f"{file} is a saved style, to which {' and '.join(unused)} cannot apply; leave them out")


def _read_grams(file: Path) -> Style:
    """Read a saved style that has Gram matrices; ConfigError if it has other statistics."""
    style = read_style_file(file).style
    if not style.has_grams:
        raise ConfigError(f"{file} has other statistics than one Gram matrix a layer; save it as gram")
    return style
