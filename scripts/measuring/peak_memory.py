"""Measure the peak memory of `jaxstyle stylize` as a whole process, and compare it with the prediction.

    python -m scripts.measuring.peak_memory [--against-neural-style] [--json FILE]

Each process takes two steps at each size and writes the picture, on a CPU, with an empty cache, because compiling takes
memory too. The figures are the peaks of the resident memory, and are in `tests/optimization/test_memory.py`.

With `--against-neural-style`, the whole default at 512 pixels, with an empty cache and with a full one, is compared
with neural-style in PyTorch after as many steps as fill its history. Requires torch.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxstyle.images import read_shape
from jaxstyle.optimization import Workload, predict_peak_bytes
from jaxstyle.options import Options
from jaxstyle.weights import load_network
from scripts.arguments import make_parser
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record

CONTENT, STYLE = ROOT / "examples/content/harbour.jpg", ROOT / "examples/style/swirls.jpg"
PAIR = (str(CONTENT), str(STYLE))
HISTORY = 100  # of neural-style's L-BFGS
CASES = (
    Options(size=64),
    Options(size=256),
    Options(size=512),
    Options(size=512, style_scale="2"),
    Options(size=512, style_representation="shifted"),
    Options(size=512, regions=2),
    Options(size=768),
)


def flags_of(options: Options) -> list[str]:
    """The options of the command that differ from the defaults."""
    defaults = vars(Options())
    changed = {name: value for name, value in vars(options).items() if value != defaults[name]}
    return [text for name, value in changed.items() for text in (f"--{name.replace('_', '-')}", str(value))]


def run_measured(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, int]:
    """The seconds of a process, and its peak resident memory in bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - began, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_bytes(module: str, folder: str, *arguments: str) -> int:
    """The peak resident memory of a process on CPU whose cache is in a folder, where it writes `out.png`."""
    command = [sys.executable, "-m", module, *arguments, "-o", f"{folder}/out.png"]
    return run_measured(command, {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache", "JAX_PLATFORMS": "cpu"})[1]


def measured_bytes(options: Options) -> int:
    """The peak of two steps with these options, which compiles everything."""
    with tempfile.TemporaryDirectory() as folder:
        return peak_bytes("jaxstyle", folder, "stylize", *PAIR, *flags_of(options), "--steps", "2")


def predictions() -> Iterator[dict[str, Any]]:
    """The peaks of two steps, measured and predicted."""
    network = load_network()
    for options in CASES:
        config = options.settings().resolve(network).config
        predicted = predict_peak_bytes(Workload(network, config, read_shape(CONTENT), (read_shape(STYLE),)))
        measured = measured_bytes(options)
        print(f"{' '.join(flags_of(options)):<50}{measured / 2**20:8.0f} MiB{predicted / measured:8.2f}", flush=True)
        yield {"options": flags_of(options), "measured": measured, "predicted": predicted}


def against_neural_style() -> Iterator[dict[str, Any]]:
    """The peaks of whole processes with the defaults, and relative to that of neural-style with a full history."""
    with tempfile.TemporaryDirectory() as folder:
        baseline = peak_bytes("scripts.judges.neural_style", folder, *PAIR, "--steps", str(HISTORY + 2))
        ours = {cache: peak_bytes("jaxstyle", folder, "stylize", *PAIR, "--overwrite") for cache in ("empty", "full")}
    peaks = {"neural-style": baseline} | {f"jaxstyle, {cache} cache": peak for cache, peak in ours.items()}
    for name, peak in peaks.items():
        print(f"{name:<50}{peak / 2**20:8.0f} MiB{peak / baseline:8.2f}", flush=True)
        yield {"process": name, "measured": peak, "relative": peak / baseline}


def main() -> None:
    parser = make_parser("measuring.peak_memory", __doc__)
    parser.add_argument("--against-neural-style", action="store_true", help="compare with neural-style in PyTorch")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    measured_on = machine()
    print(json.dumps(measured_on))
    rows = list(against_neural_style() if arguments.against_neural_style else predictions())
    write_record(arguments.json, {"machine": measured_on, "rows": rows})


if __name__ == "__main__":
    main()
