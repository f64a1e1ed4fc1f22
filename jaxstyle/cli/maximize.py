"""`jaxstyle gram maximize`: make pictures in which one entry of a Gram matrix is as large as possible."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import typer
from rich.console import Console

from jaxstyle.cli.help import examples
from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.cli.messages import print_path
from jaxstyle.cli.options import NetworkName, Overwrite, Pooling, WeightsFile
from jaxstyle.environment import device, device_name, versions
from jaxstyle.errors import ConfigError
from jaxstyle.files import check_output_is_no_input, network_record, read_network, read_on_background
from jaxstyle.images import check_writable, write_image
from jaxstyle.laboratory import (
    check_entries,
    draw_entries,
    entry_values,
    largest_entries,
    maximize_entries,
)
from jaxstyle.optimization import prepare_network

COMPARED_SIZE = 256  # longest side in pixels of the pictures that entries are compared with
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
EXAMPLES = examples(
    "A picture in which the channels 12 and 40 are active together:",
    "jaxstyle gram maximize -o entry.png --layer relu3_1 --entry 12,40",
    "A sheet of two entries, compared with their values in a painting:",
    "jaxstyle gram maximize painting.jpg -o sheet.png --layer relu3_1 --entry 12,40 --entry 7,7",
)


def maximize_command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Picture to write, such as OUT.png.")],
    layer: Annotated[str, typer.Option("--layer", metavar="LAYER", help="Layer of the Gram matrix, such as relu3_1.")],
    entry: Annotated[
        list[str],
        typer.Option(
            "--entry",
            metavar="I,J",
            help="Entry to maximize: two channels, counted from 0, such as 12,40. Repeat it for a sheet of several.",
        ),
    ],
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PICTURE",
            help=f"Pictures to compare the value of the entry with, read with a longest side of {COMPARED_SIZE} "
            "pixels.",
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--size", metavar="PIXELS", help="Height and width of a picture in pixels. Larger: more repetitions."
        ),
    ] = 128,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="Steps of Adam. More: a larger entry, but slower.")
    ] = 100,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", min=0, help="Seed of the initial noise. Another seed: another picture."),
    ] = 0,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a picture in which one entry of a layer's Gram matrix is as large as possible.

    Such a picture shows a texture for which the entry is large. Prints the value of the entry.
    """
    entries, compared = [_parse_entry(text) for text in entry], pictures or []
    check_output_is_no_input(output, compared)
    check_writable(output, overwrite=overwrite)
    device_record = device()
    loaded = read_network(network, weights_file, pooling)
    check_entries(loaded, layer, entries)
    natural = [read_on_background(picture, COMPARED_SIZE, None) for picture in compared]
    largest = largest_entries(loaded, natural, layer) if natural else None
    status = Console(stderr=True).status(f"{len(entries)} x {steps} steps, on {device_name(device_record)}")
    with on_interrupt(status.stop), status if sys.stderr.isatty() else nullcontext():
        result = jax.block_until_ready(
            maximize_entries(prepare_network(loaded), layer, entries, size=size, steps=steps, seed=seed)
        )
    levels = np.rint(np.asarray(result.pictures) * 255) / np.float32(255)
    values = np.asarray(entry_values(loaded.direct(), levels, np.array(entries), layer=layer), np.float64)
    if zero := [f"{i},{j}" for (i, j), value in zip(entries, values, strict=True) if not value]:
        raise ConfigError(
            f"{layer} {' '.join(zero)} stayed 0, because no position has both channels active; choose another entry or "
            "--seed, or the layer before the rectifier, such as conv3_1 for relu3_1"
        )
    rows = [_entry_record(entry, float(value), largest) for entry, value in zip(entries, values, strict=True)]
    record = {
        "layer": layer,
        "entries": rows,
        "pictures": [picture.name for picture in compared],
        "size": size,
        "steps": steps,
        "seed": seed,
        "network": network_record(loaded, network, weights_file),
        "device": device_record,
        "versions": versions(),
    }
    write_image(output, draw_entries(levels, entries), metadata={"jaxstyle": json.dumps(record)}, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    for row in rows:
        comparison = f", {row['ratio']:.1f} times that of the pictures" if row["ratio"] is not None else ""
        typer.echo(f"{layer} {row['entry'][0]},{row['entry'][1]}: {row['value']:.4g}{comparison}")
    print_path(output)


def _parse_entry(text: str) -> tuple[int, int]:
    """Parse `12,40` to `(12, 40)`."""
    channels = text.split(",")
    if len(channels) != 2 or not all(channel.strip().isdecimal() for channel in channels):
        raise ConfigError(f"--entry is {text!r}; expected two channels from 0 up, such as 12,40")
    return int(channels[0]), int(channels[1])


def _entry_record(entry: tuple[int, int], value: float, largest: np.ndarray | None) -> dict[str, Any]:
    """The record of an entry; `ratio` compares it with its largest value in other pictures, if there are any."""
    other = float(largest[entry]) if largest is not None else None
    return {"entry": list(entry), "value": value, "largest": other, "ratio": value / other if other else None}
