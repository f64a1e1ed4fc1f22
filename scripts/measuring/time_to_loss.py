#!/usr/bin/env python3
"""How long `jaxstyle stylize` takes to get as far as another tool does, as whole processes, side by side.

    python scripts/time_to_loss [CONTENT STYLE] [--against pastiche|neural-style] [--steps 10 20 40]
                                [--settings OPTIONS] [--json FILE]

The other tool is run once, with 500 steps of L-BFGS from the content picture: pastiche as its users run it, at 256
pixels, or neural-style as scripts/neural_style.py renders it, at 512. jaxstyle is run once for each number of steps at
the same size, with its defaults but for `--settings`, after a run of one step that fills its cache of compiled
programs. Seconds are from the start of a process to its end, with the picture written, and are given as ratios.

All pictures are seen by scripts/judge.py, another framework than jaxstyle's. jaxstyle got as far where neither its
"style" (mean |G - A| / |A|) nor its "content" (squared distance of relu4_2) is larger than the other tool's. Needs the
extra "bench", and pastiche for itself.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from scripts.judges.judge import Judge
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record

STEPS = 500
SIZES = {"pastiche": 256, "neural-style": 512}


def timed(*command: object) -> float:
    """The seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return time.perf_counter() - began


def run_other(name: str, content: Path, style: Path, out: Path) -> float:
    if name == "pastiche":
        program = Path(sys.executable).with_name("pastiche")
        given = ("--content", content, "--styles", style, "--output", out)
        return timed(program, *given, "--size", SIZES[name], "--num-steps", STEPS, "--optimizer", "lbfgs")
    program = ROOT / "scripts" / "neural_style.py"
    options = ("--size", SIZES[name], "--steps", STEPS, "--init", "image")
    return timed(sys.executable, program, content, style, "-o", out, *options)


def run_jaxstyle(content: Path, style: Path, out: Path, size: int, steps: int, settings: str) -> float:
    command = (sys.executable, "-m", "jaxstyle", "stylize", content, style, "-o", out, "--overwrite")
    return timed(*command, "--size", size, "--steps", steps, *shlex.split(settings))


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """For each run its seconds relative to the other tool's, and how its picture is judged."""
    pair, other, size = (arguments.content, arguments.style), arguments.against, SIZES[arguments.against]
    run_jaxstyle(*pair, folder / "first.png", size, 1, arguments.settings)
    files, seconds = {}, {}
    for steps in arguments.steps:
        name = f"jaxstyle, {steps} steps"
        files[name] = folder / f"{steps}.png"
        seconds[name] = run_jaxstyle(*pair, files[name], size, steps, arguments.settings)
    files[other] = folder / "other.png"
    seconds[other] = run_other(other, *pair, files[other])
    with torch.inference_mode():
        judge = Judge(*pair, size)
        judged = {name: judge.measure(file) for name, file in files.items()}
    rows = {}
    for name, found in judged.items():
        reached = all(found[measure] <= judged[other][measure] for measure in ("style", "content"))
        rows[name] = {
            "seconds": seconds[name] / seconds[other],
            **{measure: found[measure] / judged[other][measure] for measure in ("style", "content", "color")},
            "reached": reached,
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content", type=Path, nargs="?", default=ROOT / "examples/content/harbour.jpg")
    parser.add_argument("style", type=Path, nargs="?", default=ROOT / "examples/style/swirls.jpg")
    parser.add_argument("--against", choices=SIZES, default="pastiche")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--settings", default="", help="further options of jaxstyle stylize, in one string")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    measured_on = machine("torch", *(["pastiche"] if arguments.against == "pastiche" else []))
    print(json.dumps(measured_on))
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(arguments, Path(folder))
    print(f"{'of ' + arguments.against + ' own':<24}" + "".join(f"{name:>10}" for name in rows[arguments.against]))
    for name, row in rows.items():
        *numbers, reached = row.values()
        print(f"{name:<24}" + "".join(f"{number:10.3f}" for number in numbers) + f"{'yes' if reached else 'no':>10}")
    settings = {"against": arguments.against, "size": SIZES[arguments.against], "settings": arguments.settings}
    write_record(arguments.json, {"machine": measured_on} | settings | {"rows": rows})


if __name__ == "__main__":
    main()
