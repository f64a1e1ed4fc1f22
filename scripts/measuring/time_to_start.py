#!/usr/bin/env python3
"""How long a first step takes, from the start of a process: with all caches, with the compiler's alone, with none.

    python scripts/time_to_start [CONTENT STYLE] [--size 128] [--rounds 3] [--json FILE]

One step of `jaxstyle stylize`, picture written, at the smallest size of the default pyramid. "warm" finds what an
earlier process left; "compiled" finds compiled programs, but none that are traced (`jaxstyle/programs.py`); "cold"
finds nothing. Beside them the same step of scripts/neural_style.py, which compiles nothing. The rows are run in turn;
figures are medians relative to neural-style's. Needs the extra "bench".
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
from collections.abc import Callable
from pathlib import Path

from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record

Clear = Callable[[Path], None]


def empty(cache: Path) -> None:
    shutil.rmtree(cache, ignore_errors=True)


def empty_of_traces(cache: Path) -> None:
    empty(cache / "traced")


# What is done to the cache before each start. The last one leaves for the first what it needs.
STARTS: dict[str, Clear] = {"cold": empty, "compiled": empty_of_traces, "warm": lambda cache: None}


def seconds_of(command: list[str], cache: Path) -> float:
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """The seconds of each round, by row."""
    pair, cache = [str(arguments.content), str(arguments.style)], folder / "cache"
    options = ["--size", str(arguments.size), "--steps", "1", "-o", str(folder / "out.png")]
    ours = [sys.executable, "-m", "jaxstyle", "stylize", *pair, *options, "--overwrite"]
    others = [sys.executable, str(ROOT / "scripts" / "neural_style.py"), *pair, *options, "--init", "image"]
    seconds: dict[str, list[float]] = {name: [] for name in ("neural-style", *STARTS)}
    for _ in range(arguments.rounds):
        seconds["neural-style"].append(seconds_of(others, cache))
        for name, clear in STARTS.items():
            clear(cache)
            seconds[name].append(seconds_of(ours, cache))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content", type=Path, nargs="?", default=ROOT / "examples/content/harbour.jpg")
    parser.add_argument("style", type=Path, nargs="?", default=ROOT / "examples/style/swirls.jpg")
    parser.add_argument("--size", type=int, default=128, help="longest side in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    measured_on = machine("torch")
    print(json.dumps(measured_on))
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(arguments, Path(folder))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    rows = {name: median / medians["neural-style"] for name, median in medians.items()}
    for name, ratio in rows.items():
        print(f"{name:<14}{ratio:8.2f}")
    write_record(arguments.json, {"machine": measured_on, "size": arguments.size, "rows": rows})


if __name__ == "__main__":
    main()
