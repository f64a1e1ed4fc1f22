"""Time what somebody meets in the first minute, as whole processes.

    python -m scripts.measuring.first_minute [CONTENT STYLE] [--size 512] [--rounds 3] [--json FILE]

"cold" has an empty cache of compiled programs, and "warm" the cache that the cold run filled. The short commands are
relative to the import of JAX alone, and the first picture to the second one. The processes take turns, and the figures
are ratios of medians. On a GPU, seconds are printed too.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

import jax

from scripts.arguments import make_parser
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record
from scripts.measuring.time_to_start import timed

JAXSTYLE = (sys.executable, "-m", "jaxstyle")
PYTHON = (sys.executable, "-c")


def commands(content: Path, style: Path, size: int, output: Path) -> dict[str, tuple[str, ...]]:
    """The processes to time, by name; those that end with an error are as slow as their message."""
    stylize = (*JAXSTYLE, "stylize", str(content), str(style), "-o", str(output), "--overwrite")
    return {
        "import jax": (*PYTHON, "import jax"),
        "import jaxstyle": (*PYTHON, "import jaxstyle"),
        "load_network": (*PYTHON, "import jaxstyle; jaxstyle.load_network"),
        "--version": (*JAXSTYLE, "--version"),
        "--help": (*JAXSTYLE, "--help"),
        "stylize --help": (*JAXSTYLE, "stylize", "--help"),
        "unknown option": (*stylize, "--sise", "64"),
        "missing file": (*JAXSTYLE, "stylize", "missing.jpg", str(style), "-o", str(output)),
        "too large": (*stylize, "--size", "30000"),
        "cold": (*stylize, "--size", str(size)),
        "warm": (*stylize, "--size", str(size)),
    }


def main() -> None:
    parser = make_parser("measuring.first_minute", __doc__)
    parser.add_argument("content", type=Path, nargs="?", default=ROOT / "examples/content/harbour.jpg")
    parser.add_argument("style", type=Path, nargs="?", default=ROOT / "examples/style/swirls.jpg")
    parser.add_argument("--size", type=int, default=512, help="longest side of the picture in pixels (default 512)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    measured_on = machine()
    print(json.dumps(measured_on))
    seconds: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "out.png")
            for name, command in commands(arguments.content, arguments.style, arguments.size, output).items():
                seconds.setdefault(name, []).append(timed(command, Path(folder, "cache"), check=False))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rows = {}
    for name, median in medians.items():
        baseline = "warm" if name in ("cold", "warm") else "import jax"
        rows[name] = {"relative to": baseline, "ratio": median / medians[baseline]}
        if jax.default_backend() != "cpu":
            rows[name]["seconds"] = median
        print(f"{name:<18}{rows[name]['ratio']:6.2f} of {baseline:<12}{rows[name].get('seconds', '')}", flush=True)
    write_record(arguments.json, {"machine": measured_on, "size": arguments.size, "rows": rows})


if __name__ == "__main__":
    main()
