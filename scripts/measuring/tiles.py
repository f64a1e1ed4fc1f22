"""Measure pictures by tiles: the time of an evaluation, the peak memory, and whether borders of tiles show.

    python -m scripts.measuring.tiles [time] [memory] [seams] [--sizes 1024 2048] [--tile-sizes 512 1024] [--rounds 3]
                                      [--seam-size 512] [--seam-tile-size 256] [--json FILE]

Pictures have the proportions 4:3, and settings are the defaults with VGG-19. On a GPU the same command measures the
GPU.

time: the median seconds of one loss and its gradient, as a whole and by tiles, and the ratio. The contenders take
turns. Memory is the compiler's account of what each needs beyond its arguments.

memory: the peak resident memory of `jaxstyle stylize` with two steps at each size, compared with the prediction; on a
CPU, in a process with empty caches. The smallest tile size is used.

seams: a picture is stylized as a whole and by tiles. The energy of its gradient across the borders of tiles, relative
to that of all of the picture, is compared with that at the same places of the picture stylized as a whole.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization import (
    Objective,
    Terms,
    Workload,
    make_objective,
    predict_peak_bytes,
    prepare_network,
    solver,
)
from jaxstyle.optimization.tiles import content_targets_by_tiles
from jaxstyle.optimization.windows import Windows, cover, margins_for
from jaxstyle.options import Options
from jaxstyle.styles import measure_statistics
from scripts.arguments import make_parser
from scripts.measuring.pairs import DEFAULTS, ROOT
from scripts.measuring.peak_memory import measured_bytes
from scripts.measuring.records import machine, median_seconds, write_record

KINDS = ("time", "memory", "seams")
CONTENT, STYLE = ROOT / "examples/content/harbour.jpg", ROOT / "examples/style/swirls.jpg"


def windows_of(network: Network, height: int, width: int, tile_size: int) -> Windows:
    layers = (*DEFAULTS.content_names, *DEFAULTS.style_names)
    return cover(height, width, tile_size, margins_for(network, dict.fromkeys(layers, 0)))


def measure_time(network: Network, size: int, tile_sizes: list[int], rounds: int) -> dict[str, Any]:
    """Seconds and temporary memory of an evaluation at this size, as a whole and by tiles."""
    height, width = size * 3 // 4, size
    content, style, picture = np.random.default_rng(0).random((3, height, width, 3), np.float32)
    targets = content_targets_by_tiles(network.direct(), content, DEFAULTS.content_names, tile_size=min(tile_sizes))
    statistics = measure_statistics(network.direct(), style[:512, :512], DEFAULTS.style_names)
    prepared = prepare_network(network, replace(DEFAULTS, size=size))
    evaluate = jax.jit(solver.terms_and_gradient, compiler_options=COMPILER_OPTIONS)

    def compiled(tile_size: int | None) -> tuple[Callable[[], Any], int]:
        objective: Objective = make_objective(DEFAULTS, targets, statistics, tile_size=tile_size)
        program: Any = evaluate.lower(prepared, objective, picture).compile()
        run: Callable[[], tuple[Terms, jax.Array]] = partial(program, prepared, objective, picture)
        return lambda: jax.block_until_ready(run()), program.memory_analysis().temp_size_in_bytes

    contenders = {str(tile_size): compiled(tile_size) for tile_size in (None, *tile_sizes)}
    seconds = median_seconds({name: run for name, (run, _) in contenders.items()}, rounds)
    rows = {}
    for name, (_, temporary) in contenders.items():
        shape = (height, width) if name == "None" else windows_of(network, height, width, int(name)).shape
        rows[name] = {"seconds": seconds[name], "ratio": seconds[name] / seconds["None"], "bytes": temporary}
        label = "whole" if name == "None" else f"tiles of {name}"
        print(
            f"{width} x {height}, {label}, windows {shape[1]} x {shape[0]}: "
            f"{seconds[name]:.3f} s, {rows[name]['ratio']:.2f} x whole, {temporary / 2**20:.0f} MiB",
            flush=True,
        )
    return {"height": height, "width": width, "rows": rows}


def measure_memory(network: Network, size: int, tile_size: int) -> dict[str, Any]:
    """The peak memory of a process, in bytes, and its prediction."""
    options = Options(size=size, tile_size=tile_size)
    config = replace(DEFAULTS, size=size, tile_size=tile_size)
    predicted = predict_peak_bytes(Workload(network, config, (3, 4), ((4, 5),)))
    measured = measured_bytes(options)
    print(
        f"size {size} by tiles of {tile_size}: {measured / 2**30:.2f} GiB, predicted {predicted / measured:.2f} of it",
        flush=True,
    )
    return {"size": size, "tile_size": tile_size, "measured": measured, "predicted": predicted}


def seam_energy(picture: np.ndarray, windows: Windows) -> float:
    """The mean squared difference of pixels across the borders of tiles, relative to that of all neighbors."""
    energy = []
    for axis in (0, 1):
        squares = (np.diff(picture, axis=axis) ** 2).mean((1 - axis, 2))
        borders = sorted({int(begin) for begin in windows.all.begin[:, axis]} - {0})
        energy += [squares[border - 1] / squares.mean() for border in borders]
    return float(np.mean(energy))


def measure_seams(network: Network, size: int, tile_size: int) -> dict[str, Any]:
    """The energy at the borders of tiles, of a picture by tiles and of one as a whole."""
    content, style = (jaxstyle.read_image(path, size=size) for path in (CONTENT, STYLE))
    results = {
        name: jaxstyle.stylize(content, style, network=network, config=replace(DEFAULTS, size=size, tile_size=tiles))
        for name, tiles in (("whole", size), ("tiles", tile_size))
    }
    height, width = content.shape[:2]
    windows = windows_of(network, height, width, tile_size)
    energy = {name: seam_energy(result.image, windows) for name, result in results.items()}
    losses = {name: float(result.history.total[-1]) for name, result in results.items()}
    difference = float(np.abs(results["tiles"].image - results["whole"].image).mean())
    print(
        f"size {size} by tiles of {tile_size}, {len(windows.all.begin)} windows: "
        f"energy at borders {energy['tiles']:.3f}, as a whole {energy['whole']:.3f}; "
        f"losses {losses['tiles']:.5f}, {losses['whole']:.5f}; mean difference {255 * difference:.2f} of 255",
        flush=True,
    )
    return {"size": size, "tile_size": tile_size, "energy": energy, "losses": losses, "difference": difference}


def main() -> None:
    parser = make_parser("measuring.tiles", __doc__)
    parser.add_argument("kinds", nargs="*", choices=KINDS, help="what to measure; all by default")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1024], help="longest sides of the pictures")
    parser.add_argument("--tile-sizes", nargs="+", type=int, default=[512, 1024], help="sizes of the tiles")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds")
    parser.add_argument("--seam-size", type=int, default=512, help="longest side of the pictures for seams")
    parser.add_argument("--seam-tile-size", type=int, default=256, help="size of their tiles")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    kinds, network, record = arguments.kinds or KINDS, jaxstyle.load_network(), dict[str, Any]()
    record["machine"] = machine()
    print(json.dumps(record["machine"]), flush=True)
    if "time" in kinds:
        tile_sizes = arguments.tile_sizes
        record["time"] = [measure_time(network, size, tile_sizes, arguments.rounds) for size in arguments.sizes]
    if "memory" in kinds and jax.default_backend() == "cpu":
        record["memory"] = [measure_memory(network, size, min(arguments.tile_sizes)) for size in arguments.sizes]
    if "seams" in kinds:
        record["seams"] = measure_seams(network, arguments.seam_size, arguments.seam_tile_size)
    write_record(arguments.json, record)


if __name__ == "__main__":
    main()
