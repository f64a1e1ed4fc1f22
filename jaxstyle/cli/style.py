"""`jaxstyle style`: save what is measured of style pictures, and say what a saved style is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import jaxstyle
from jaxstyle import weights
from jaxstyle.cli.options import NetworkName, Pooling, WeightsFile
from jaxstyle.config import DEFAULTS, PARTITIONS, REPRESENTATIONS, StyleConfig, Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images.files import escape_unprintable
from jaxstyle.images.writing import check_writable
from jaxstyle.jobs.environment import device
from jaxstyle.jobs.parsing import parse_layers, parse_numbers
from jaxstyle.jobs.reading import check_output_is_no_input, network_record, read_network, read_styles
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.networks.network import Network
from jaxstyle.optimization.pyramid import style_sizes
from jaxstyle.styles.files import read_style_file, save_style
from jaxstyle.styles.measured import Style
from jaxstyle.stylize import measure_style

style_app = typer.Typer(name="style", help="Saved styles: make them, and see what they are.", no_args_is_help=True)


@style_app.command()
def save(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="The style pictures, or styles saved before; blended.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NAME", help="The saved style: NAME.safetensors.")],
    size: Annotated[
        int, typer.Option(help="Longest side of the results to come; the halves of it serve as well.")
    ] = DEFAULTS.size,
    style_scale: Annotated[
        float, typer.Option(help="Size of PICTURE relative to the result; above 1, strokes are larger.")
    ] = DEFAULTS.style_scale,
    style_layers: Annotated[
        str, typer.Option(help=f"Layers to keep: NAME, ..., or one of {', '.join(PARTITIONS)}.")
    ] = "default",
    style_representation: Annotated[
        str,
        typer.Option(
            metavar="|".join(REPRESENTATIONS),
            help="What of PICTURE is its style.",
            autocompletion=lambda: list(REPRESENTATIONS),
        ),
    ] = DEFAULTS.style_representation,
    style_blend: Annotated[
        str, typer.Option(help="Share of each PICTURE, such as 0.7,0.3.", show_default="equal shares")
    ] = "",
    background: Annotated[
        str | None,
        typer.Option(metavar="COLOR", help="Lay transparent pictures on this color.", show_default="white"),
    ] = None,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace NAME if it exists.")] = False,
) -> None:
    """Measure PICTURE, or a blend of several, for use in place of a STYLE with the same network."""
    config = StyleConfig(
        size=size,
        style_scale=style_scale,
        style_layers=_layers(style_layers),
        style_representation=style_representation,
        style_blend=parse_numbers("--style-blend", style_blend),
    )
    check_output_is_no_input(output, pictures)
    check_writable(output, overwrite=overwrite)
    device()
    loaded = read_network(network, weights_file, pooling)
    config = resolve_layers(config, loaded.architecture)
    styles, saved = read_styles(pictures, loaded, config, background)
    about = {
        "pictures": [picture.name for picture in pictures],
        "saved_styles": saved,
        "style_blend": config.style_blend,
        "style_scale": style_scale,
        "background": background,
        "network": network_record(loaded, network, weights_file)["name"],
        "jaxstyle": jaxstyle.__version__,
    }
    save_style(output, _measure(pictures, styles, loaded, config), overwrite=overwrite, about=about)
    typer.echo(output)


@style_app.command()
def show(file: Annotated[Path, typer.Argument(metavar="NAME", help="A saved style.")]) -> None:
    """Say what a saved style is: pictures, sizes, layers and network."""
    found = read_style_file(file)
    for name, value in _description(found.style, found.about).items():
        typer.echo(f"{name:<10}{escape_unprintable(value)}")


def _layers(text: str) -> Weighted | str:
    found = parse_layers("--style-layers", text)
    if not isinstance(found, str) and any(weight != 1 for _, weight in found):
        raise ConfigError(f"--style-layers has {text!r}; expected names alone: weights are for jaxstyle stylize")
    return found


def _measure(
    files: Sequence[Path], styles: Sequence[np.ndarray | Style], network: Network, config: StyleConfig
) -> Style:
    """The styles, blended, at every size of a run with these settings."""
    sizes = [round(size) for size in style_sizes(config)]
    for file, style in zip(files, styles, strict=True):
        if isinstance(style, Style) and not set(sizes) <= set(style.sizes):
            found, expected = (", ".join(map(str, some)) for some in (style.sizes, sizes))
            raise ConfigError(f"{file} was measured at {found} px; expected {expected} px: choose another --size")
    return measure_style(styles, network=network, config=config)


def _description(style: Style, about: dict[str, Any]) -> dict[str, str]:
    """What is known of a style, in the words of `show`; its file says what it likes about itself."""
    known = {digest: name for name, digest in weights.EMBEDDED.items()}
    pictures = about.get("pictures")
    return {
        "pictures": ", ".join(map(str, pictures)) if isinstance(pictures, list) else "not told",
        "shares": ", ".join(map(str, about.get("style_blend") or [])) or "equal",
        "sizes": f"{', '.join(map(str, style.sizes))} px",
        "layers": ", ".join(style.layers) or "none",
        "measured": style.representation,
        "network": f"{style.architecture}, {style.pooling} pooling",
        "weights": f"{known.get(style.digest, 'not embedded ones')}; SHA-256 {style.digest}",
    }
