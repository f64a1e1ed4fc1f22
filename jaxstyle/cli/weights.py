"""`jaxstyle weights`: list, verify, convert and fetch weights files."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from jaxstyle import weights
from jaxstyle.errors import ConfigError, WeightsError

weights_app = typer.Typer(
    name="weights", help="Pretrained networks: list, verify, convert and fetch them.", no_args_is_help=True
)


@weights_app.command("list")
def list_weights() -> None:
    """List the weights that have a name, and where they are."""
    for name in weights.NAMES:
        path = weights.path_of(name)
        if path.exists():
            typer.echo(f"{name:<12}{path.stat().st_size / 1e6:5.1f} MB  {path}")
        elif name in weights.FETCHED:
            typer.echo(f"{name:<12}not fetched; get it with: jaxstyle weights fetch {weights.FETCHED[name]}")
        else:
            typer.echo(f"{name:<12}missing: {path}")


@weights_app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or files; without any, all that are at hand.")
    ] = None,
) -> None:
    """Check that weights are whole, fit their network, and are the ones that jaxstyle ships."""
    at_hand = [name for name in weights.NAMES if name in weights.EMBEDDED or weights.path_of(name).exists()]
    for name in names or at_hand:
        found = weights.verify(name)
        shipped = ", as shipped" if name in weights.EMBEDDED else ""
        typer.echo(f"{name}: a whole {found.architecture}{shipped}; SHA-256 {found.digest}")


@weights_app.command()
def convert(
    file: Annotated[
        Path, typer.Argument(help="A .pth, .h5, .npz, .onnx or .safetensors file of a VGG, AlexNet or GoogLeNet.")
    ],
    out: Annotated[Path, typer.Argument(help="The jaxstyle weights file to write.")],
    convention: Annotated[
        str | None,
        typer.Option(
            help=f"What the network expects of its input, if it is not recognized: {', '.join(weights.CONVENTIONS)}.",
            autocompletion=lambda: list(weights.CONVENTIONS),
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Convert another framework's weights file. Nothing in it is ever run."""
    if convention is not None and convention not in weights.CONVENTIONS:
        raise ConfigError(f"unknown convention {convention!r}; expected one of {', '.join(weights.CONVENTIONS)}")
    if out.exists() and not overwrite:
        raise WeightsError(f"{out} exists already; choose another name, or say --overwrite")
    written = weights.convert(file, out, convention=weights.CONVENTIONS[convention] if convention else None)
    names = {known: name for name, known in weights.CONVENTIONS.items()}
    typer.echo(f"{out}: {written.architecture}, input as in {names[written.convention]}; use it with --weights {out}")


@weights_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(weights.ORIGINALS)}.")],
    url: Annotated[
        str | None,
        typer.Option(
            envvar="JAXSTYLE_WEIGHTS_URL", help="A mirror to fetch from.", show_default="where they are published"
        ),
    ] = None,
) -> None:
    """Fetch a pretrained network; an embedded copy of it is compared with it."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(name, total=None)
        fetched = weights.fetch(
            name, base_url=url, progress=lambda done, total: progress.update(task, completed=done, total=total)
        )
    typer.echo(f"{fetched.name}: {fetched.path}")
    if fetched.differences:
        typer.echo(f"How far the embedded {name} is from it (relative Euclidean distance):")
    for parameter, distance in fetched.differences.items():
        typer.echo(f"  {parameter:<16}{distance:.1e}")
