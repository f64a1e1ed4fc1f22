"""`jaxstyle bench`: the time of an optimization step on this machine, and its share of the peak rate."""

import itertools
import json
from typing import Annotated, Any

import typer

from jaxstyle.batch import matrix_product_rate, time_steps
from jaxstyle.cli.help import command_app, examples
from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.cli.options import NetworkName, Precision, WeightsFile
from jaxstyle.config import StyleConfig
from jaxstyle.environment import device, device_name, versions
from jaxstyle.errors import ConfigError
from jaxstyle.files import network_record, read_network
from jaxstyle.images import MIN_SIDE
from jaxstyle.networks import resolve_layers
from jaxstyle.optimization import prepare_network

EXAMPLES = examples(
    "A table of steps at three sizes:",
    "jaxstyle bench --sizes 256,512,1024",
    "Single pictures and batches of 8, on a GPU:",
    "jaxstyle bench --sizes 512 --batch-sizes 1,8",
)


def bench_command(
    sizes: Annotated[
        str,
        typer.Option("--sizes", metavar="PIXELS,...", help="Longest sides of the pictures. Their shape is 4 to 3."),
    ] = "256,512",
    batch_sizes: Annotated[
        str, typer.Option("--batch-sizes", metavar="N,...", help="Numbers of pictures computed together.")
    ] = "1",
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", min=1, metavar="N", help="Number of times to measure a few steps. The median is reported."
        ),
    ] = 5,
    network: NetworkName = None,
    weights: WeightsFile = None,
    precision: Precision = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print a record as JSON instead of a table.")] = False,
) -> None:
    """Measure the time of an optimization step on this machine.

    The settings are the defaults. "ready" is the time until the first step is done, with compilation, and "step" the
    time of a later step. "of peak" is the rate of its operations relative to that of a large matrix product.
    """
    loaded = read_network(network, weights, "max", precision)
    config = resolve_layers(StyleConfig(), loaded.architecture)
    shapes = [(round(size * 3 / 4), size) for size in _parse_counts("--sizes", sizes, least=2 * MIN_SIDE)]
    counts = _parse_counts("--batch-sizes", batch_sizes, least=1)
    device_record, peak = device(), matrix_product_rate(loaded.precision)
    if not as_json:
        typer.echo(f"{device_name(device_record)}, {peak / 1e9:.0f} GFLOP/s in {loaded.precision} matrix products")
        typer.echo("   pixels  batch  ready (s)  step (ms)  pictures/s  of peak  memory (GB)")
    rows: list[dict[str, Any]] = []

    def print_record() -> None:
        about = {"network": network_record(loaded, network, weights), "device": device_record, "versions": versions()}
        typer.echo(json.dumps(about | {"rows": rows}, indent=2))

    with on_interrupt(print_record if as_json else lambda: None):
        for (height, width), count in itertools.product(shapes, counts):
            row = time_steps(prepare_network(loaded), config, height, width, batch_size=count, rounds=rounds)
            row |= {"peak": peak, "share": row["operations"] / row["step"] / peak}
            rows.append(row)
            if not as_json:
                rate, gigabytes = count / row["step"], row["bytes"] / 1e9
                typer.echo(
                    f"{width:>5}x{height:<5}{count:>4}{row['ready']:>11.1f}{1000 * row['step']:>11.1f}{rate:>12.2f}"
                    f"{row['share']:>9.2f}{gigabytes:>13.2f}"
                )
    if as_json:
        print_record()
    else:
        typer.echo("of peak: by the operations of direct convolutions; it can exceed 1, because fast ones need fewer")


app = command_app("bench", bench_command, EXAMPLES)


def _parse_counts(option: str, text: str, *, least: int) -> list[int]:
    """Parse `256,512` to `[256, 512]`; ConfigError, naming the option, for other text or numbers below `least`."""
    counts = [count.strip() for count in text.split(",")]
    if not all(count.isdecimal() and int(count) >= least for count in counts):
        raise ConfigError(f"{option} has {text!r}; expected whole numbers from {least} up, such as 256,512")
    return [int(count) for count in counts]
