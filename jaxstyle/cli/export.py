"""`jaxstyle export`: write a stylization of fixed size as one file that needs nothing but JAX to run."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.messages import print_path, print_warnings
from jaxstyle.cli.options import with_options
from jaxstyle.environment import device
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.export import PLATFORMS, export_stylizer
from jaxstyle.files import check_output_is_no_input, level_warnings, read_network, read_styles
from jaxstyle.images import check_target, path_in_errors, write_atomically
from jaxstyle.optimization import blend_scale
from jaxstyle.options import Options
from jaxstyle.stylize import measure_style
from jaxstyle.stylizer import make_stylizer

_INITS = ("content", "noise", "pink")  # all that needs no other picture
EXAMPLES = examples(
    "A function of contents of 512 x 384 pixels, with a style built in:",
    "jaxstyle export -o out.bin --width 512 --height 384 --style painting.jpg",
    "A function of contents and saved styles, for GPUs only:",
    "jaxstyle export -o out.bin --width 512 --height 384 --platforms cuda",
)


@partial(
    with_options,
    without=("regions", "colors", "background", "strength_mask", "bits", "dpi", "profile"),
    texts={"init": f"What to start from: {', '.join(_INITS)}, or a mixture such as content=0.7,noise=0.3."},
)
def export_command(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="File to write.")],
    options: Options,
    height: Annotated[
        int, typer.Option("--height", min=1, metavar="PIXELS", help="Height in pixels of the contents to stylize.")
    ],
    width: Annotated[
        int, typer.Option("--width", min=1, metavar="PIXELS", help="Width in pixels of the contents to stylize.")
    ],
    style: Annotated[
        list[Path] | None,
        typer.Option(
            "--style",
            metavar="STYLE",
            help="Picture or saved style to build in. Repeat it to blend several. Without it, the tensors of a saved "
            "style are a second input of the function.",
        ),
    ] = None,
    platforms: Annotated[
        str,
        typer.Option("--platforms", metavar="NAME,...", help=f"Platforms to run on: some of {', '.join(PLATFORMS)}."),
    ] = "cpu,cuda,tpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write a stylization as a function that runs without jaxstyle.

    The file is in the format of jax.export. The function has a fixed shape and contains the weights of the network.
    """
    settings, styles = options.settings(), style or []
    names = [platform.strip() for platform in platforms.split(",")]
    if unknown := [platform for platform in names if platform not in PLATFORMS]:
        raise ConfigError(f"--platforms has {unknown[0]!r}; expected some of {', '.join(PLATFORMS)}")
    if other := [init for init, share in settings.config.init if share and init not in _INITS]:
        raise ConfigError(
            f"--init has {other[0]!r}; an exported stylization starts from {', '.join(_INITS)} or several"
        )
    if settings.config.rotate_style and not styles:
        raise ConfigError("--rotate-style turns the pictures in --style, and there are none; save a turned style")
    check_output_is_no_input(output, styles)
    with path_in_errors(output, "written", JaxStyleError) as file:
        target = check_target(file, JaxStyleError, overwrite=overwrite)
    print_warnings(*level_warnings([settings.config], (height, width)))
    device()
    network = read_network(*settings.network_key)
    settings = settings.resolve(network)
    config = replace(settings.config, style_blend=(), style_scale=blend_scale(settings.config), rotate_style=0.0)
    stylizer = make_stylizer(network, config, height=height, width=width)
    style_inputs, _ = read_styles(styles, network, settings.config, settings.background)
    built_in = measure_style(style_inputs, network=network, config=settings.config) if style_inputs else None
    exported = export_stylizer(stylizer, built_in, seed=settings.seed, platforms=names)
    with path_in_errors(output, "written", JaxStyleError):
        write_atomically(target, bytes(exported.serialize()))
    print_path(output)


app = command_app("export", export_command, EXAMPLES)
