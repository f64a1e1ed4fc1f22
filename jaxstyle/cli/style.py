"""`jaxstyle style`: measure style pictures and save their statistics, and describe saved styles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import jaxstyle
from jaxstyle import weights
from jaxstyle.cli.help import HelpCommand, HelpGroup, examples
from jaxstyle.cli.messages import print_path, print_warnings
from jaxstyle.cli.options import NetworkName, Overwrite, Pooling, WeightsFile, typer_option
from jaxstyle.config import DEFAULTS, PARTITIONS, StyleConfig, Weighted
from jaxstyle.environment import device
from jaxstyle.errors import ConfigError, escape_unprintable
from jaxstyle.files import check_output_is_no_input, network_record, read_network, read_styles, style_warnings
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import style_sizes
from jaxstyle.options import parse_layers, parse_numbers, parse_scales
from jaxstyle.styles import Style, check_style_writable, read_style_file, save_style
from jaxstyle.stylize import measure_style

app = typer.Typer(
    name="style",
    cls=HelpGroup,
    add_completion=False,
    help="Save styles, and describe saved ones.",
    epilog=examples(
        "Measure a painting once, and use it for many photographs:",
        "jaxstyle style save painting.jpg -o painting.safetensors",
        "jaxstyle stylize photo.jpg painting.safetensors -o out.png",
    ),
)


@app.command(
    "save",
    cls=HelpCommand,
    epilog=examples(
        "A style for results of 1024 pixels:",
        "jaxstyle style save painting.jpg -o swirls.safetensors --size 1024",
        "A blend of two paintings:",
        "jaxstyle style save one.jpg two.jpg -o blend.safetensors --style-blend 0.7,0.3",
    ),
)
def save_command(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Style pictures or saved styles (.safetensors), blended.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Saved style to write: OUT.safetensors.")
    ],
    size: Annotated[
        int,
        typer.Option(
            "--size",
            metavar="PIXELS",
            help="Longest side in pixels of the results to make with it. Other sizes work if the file has measurements "
            "near all of their sizes, coarse to fine; `jaxstyle style show` prints them.",
        ),
    ] = DEFAULTS.size,
    style_scale: Annotated[str, typer_option("style_scale", grouped=False)] = "1",
    rotate_style: Annotated[float, typer_option("rotate_style", grouped=False)] = DEFAULTS.rotate_style,
    style_blend: Annotated[str, typer_option("style_blend", grouped=False)] = "",
    style_representation: Annotated[
        str, typer_option("style_representation", grouped=False)
    ] = DEFAULTS.style_representation,
    style_layers: Annotated[
        str,
        typer.Option(
            "--style-layers",
            metavar="LAYERS",
            help=f"Layers to measure: names, comma-separated, or one of {', '.join(PARTITIONS)}. More layers: a larger "
            "file that fits more settings.",
            show_default="the usual ones",
        ),
    ] = "default",
    background: Annotated[
        str | None,
        typer.Option("--background", metavar="COLOR", help="Color under transparent pictures.", show_default="white"),
    ] = None,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
) -> None:
    """Measure the style of a picture, or a blend of several, and save it.

    Use the file as a STYLE, with the same network and size.
    """
    config = StyleConfig(
        size=size,
        style_scale=parse_scales("--style-scale", style_scale),
        rotate_style=rotate_style,
        style_layers=_parse_names(style_layers),
        style_representation=style_representation,
        style_blend=parse_numbers("--style-blend", style_blend),
    )
    check_output_is_no_input(output, pictures)
    check_style_writable(output, overwrite=overwrite)
    device()
    loaded = read_network(network, weights_file, pooling)
    config = resolve_layers(config, loaded.architecture)
    styles, saved = read_styles(pictures, loaded, config, background)
    style = _measure(pictures, styles, loaded, config)
    print_warnings(*style_warnings([(tuple(pictures), config)]))
    about = {
        "pictures": [picture.name for picture in pictures],
        "saved_styles": saved,
        "style_blend": config.style_blend,
        "style_scale": config.style_scale,
        "rotate_style": rotate_style,
        "background": background,
        "network": network_record(loaded, network, weights_file)["name"],
        "jaxstyle": jaxstyle.__version__,
    }
    save_style(output, style, overwrite=overwrite, about=about)
    print_path(output)


@app.command(
    "show",
    cls=HelpCommand,
    epilog=examples("What a saved style was measured from:", "jaxstyle style show painting.safetensors"),
)
def show_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Saved style, from `jaxstyle style save`.")],
) -> None:
    """Describe a saved style: its pictures, sizes, layers and network."""
    saved = read_style_file(file)
    for name, value in _describe(saved.style, saved.about).items():
        typer.echo(f"{name:<10}{escape_unprintable(value)}")


def _parse_names(text: str) -> Weighted | str:
    """Parse layers without weights; ConfigError for weights other than 1."""
    layers = parse_layers("--style-layers", text)
    if not isinstance(layers, str) and any(weight != 1 for _, weight in layers):
        raise ConfigError(f"--style-layers has {text!r}; expected names alone: weights are for jaxstyle stylize")
    return layers


def _measure(
    files: Sequence[Path], styles: Sequence[np.ndarray | Style], network: Network, config: StyleConfig
) -> Style:
    """Measure and blend the styles at every size of a run with these settings."""
    for file, style, style_config in zip(files, styles, config.of_each_style(len(files)), strict=True):
        sizes = [round(size) for size in style_sizes(style_config)]
        if isinstance(style, Style) and not set(sizes) <= set(style.sizes):
            measured, expected = ", ".join(map(str, style.sizes)), ", ".join(map(str, sizes))
            raise ConfigError(f"{file} was measured at {measured} px; expected {expected} px: choose another --size")
    return measure_style(styles, network=network, config=config)


def _describe(style: Style, about: dict[str, Any]) -> dict[str, str]:
    """Describe a style by its tensors and by what its file says about it, which can be anything."""
    embedded = {digest: name for name, digest in weights.EMBEDDED.items()}
    pictures = _list_in(about, "pictures")
    return {
        "pictures": ", ".join(map(str, pictures)) or "unknown",
        "shares": ", ".join(map(str, about.get("style_blend") or [])) or "equal",
        "sizes": f"{', '.join(map(str, style.sizes))} px",
        "scales": _join_built_in(about, "style_scale"),
        "angles": _join_built_in(about, "rotate_style", " degrees"),
        "layers": ", ".join(style.layers) or "none",
        "measured": style.representation,
        "network": f"{style.architecture}, {style.pooling} pooling",
        "weights": f"{embedded.get(style.digest, 'another network')}; SHA-256 {style.digest}",
    }


def _join_built_in(about: dict[str, Any], setting: str, unit: str = "") -> str:
    """The values of a setting with which the pictures of a style were measured, or one value if all are equal."""
    values = _built_in(about, setting)
    return ", ".join(values if len(set(values)) > 1 else values[:1]) + (unit if "unknown" not in values else "")


def _built_in(about: dict[str, Any], setting: str) -> list[str]:
    """The value for each picture, among them those of the saved styles that were blended; "unknown" without one."""
    pictures, saved = (_list_in(about, name) for name in ("pictures", "saved_styles"))
    records = {str(record.get("name")): record for record in saved if isinstance(record, dict)}
    values, value = [], about.get(setting)
    for index, picture in enumerate(pictures or [None]):
        if str(picture) in records:
            values += _built_in(records[str(picture)], setting)
            continue
        number = value[index] if isinstance(value, list) and index < len(value) else value
        values.append(f"{number:g}" if isinstance(number, int | float) else "unknown")
    return values


def _list_in(about: dict[str, Any], name: str) -> list[Any]:
    found = about.get(name)
    return found if isinstance(found, list) else []
