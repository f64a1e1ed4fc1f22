"""Time `jaxstyle stylize` until its result is as good as that of another tool, as whole processes.

    python -m scripts.measuring.time_to_loss [CONTENT STYLE] [--against pastiche|neural-style] [--steps 10 20 40]
                                             [--settings OPTIONS] [--json FILE]

The other tool runs once, with 500 steps of L-BFGS from the content picture: pastiche at 256 pixels, or neural-style as
in `scripts.judges.neural_style` at 512 pixels. jaxstyle runs once for each number of steps at the same size, with the
default settings except for `--settings`, after a run of one step that fills the cache of compiled programs. Seconds are
those of whole processes, including the writing of the picture, and are printed relative to the other tool's.

`scripts.judges.judge` measures all pictures, in PyTorch. A result of jaxstyle has "reached" that of the other tool if
neither "style" (the mean of |G - A| / |A|) nor "content" (squared distance at relu4_2) is larger. Requires the extra
"bench", and for pastiche the package pastiche.
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

from scripts.arguments import make_parser
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


def run_other(tool: str, content: Path, style: Path, out: Path) -> float:
    if tool == "pastiche":
        program = Path(sys.executable).with_name("pastiche")
        options = ("--content", content, "--styles", style, "--output", out, "--optimizer", "lbfgs")
        return timed(program, *options, "--size", SIZES[tool], "--num-steps", STEPS)
    module = (sys.executable, "-m", "scripts.judges.neural_style")
    return timed(*module, content, style, "-o", out, "--size", SIZES[tool], "--steps", STEPS, "--init", "image")


def run_jaxstyle(content: Path, style: Path, out: Path, size: int, steps: int, settings: str) -> float:
    command = (sys.executable, "-m", "jaxstyle", "stylize", content, style, "-o", out, "--overwrite")
    return timed(*command, "--size", size, "--steps", steps, *shlex.split(settings))


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """A record for each run: seconds and measures, relative to those of the other tool."""
    pair, tool, size = (arguments.content, arguments.style), arguments.against, SIZES[arguments.against]
    run_jaxstyle(*pair, folder / "first.png", size, 1, arguments.settings)
    files, seconds = {}, {}
    for steps in arguments.steps:
        name = f"jaxstyle, {steps} steps"
        files[name] = folder / f"{steps}.png"
        seconds[name] = run_jaxstyle(*pair, files[name], size, steps, arguments.settings)
    files[tool] = folder / "other.png"
    seconds[tool] = run_other(tool, *pair, files[tool])
    with torch.inference_mode():
        judge = Judge(*pair, size)
        measures = {name: judge.measure(file) for name, file in files.items()}
    rows = {}
    for name, values in measures.items():
        rows[name] = {
            "seconds": seconds[name] / seconds[tool],
            **{measure: values[measure] / measures[tool][measure] for measure in ("style", "content", "color")},
            "reached": all(values[measure] <= measures[tool][measure] for measure in ("style", "content")),
        }
    return rows


def main() -> None:
    parser = make_parser("measuring.time_to_loss", __doc__)
    parser.add_argument("content", type=Path, nargs="?", default=ROOT / "examples/content/harbour.jpg")
    parser.add_argument("style", type=Path, nargs="?", default=ROOT / "examples/style/swirls.jpg")
    parser.add_argument("--against", choices=SIZES, default="pastiche", help="the other tool (default pastiche)")
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 20, 40], help="steps of jaxstyle at full size")
    parser.add_argument("--settings", default="", help="further options of jaxstyle stylize, in one string")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    measured_on = machine("torch", *(["pastiche"] if arguments.against == "pastiche" else []))
    print(json.dumps(measured_on))
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(arguments, Path(folder))
    print(f"{'relative to ' + arguments.against:<26}" + "".join(f"{name:>10}" for name in rows[arguments.against]))
    for name, row in rows.items():
        *numbers, reached = row.values()
        print(f"{name:<26}" + "".join(f"{number:10.3f}" for number in numbers) + f"{'yes' if reached else 'no':>10}")
    settings = {"against": arguments.against, "size": SIZES[arguments.against], "settings": arguments.settings}
    write_record(arguments.json, {"machine": measured_on} | settings | {"rows": rows})


if __name__ == "__main__":
    main()
