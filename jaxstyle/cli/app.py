"""The command `jaxstyle`: its parts, and the one place where a failure becomes a line and an exit code."""

import os
import sys
from typing import Annotated

import jax
import typer

import jaxstyle
from jaxstyle.cli import jax_config
from jaxstyle.cli.batch import batch_command
from jaxstyle.cli.bench import bench_command
from jaxstyle.cli.export import export_command
from jaxstyle.cli.gram import gram_app
from jaxstyle.cli.grid import grid_command
from jaxstyle.cli.run import is_still_running
from jaxstyle.cli.style import style_app
from jaxstyle.cli.stylize import stylize_command
from jaxstyle.cli.texture import texture_command
from jaxstyle.cli.weights import list_weights, weights_app
from jaxstyle.errors import JaxStyleError
from jaxstyle.jobs.environment import device, device_name, versions
from jaxstyle.optimization.memory import device_memory

app = typer.Typer(name="jaxstyle", no_args_is_help=True, pretty_exceptions_enable=False)
app.command("stylize")(stylize_command)
app.command("batch")(batch_command)
app.command("texture")(texture_command)
app.command("grid")(grid_command)
app.command("bench")(bench_command)
app.command("export")(export_command)
app.add_typer(gram_app)
app.add_typer(style_app)
app.add_typer(weights_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jaxstyle {jaxstyle.__version__}")
        raise typer.Exit


@app.callback()
def jaxstyle_command(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Neural style transfer by optimization, in JAX."""
    jax_config.configure_jax()


@app.command()
def info() -> None:
    """Say what jaxstyle runs on, and which networks are at hand."""
    record = device()
    for name, version in versions().items():
        typer.echo(f"{name:<12}{version}")
    typer.echo(f"{'device':<12}{device_name(record)}, {device_memory() / 2**30:.1f} GiB of memory")
    typer.echo(f"{'cache':<12}{jax_config.cache_folder()}")
    list_weights()


def main() -> None:
    """Run the command in `sys.argv` and exit: 0, or by the kind of what went wrong, which is one line on stderr."""
    code = _run()
    if is_still_running():
        # Python's own way out ends in an abort while XLA works in a thread; files are whole at any moment.
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
        where = f"; see: {context.command_path} --help" if context else ""
        # Empty when a command without arguments has just shown its help.
        message = error.format_message()
        return _fail(message.rstrip(".") + where, error.exit_code) if message else error.exit_code
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _fail("the memory is not enough for pictures of this size; choose a smaller --size", 1)


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    typer.echo(f"jaxstyle: error: {line}", err=True)
    return code
