"""`jaxstyle gram`: Gram matrices looked at, maximized in one entry, and sampled."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import typer
from rich.console import Console

import jaxstyle
from jaxstyle.cli.options import NetworkName, Overwrite, Pooling, WeightsFile
from jaxstyle.cli.run import run_interruptibly, sigterm_as_interrupt
from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images.sheet import add_titles
from jaxstyle.images.writing import check_writable, write_image
from jaxstyle.images.writing import check_writable as check_style_writable
from jaxstyle.jobs.environment import device, device_name, versions
from jaxstyle.jobs.reading import (
    check_output_is_no_input,
    is_saved_style,
    network_record,
    read_network,
    read_on_background,
)
from jaxstyle.laboratory import (
    SAMPLERS,
    MaximizedEntries,
    check_entries,
    draw_curve,
    draw_heat_map,
    eigenvalues,
    entry_histogram,
    entry_values,
    maximize_entries,
    sample_style,
    sort_by_energy,
    summarize_gram,
)
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.networks.network import Network
from jaxstyle.styles.files import read_style_file, save_style
from jaxstyle.styles.measured import Style, style_targets
from jaxstyle.stylize import measure_style, prepare_network

gram_app = typer.Typer(
    name="gram", help="Gram matrices: see them, maximize one entry, sample new ones.", no_args_is_help=True
)

_NATURAL = 256  # pixels: longest side of the pictures that an entry is compared with
_CELL, _ROW = 192, 6  # pixels: of a drawing; pictures in a row of a sheet

_Output = Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The result, such as OUT.png.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
_measure = jax.jit(style_targets, static_argnames="layers")


@gram_app.command("maximize")
def maximize_command(
    output: _Output,
    layer: Annotated[str, typer.Option(help="The layer, such as relu3_1.")],
    entry: Annotated[
        list[str], typer.Option(metavar="I,J", help="Two channels from 0 up, such as 12,40; again for a sheet.")
    ],
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PICTURE]...", help=f"Pictures whose entries to compare with, {_NATURAL} px on the longest side."
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="Sides of each picture in pixels.")] = 128,
    steps: Annotated[int, typer.Option(help="Steps of Adam.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the noise to start from.", min=0)] = 0,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
    as_json: _Json = False,
) -> None:
    """Make the picture in which one entry of a layer's Gram matrix is as large as can be."""
    entries, compared = [_entry(text) for text in entry], pictures or []
    check_output_is_no_input(output, compared)
    check_writable(output, overwrite=overwrite)
    found = device()
    loaded = read_network(network, weights_file, pooling)
    check_entries(loaded, layer, entries)
    natural = _largest(loaded, layer, [read_on_background(picture, _NATURAL, None) for picture in compared])
    with Console(stderr=True).status(f"{len(entries)} x {steps} steps, on {device_name(found)}") as status:
        if not sys.stderr.isatty():
            status.stop()
        made = _maximize(loaded, layer, entries, size=size, steps=steps, seed=seed)
    levels = np.rint(np.asarray(made.pictures) * 255) / np.float32(255)
    values = np.asarray(entry_values(loaded.direct(), levels, np.array(entries), layer=layer), np.float64)
    rows = [_row(at, float(value), natural) for at, value in zip(entries, values, strict=True)]
    record = {
        "layer": layer,
        "entries": rows,
        "pictures": [picture.name for picture in compared],
        "size": size,
        "steps": steps,
        "seed": seed,
        "network": network_record(loaded, network, weights_file),
        "device": found,
        "versions": versions(),
    }
    write_image(output, _sheet(levels, entries), metadata={"jaxstyle": json.dumps(record)}, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    for row in rows:
        natural_part = f", {row['ratio']:.1f} times that of the pictures" if row["ratio"] is not None else ""
        typer.echo(f"{layer} {row['entry'][0]},{row['entry'][1]}: {row['value']:.4g}{natural_part}")
    typer.echo(output)


@gram_app.command("show")
def show_command(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture, or a saved style.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A sheet: for each layer heat maps as it is and by energy, eigenvalues, and entries, in logarithms.",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="A layer; again for more.", show_default="style layers")
    ] = None,
    size: Annotated[int, typer.Option(help="Longest side of PICTURE in pixels.")] = _NATURAL,
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
    as_json: _Json = False,
) -> None:
    """Say and draw what a picture's Gram matrices are like."""
    if output:
        check_output_is_no_input(output, [picture])
        check_writable(output, overwrite=overwrite)
    device()
    if is_saved_style(picture):
        style = read_style_file(picture).style
        _check_grams(style, picture)
        chosen, grams = tuple(layer or style.layers), style.statistics[-1].measured
        if missing := [name for name in chosen if name not in grams]:
            raise ConfigError(f"{picture} was not measured in {', '.join(missing)}, only in {', '.join(grams)}")
    else:
        loaded = read_network(network, weights_file, pooling)
        chosen = tuple(layer or ARCHITECTURES[loaded.architecture].style_layers)
        grams = _measure(loaded.direct(), read_on_background(picture, size, None), layers=chosen)
    matrices = {name: np.asarray(grams[name], np.float64) for name in chosen}
    numbers = {name: asdict(summarize_gram(matrix)) for name, matrix in matrices.items()}
    if output:
        drawings = [_drawings(matrix) for matrix in matrices.values()]
        columns = ["as it is", "by energy", "eigenvalues", "entries"]
        write_image(output, add_titles(drawings, list(matrices), columns), overwrite=overwrite)
    typer.echo(json.dumps(numbers, indent=2) if as_json else _table(numbers))


@gram_app.command("sample")
def sample_command(
    style: Annotated[Path, typer.Argument(metavar="STYLE", help="A picture or saved style to sample after.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NAME", help="The saved style: NAME.safetensors.")],
    sampler: Annotated[
        str,
        typer.Option(metavar="|".join(SAMPLERS), help="How to sample.", autocompletion=lambda: list(SAMPLERS)),
    ] = "permuted",
    strength: Annotated[float, typer.Option(help="From 0, STYLE itself, to 1, the sample.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Every seed gives another sample.", min=0)] = 0,
    size: Annotated[int, typer.Option(help="Longest side of the results to come, if STYLE is a picture.")] = (
        DEFAULTS.size
    ),
    network: NetworkName = None,
    weights_file: WeightsFile = None,
    pooling: Pooling = "max",
    overwrite: Overwrite = False,
) -> None:
    """Sample Gram matrices after those of STYLE, and save them as a style of its colors, for texture and stylize."""
    check_output_is_no_input(output, [style])
    check_style_writable(output, overwrite=overwrite)
    device()
    if is_saved_style(style):
        measured = read_style_file(style).style
        _check_grams(measured, style)
    else:
        loaded = read_network(network, weights_file, pooling)
        measured = measure_style(read_on_background(style, size, None), network=loaded, config=StyleConfig(size=size))
    about = {
        "pictures": [style.name],
        "sampler": sampler,
        "strength": strength,
        "seed": seed,
        "jaxstyle": jaxstyle.__version__,
    }
    sampled = sample_style(measured, sampler, strength=strength, seed=seed)
    save_style(output, sampled, overwrite=overwrite, about=about)
    typer.echo(output)


def _entry(text: str) -> tuple[int, int]:
    """`12,40` as `(12, 40)`."""
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--entry is {text!r}; expected two channels from 0 up, such as 12,40")
    return int(parts[0]), int(parts[1])


def _maximize(network: Network, layer: str, entries: Sequence[tuple[int, int]], **options: int) -> MaximizedEntries:
    """`maximize`, which Ctrl-C and SIGTERM stop."""
    try:
        with sigterm_as_interrupt():
            return run_interruptibly(
                lambda: jax.block_until_ready(maximize_entries(prepare_network(network), layer, entries, **options))
            )
    except KeyboardInterrupt:
        typer.echo("jaxstyle: stopped before the end; nothing was written", err=True)
        raise typer.Exit(130) from None


def _largest(network: Network, layer: str, pictures: Sequence[np.ndarray]) -> np.ndarray | None:
    """Each entry's largest value over the pictures, `[C, C]`; None if there are none."""
    direct = network.direct()
    grams = [np.asarray(_measure(direct, picture, layers=(layer,))[layer], np.float64) for picture in pictures]
    return np.max(grams, 0) if grams else None


def _row(entry: tuple[int, int], value: float, natural: np.ndarray | None) -> dict[str, Any]:
    """What is told of an entry; the ratio is missing where there is nothing to compare with."""
    largest = float(natural[entry]) if natural is not None else None
    return {"entry": list(entry), "value": value, "largest": largest, "ratio": value / largest if largest else None}


def _sheet(pictures: np.ndarray, entries: Sequence[tuple[int, int]]) -> np.ndarray:
    """The picture, or the pictures with their entries above them, in rows."""
    if len(pictures) == 1:
        return pictures[0]
    captions = [f"{i},{j}" for i, j in entries]
    starts = range(0, len(pictures), _ROW)
    rows = [add_titles([list(pictures[at : at + _ROW])], columns=captions[at : at + _ROW]) for at in starts]
    missing = rows[0].shape[1] - rows[-1].shape[1]
    rows[-1] = np.pad(rows[-1], ((0, 0), (0, missing), (0, 0)), constant_values=1)
    return np.concatenate(rows)


def _drawings(gram: np.ndarray) -> list[np.ndarray | None]:
    ordered = sort_by_energy(gram)
    curves = [draw_curve(values, _CELL, _CELL) for values in (eigenvalues(gram), entry_histogram(gram))]
    return [draw_heat_map(gram, _CELL), draw_heat_map(ordered, _CELL), *curves]


def _table(numbers: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(numbers.values())))
    lines = [f"{'layer':<12}" + "".join(f"{name:>16}" for name in names)]
    for layer, values in numbers.items():
        lines.append(f"{layer:<12}" + "".join(f"{values[name]:>16.4g}" for name in names))
    return "\n".join(lines)


def _check_grams(style: Style, file: Path) -> None:
    if not style.has_grams:
        raise ConfigError(f"{file} has other statistics than one Gram matrix a layer; save it as gram")
