"""The command `jaxstyle`: its subcommands, and the place where errors become one line and an exit code."""

import os
import sys
from typing import Annotated

import jax
import typer

import jaxstyle
from jaxstyle.cli import batch, bench, export, grid, jax_config, stylize, texture
from jaxstyle.cli.gram import gram_app
from jaxstyle.cli.help import HelpCommand, HelpGroup, examples
from jaxstyle.cli.run import is_still_running
from jaxstyle.cli.style import style_app
from jaxstyle.cli.weights import list_weights, weights_app
from jaxstyle.errors import JaxStyleError
from jaxstyle.jobs import device, device_name, versions
from jaxstyle.optimization import device_memory

app = typer.Typer(
    name="jaxstyle",
    cls=HelpGroup,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    epilog=examples(
        "A photograph in the style of a painting:",
        "jaxstyle stylize photo.jpg painting.jpg -o out.png",
        "Every photograph in the style of every painting:",
        "jaxstyle batch --content photos --style paintings -o results",
        "What the options of a command change in the picture:",
        "jaxstyle stylize --help",
    ),
)
app.command("stylize", cls=HelpCommand, epilog=stylize.EXAMPLES)(stylize.stylize_command)
app.command("texture", cls=HelpCommand, epilog=texture.EXAMPLES)(texture.texture_command)
app.command("batch", cls=HelpCommand, epilog=batch.EXAMPLES)(batch.batch_command)
app.command("grid", cls=HelpCommand, epilog=grid.EXAMPLES)(grid.grid_command)
app.command("export", cls=HelpCommand, epilog=export.EXAMPLES)(export.export_command)
app.command("bench", cls=HelpCommand, epilog=bench.EXAMPLES)(bench.bench_command)
app.add_typer(style_app)
app.add_typer(gram_app)
app.add_typer(weights_app)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"jaxstyle {jaxstyle.__version__}")
        raise typer.Exit


@app.callback()
def jaxstyle_command(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Neural style transfer by optimization, in JAX: give a photograph the style of a painting."""
    jax_config.configure_jax()


@app.command("info", cls=HelpCommand, epilog=examples("What to send with a report of a problem:", "jaxstyle info"))
def info() -> None:
    """Print the versions, the device, the cache folder and the networks."""
    record = device()
    for name, version in versions().items():
        typer.echo(f"{name:<12}{version}")
    typer.echo(f"{'device':<12}{device_name(record)}, {device_memory() / 2**30:.1f} GiB of memory")
    typer.echo(f"{'cache':<12}{jax_config.cache_folder()}")
    list_weights()


def main() -> None:
    """Run the command in `sys.argv` and exit: with 0, or with one line on stderr and the code of the error."""
    code = _run()
    if is_still_running():
        # A normal exit of Python aborts while XLA works in a thread. Files are complete at any moment.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    try:
        return app(prog_name="jaxstyle", standalone_mode=False) or 0
    except JaxStyleError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see: {context.command_path} --help" if context else ""
        return _fail(error.format_message().rstrip(".") + hint, error.exit_code)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _fail("not enough memory for pictures of this size; choose a smaller --size", 1)


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    typer.echo(f"jaxstyle: error: {line}", err=True)
    return code
