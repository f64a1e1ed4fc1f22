"""`jaxstyle export`: a stylizer of fixed size as one file that needs nothing but JAX to run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import jax
import jax.export
import jax.numpy as jnp
import typer

from jaxstyle.cli.options import with_options
from jaxstyle.errors import ConfigError, JaxStyleError
from jaxstyle.images.files import path_in_errors, resolve_target, write_atomically
from jaxstyle.jobs.environment import device
from jaxstyle.jobs.options import Options
from jaxstyle.jobs.reading import check_output_is_no_input, read_network, read_styles
from jaxstyle.styles.files import replace_tensors, style_tensors
from jaxstyle.styles.measured import Style
from jaxstyle.stylize import measure_style
from jaxstyle.stylizer import Stylizer, make_stylizer

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@with_options
def export_command(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    height: Annotated[int, typer.Option("--height", min=1, help="Of the contents to come, in pixels.")],
    width: Annotated[int, typer.Option("--width", min=1, help="Of the contents to come, in pixels.")],
    style: Annotated[
        list[Path] | None,
        typer.Option(
            "--style",
            help="A picture or a saved style to build in; several are blended. Without any, the tensors of a saved "
            "style are an input.",
        ),
    ] = None,
    options: Options,
    platforms: Annotated[
        str, typer.Option("--platforms", help=f"Where it is to run: some of {', '.join(PLATFORMS)}.")
    ] = "cpu,cuda,tpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write a stylization as a function for serving, with the network's weights in it, by jax.export."""
    settings, styles = options.settings(), style or []
    where = [platform.strip() for platform in platforms.split(",")]
    if unknown := [platform for platform in where if platform not in PLATFORMS]:
        raise ConfigError(f"--platforms has {unknown[0]!r}; expected some of {', '.join(PLATFORMS)}")
    if starts := [start for start, share in settings.config.init if share and start not in ("content", "noise")]:
        raise ConfigError(f"--init has {starts[0]!r}; an exported stylization starts from content, noise or both")
    check_output_is_no_input(output, styles)
    with path_in_errors(output, "written", JaxStyleError) as file:
        target = resolve_target(file, JaxStyleError, overwrite=overwrite)
    device()
    network = read_network(*settings.network_key)
    settings = settings.resolve(network)
    stylizer = make_stylizer(network, replace(settings.config, style_blend=()), height=height, width=width)
    read, _ = read_styles(styles, network, settings.config, settings.background)
    built_in = measure_style(read, network=network, config=settings.config) if read else None
    exported = export(stylizer, built_in, seed=settings.seed, platforms=where)
    with path_in_errors(output, "written", JaxStyleError):
        write_atomically(target, bytes(exported.serialize()))
    typer.echo(output)


def export(stylizer: Stylizer, style: Style | None, *, seed: int, platforms: Sequence[str]) -> jax.export.Exported:
    """The stylizer as an exported function of plain arrays.

    Args:
        stylizer: what to export; its network's weights, down to the deepest layer in use, become part of it.
        style: to build in. Without one, the function takes a second argument, `{name: tensor}` as it lies in the file
            of a style that was saved for the same size, scale and layers.
        seed: of the noise.
        platforms: of `PLATFORMS`.

    Returns:
        content `[height, width, 3]` in [0, 1] to the result; or content and tensors to the result.
    """
    network, config = stylizer.network, stylizer.config
    used = [name for name in network.up_to((*config.content_names, *config.style_names)) if name in network.parameters]
    parameters = {name: network.parameters[name] for name in used}
    stylizer = replace(stylizer, network=replace(network, parameters=parameters))
    content = jax.ShapeDtypeStruct((stylizer.height, stylizer.width, 3), jnp.float32)
    key = jax.random.key(seed)
    if style:
        paint = jax.jit(lambda content: stylizer(content, style, key=key))
        return jax.export.export(paint, platforms=platforms)(content)
    square = jax.ShapeDtypeStruct((config.size, config.size, 3), jnp.float32)
    shapes = jax.eval_shape(stylizer.measure, square)
    paint = jax.jit(lambda content, tensors: stylizer(content, replace_tensors(shapes, tensors), key=key))
    return jax.export.export(paint, platforms=platforms)(content, style_tensors(shapes))
