"""`jaxstyle info`: what to send with a report of a problem."""

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.weights import list_weights
from jaxstyle.compilation import cache_location
from jaxstyle.jobs import device, device_name, versions
from jaxstyle.optimization import device_memory


def info_command() -> None:
    """Print the versions, the device, the cache folder and the networks."""
    record = device()
    for name, version in versions().items():
        typer.echo(f"{name:<12}{version}")
    typer.echo(f"{'device':<12}{device_name(record)}, {device_memory() / 2**30:.1f} GiB of memory")
    typer.echo(f"{'cache':<12}{cache_location()}")
    list_weights()


app = command_app("info", info_command, examples("What to send with a report of a problem:", "jaxstyle info"))
