"""`jaxstyle bench`: how fast a step is on this machine, and what share of its arithmetic that takes."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer

from jaxstyle.batch.vmapped import BatchSolver
from jaxstyle.cli.options import Precision
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images.resizing import MIN_SIDE
from jaxstyle.jobs.environment import device, device_name, versions
from jaxstyle.jobs.reading import network_record, read_network
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.networks.network import Network
from jaxstyle.networks.precision import dtype_of, matmul_precision
from jaxstyle.optimization import content_targets, make_objective
from jaxstyle.optimization.memory import predict_bytes
from jaxstyle.styles.measured import measure_statistics
from jaxstyle.stylize import prepare_network
from jaxstyle.weights.store import DEFAULT_NETWORK

_PEAK_SIDE = {"cpu": 2048}  # of the matrices whose product tells the peak; 8192 elsewhere


def bench_command(
    sizes: Annotated[str, typer.Option(help="Longest sides in pixels; the pictures are 4 to 3.")] = "256,512",
    batch_sizes: Annotated[str, typer.Option(help="Pictures in one program.")] = "1",
    rounds: Annotated[int, typer.Option(min=1, help="How often to time a few steps; the median counts.")] = 5,
    network: Annotated[
        str | None, typer.Option(help="Name of the network.", show_default=DEFAULT_NETWORK, metavar="NAME")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Your own network instead.")] = None,
    precision: Precision = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print a record instead of a table.")] = False,
) -> None:
    """Time a step of the optimization on this machine, with the default settings."""
    loaded = read_network(network, weights, "max", precision)
    config = resolve_layers(StyleConfig(), loaded.architecture)
    shapes = [(round(size * 3 / 4), size) for size in _counts("--sizes", sizes, least=2 * MIN_SIDE)]
    batch_counts = _counts("--batch-sizes", batch_sizes, least=1)
    found, peak = device(), matrix_product_rate(loaded.precision)
    if not as_json:
        typer.echo(f"{device_name(found)}, {peak / 1e9:.0f} GFLOP/s in {loaded.precision} matrix products")
        typer.echo("   pixels  batch  ready (s)  step (ms)  pictures/s  of peak  memory (GB)")
    rows = []
    for height, width in shapes:
        for count in batch_counts:
            row = time_steps(prepare_network(loaded), config, height, width, batch_size=count, rounds=rounds) | {
                "peak": peak
            }
            row["share"] = row["operations"] / row["step"] / peak
            rows.append(row)
            if not as_json:
                rate, gigabytes = count / row["step"], row["bytes"] / 1e9
                typer.echo(
                    f"{width:>5}x{height:<5}{count:>4}{row['ready']:>11.1f}{1000 * row['step']:>11.1f}{rate:>12.2f}"
                    f"{row['share']:>9.2f}{gigabytes:>13.2f}"
                )
    if as_json:
        about = {"network": network_record(loaded, network, weights), "device": found, "versions": versions()}
        typer.echo(json.dumps(about | {"rows": rows}, indent=2))
    else:
        typer.echo("Of peak: operations of direct convolutions, of which fast ones need fewer, so it may exceed 1.")


def time_steps(
    network: Network, config: StyleConfig, height: int, width: int, *, batch_size: int = 1, rounds: int = 5
) -> dict[str, Any]:
    """The median seconds of a step for `batch_size` pictures of this shape, and what it works on and with."""
    random = np.random.default_rng(0)
    content, style, picture = random.random((3, height, width, 3), np.float32)
    contents = content_targets(network.direct(), content, config.content_names)
    objective = make_objective(config, contents, measure_statistics(network.direct(), style, config.style_names))
    program = BatchSolver(batch_size)
    many, state = program.stack([objective]), program.init([picture], optimizer=config.optimizer)

    began = time.perf_counter()
    state, terms = program.run(network, many, state, 1, optimizer=config.optimizer)
    jax.block_until_ready(terms)
    ready, steps, seconds = time.perf_counter() - began, 3, []
    for _ in range(rounds):
        began = time.perf_counter()
        state, terms = program.run(network, many, state, steps, optimizer=config.optimizer)
        jax.block_until_ready(terms)
        seconds.append((time.perf_counter() - began) / steps)
    return {
        "height": height,
        "width": width,
        "batch_size": batch_size,
        "ready": ready,
        "step": statistics.median(seconds),
        "operations": batch_size * operations(network, (*config.content_names, *config.style_names), height, width),
        "bytes": predict_bytes(network, config, height, width, batch_size=batch_size),
    }


def operations(network: Network, layers: Sequence[str], height: int, width: int) -> int:
    """Multiplications and additions of direct convolutions for one loss and its gradient in the picture."""
    below = [layer for layer in network.up_to(layers) if layer in network.parameters]
    shape = np.array([height, width])
    positions = {layer: int(network.extent_at(layer, shape).prod()) for layer in below}
    return sum(4 * network.parameters[layer]["kernel"].size * positions[layer] for layer in below)


def matrix_product_rate(precision: str) -> float:
    """Operations a second of a large matrix product in this precision; the best of ten."""
    side = _PEAK_SIDE.get(jax.local_devices()[0].platform, 8192)
    matrix = jax.random.normal(jax.random.key(0), (side, side), dtype_of(precision))
    product = jax.jit(partial(jnp.matmul, precision=matmul_precision(precision)))

    def timed(run: Callable[[], jax.Array]) -> float:
        began = time.perf_counter()
        jax.block_until_ready(run())
        return time.perf_counter() - began

    product(matrix, matrix).block_until_ready()
    return 2 * side**3 / min(timed(lambda: product(matrix, matrix)) for _ in range(10))


def _counts(option: str, text: str, *, least: int) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise ConfigError(f"{option} has {text!r}; expected whole numbers from {least} up, such as 256,512")
    return [int(part) for part in parts]
