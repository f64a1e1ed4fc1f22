"""Typer parameters for the options of a stylization, made from `jobs.Options`, and options that commands share."""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from jaxstyle.errors import ConfigError
from jaxstyle.images import as_path
from jaxstyle.options import FILE, Options, parse_size

MIN_TILE = 64  # pixels; with the margins of VGG-19, the window of such a tile has twelve times its area

# Options of every command that writes one picture.
OutputPath = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="OUT", help="Picture to write: .png, .jpg, .webp, .tiff or .bmp."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]
SaveEvery = Annotated[
    int | None,
    typer.Option(
        "--save-every",
        min=1,
        metavar="N",
        help="Save a snapshot, such as OUT-0040.png, every N steps. Steps count through all sizes; snapshots are "
        "possible after every 10th step of a size.",
    ),
]
PaperSize = Annotated[
    str | None,
    typer.Option(
        "--print",
        metavar="60x40cm",
        rich_help_panel=FILE,
        help="Paper to print on, or A5 to A2: sets the size so that it is filled, at 300 pixels per inch or --dpi.",
    ),
]
PrinterProfile = Annotated[
    Path | None,
    typer.Option(
        "--proof",
        metavar="PROFILE",
        rich_help_panel=FILE,
        help="Also write OUT-proof, how the result will look in print: by the color profile (ICC) of a printer, in "
        "CMYK or RGB, as from the print shop.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print a record of the run as JSON: settings, versions, device, losses, seconds."),
]


def check_paper_alone(context: typer.Context, *names: str) -> None:
    """Raise ConfigError if there is --print and one of these options, which it sets."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":  # its class depends on the version of typer
            found = f"there is --{name} {context.params[name]} and --print, which sets it"
            raise ConfigError(f"{found}; give one of them")


def typer_option(name: str, *, grouped: bool = True, text: str | None = None) -> Any:
    """The typer option for a field of `Options`, with another help text if there is one; in no group if not `grouped`.

    In `--help`, options without a group come first.
    """
    (field,) = [field for field in dataclasses.fields(Options) if field.name == name]
    help_ = field.metadata["help"]
    settings: dict[str, Any] = {"help": text or help_.text, "rich_help_panel": help_.group if grouped else None}
    if help_.metavar:
        settings["metavar"] = help_.metavar
    if help_.choices:
        settings["autocompletion"] = lambda: list(help_.choices)
    if name == "size":
        settings["parser"] = parse_size
    if name == "tile_size":
        settings["min"] = MIN_TILE
    if help_.default:
        settings["show_default"] = help_.default
    return typer.Option(f"--{name.replace('_', '-')}", **settings)


# The choice of a network, for commands whose options have no groups.
NetworkName = Annotated[str | None, typer_option("network", grouped=False)]
WeightsFile = Annotated[Path | None, typer_option("weights", grouped=False)]
Pooling = Annotated[str, typer_option("pooling", grouped=False)]
Precision = Annotated[str, typer_option("precision", grouped=False)]


def with_options(
    command: Callable[..., None],
    *,
    without: Collection[str] = (),
    defaults: Options | None = None,
    texts: Mapping[str, str] | None = None,
) -> Callable[..., None]:
    """The command with its parameter `options` replaced by one parameter for each field of `Options`.

    Fields in `without` have no parameter and keep their value in `defaults`; those in `texts` have another help text.
    """
    signature, base = inspect.signature(command, eval_str=True), defaults or Options()
    names = [field.name for field in dataclasses.fields(Options) if field.name not in without]
    types = get_type_hints(Options) | {"size": int}
    fields = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(base, name),
            annotation=Annotated[types[name], typer_option(name, text=(texts or {}).get(name))],
        )
        for name in names
    ]

    @wraps(command)
    def wrapped(**arguments: Any) -> None:
        arguments = {name: _with_urls(value) for name, value in arguments.items()}
        options = replace(base, **{name: arguments.pop(name) for name in names})
        command(**arguments, options=options)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        is_options = parameter.name == "options"
        parameters += fields if is_options else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    # typer reads both the signature and the annotations.
    vars(wrapped)["__signature__"] = signature.replace(parameters=parameters)
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _with_urls(value: Any) -> Any:
    """The value of a parameter, with paths of object stores for URLs, which typer gives as paths of files."""
    if isinstance(value, list):
        return [_with_urls(item) for item in value]
    return as_path(value) if isinstance(value, Path) and value.parts[:1] and value.parts[0].endswith(":") else value
