"""Measure the peak memory of `jaxstyle stylize` as a whole process, and compare it with the prediction.

    python -m scripts.measuring.peak_memory [--json FILE]

Each process takes two steps at each size and writes the picture, on a CPU, with an empty cache, because compiling takes
memory too. The figures are the peaks of the resident memory, and are in `tests/optimization/test_memory.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from jaxstyle.images import read_shape
from jaxstyle.jobs import Options
from jaxstyle.optimization import Workload, predict_peak_bytes
from jaxstyle.weights import load_network
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record

CONTENT, STYLE = ROOT / "examples/content/harbour.jpg", ROOT / "examples/style/swirls.jpg"
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


def measured_bytes(options: Options) -> int:
    """The peak resident memory of a process with these options, which compiles everything."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "jaxstyle", "stylize", str(CONTENT), str(STYLE), *flags_of(options)]
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache", "JAX_PLATFORMS": "cpu"}
        command += ["--steps", "2", "-o", f"{folder}/out.png"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.measuring.peak_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    network, measured_on, rows = load_network(), machine(), []
    print(json.dumps(measured_on))
    for options in CASES:
        config = options.settings().resolve(network).config
        predicted = predict_peak_bytes(Workload(network, config, read_shape(CONTENT), (read_shape(STYLE),)))
        measured = measured_bytes(options)
        rows.append({"options": flags_of(options), "measured": measured, "predicted": predicted})
        print(f"{' '.join(flags_of(options)):<50}{measured / 2**20:8.0f} MiB{predicted / measured:8.2f}", flush=True)
    write_record(arguments.json, {"machine": measured_on, "rows": rows})


if __name__ == "__main__":
    main()
