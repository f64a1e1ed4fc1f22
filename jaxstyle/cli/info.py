"""`jaxstyle info`: what to send with a report of a problem."""

from typing import Annotated

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.weights import list_weights
from jaxstyle.compilation import cache_location
from jaxstyle.environment import device, device_name, versions
from jaxstyle.files import check_network_name, read_network
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.optimization import device_memory


def info_command(
    network: Annotated[
        str | None, typer.Argument(metavar="NETWORK", help="Network whose layers to print instead, such as vgg19.")
    ] = None,
) -> None:
    """Print the versions, the device, the cache folder and the networks."""
    if network:
        check_network_name("NETWORK", network)
        _print_layers(read_network(network, None, "max").architecture)
        return
    record = device()
    for name, version in versions().items():
        typer.echo(f"{name:<12}{version}")
    typer.echo(f"{'device':<12}{device_name(record)}, {device_memory() / 2**30:.1f} GiB of memory")
    typer.echo(f"{'cache':<12}{cache_location()}")
    list_weights()


def _print_layers(architecture: str) -> None:
    """Print the layers of an architecture, and which of them are compared by default."""
    facts = ARCHITECTURES[architecture]
    compared = (("style", facts.style_layers), ("content", facts.content_layers))
    for layer in facts.layers:
        uses = [use for use, layers in compared if layer in layers]
        typer.echo(f"{layer:<12}{', '.join(uses)}".rstrip())


app = command_app("info", info_command, examples("What to send with a report of a problem:", "jaxstyle info"))
