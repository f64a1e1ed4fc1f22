"""`jaxstyle weights`: list, verify, convert and fetch the weights of networks."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from jaxstyle import weights
from jaxstyle.arguments import check_choice
from jaxstyle.cli.help import HelpCommand, HelpGroup, examples
from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.errors import escape_unprintable

app = typer.Typer(
    name="weights",
    cls=HelpGroup,
    add_completion=False,
    help="List, verify, convert and fetch the weights of recognition networks.",
    epilog=examples(
        "The names for `--network`:",
        "jaxstyle weights list",
        "Use a network from another framework:",
        "jaxstyle weights convert vgg.pth vgg.safetensors",
        "jaxstyle stylize photo.jpg painting.jpg -o out.png --weights vgg.safetensors",
    ),
)


@app.command("list", cls=HelpCommand, epilog=examples("The names for `--network`:", "jaxstyle weights list"))
def list_weights() -> None:
    """List the networks by name, with the sizes and places of their files."""
    for name in weights.NAMES:
        path = weights.path_of(name)
        if path.exists():
            typer.echo(f"{name:<20}{path.stat().st_size / 1e6:5.1f} MB  {path}")
        elif name in weights.FETCHED:
            typer.echo(f"{name:<20}not fetched; fetch it with: jaxstyle weights fetch {weights.FETCHED[name]}")
        else:
            typer.echo(f"{name:<20}missing: {path}")


@app.command(
    "verify",
    cls=HelpCommand,
    epilog=examples(
        "All networks on this machine:",
        "jaxstyle weights verify",
        "A network by its name, and one by its file:",
        "jaxstyle weights verify vgg19 my-vgg.safetensors",
    ),
)
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NETWORK", help="Names of networks, or weights files. By default, all on this machine."),
    ] = None,
) -> None:
    """Check that weights are complete and fit their network.

    Embedded weights are also compared with the checksum that jaxstyle ships.
    """
    present = [name for name in weights.NAMES if name in weights.EMBEDDED or weights.path_of(name).exists()]
    for name in names or present:
        verified = weights.verify(name)
        shipped = ", as shipped" if name in weights.EMBEDDED else ""
        typer.echo(
            escape_unprintable(f"{name}: a complete {verified.architecture}{shipped}; SHA-256 {verified.digest}")
        )


@app.command(
    "convert",
    cls=HelpCommand,
    epilog=examples(
        "Weights of torchvision, which are recognized:",
        "jaxstyle weights convert vgg19.pth vgg19.safetensors",
        "Weights of a VGG that was trained with Caffe's input:",
        "jaxstyle weights convert vgg.h5 vgg.safetensors --convention caffe",
    ),
)
def convert(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="File of a VGG, AlexNet, GoogLeNet or EfficientNet-Lite0: .pth, .safetensors, .keras, .h5, .npz, "
            ".npy, .mat (MatConvNet) or .onnx. The weights may be at any depth of a checkpoint. No code in it is run.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Weights file of jaxstyle to write.")],
    convention: Annotated[
        str | None,
        typer.Option(
            "--convention",
            metavar="NAME",
            help="Order, scale and mean of the channels that the network was trained with, if they are not recognized: "
            f"{', '.join(weights.CONVENTIONS)}.",
            autocompletion=lambda: list(weights.CONVENTIONS),
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Convert a weights file of another framework."""
    if convention is not None:
        check_choice("--convention", convention, weights.CONVENTIONS)
    known = weights.CONVENTIONS[convention] if convention else None
    written = weights.convert(file, out, convention=known, overwrite=overwrite)
    names = {value: name for name, value in weights.CONVENTIONS.items()}
    line = f"{out}: {written.architecture}, input as in {names[written.convention]}; use it with --weights {out}"
    typer.echo(escape_unprintable(line))


@app.command(
    "fetch",
    cls=HelpCommand,
    epilog=examples(
        "The original VGG-19 in full precision:",
        "jaxstyle weights fetch vgg19",
        "jaxstyle stylize photo.jpg painting.jpg -o out.png --network vgg19-full",
    ),
)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help=f"Network to fetch: {', '.join(weights.ORIGINALS)}.")],
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="JAXSTYLE_WEIGHTS_URL",
            help="Mirror to fetch from.",
            show_default="the site of the publisher",
        ),
    ] = None,
) -> None:
    """Fetch the published weights of a network, and compare an embedded copy with them."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
    with on_interrupt(progress.stop), progress:
        task = progress.add_task(name, total=None)
        fetched = weights.fetch(
            name, base_url=url, progress=lambda done, total: progress.update(task, completed=done, total=total)
        )
    typer.echo(escape_unprintable(f"{fetched.name}: {fetched.path}"))
    if fetched.differences:
        typer.echo(f"Distance of the embedded {name} from it (Euclidean, relative to its norm):")
    for parameter, distance in fetched.differences.items():
        typer.echo(f"  {parameter:<16}{distance:.1e}")
