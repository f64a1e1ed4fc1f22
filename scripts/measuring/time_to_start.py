"""Time the first step of `jaxstyle stylize` as a whole process, with and without cached programs.

    python -m scripts.measuring.time_to_start [CONTENT STYLE] [--size 128] [--rounds 3] [--json FILE]

Each process takes one step at the smallest size of the default pyramid and writes the picture. "cold" has an empty
cache; "compiled" has JAX's cache of compiled programs, but no traced programs (see `jaxstyle.compilation`); "warm" has
both. They are compared with the same step in `scripts.judges.neural_style`, which compiles nothing. The processes take
turns, and the figures are medians relative to neural-style. Requires the extra "bench".
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.arguments import make_parser
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record


def clear(cache: Path) -> None:
    shutil.rmtree(cache, ignore_errors=True)


def clear_traced(cache: Path) -> None:
    for folder in cache.rglob("traced"):
        clear(folder)


# How the cache is prepared before each process. Their order matters: each process fills the cache for the next one.
CACHE_STATES: dict[str, Callable[[Path], None]] = {
    "cold": clear,
    "compiled": clear_traced,
    "warm": lambda cache: None,
}


def timed(command: Sequence[str], cache: Path, *, check: bool = True) -> float:
    """The seconds that a command takes with a cache folder."""
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    began = time.perf_counter()
    subprocess.run(command, check=check, capture_output=True, env=environment)
    return time.perf_counter() - began


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """The seconds in each round, for neural-style and each state of the cache."""
    pair, cache = [str(arguments.content), str(arguments.style)], folder / "cache"
    options = ["--size", str(arguments.size), "--steps", "1", "-o", str(folder / "out.png")]
    jaxstyle_command = [sys.executable, "-m", "jaxstyle", "stylize", *pair, *options, "--overwrite"]
    other_command = [sys.executable, "-m", "scripts.judges.neural_style", *pair, *options, "--init", "image"]
    seconds: dict[str, list[float]] = {name: [] for name in ("neural-style", *CACHE_STATES)}
    for _ in range(arguments.rounds):
        seconds["neural-style"].append(timed(other_command, cache))
        for name, prepare in CACHE_STATES.items():
            prepare(cache)
            seconds[name].append(timed(jaxstyle_command, cache))
    return seconds


def main() -> None:
    parser = make_parser("measuring.time_to_start", __doc__)
    parser.add_argument("content", type=Path, nargs="?", default=ROOT / "examples/content/harbour.jpg")
    parser.add_argument("style", type=Path, nargs="?", default=ROOT / "examples/style/swirls.jpg")
    parser.add_argument("--size", type=int, default=128, help="longest side in pixels (default 128)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    measured_on = machine("torch")
    print(json.dumps(measured_on))
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(arguments, Path(folder))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rows = {name: median / medians["neural-style"] for name, median in medians.items()}
    for name, ratio in rows.items():
        print(f"{name:<14}{ratio:8.2f}")
    write_record(arguments.json, {"machine": measured_on, "size": arguments.size, "rows": rows})


if __name__ == "__main__":
    main()
