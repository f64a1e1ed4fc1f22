"""Make the results of other programs for the twelve pairs, in PyTorch: variants for `scripts.looks.compare`.

    python -m scripts.looks.peers [--size 256] [--pairs tubingen-the_scream] [--share 1.0]

    neural-style         `scripts.judges.neural_style`: 1000 steps of L-BFGS from noise
    style-transfer       `scripts.judges.wasserstein_style`: 1000 steps of Adam at 128 pixels, 500 at each larger size

With `--share 0.2` each takes a fifth of its steps; records and names then say so. The contents and styles are those
that `scripts.looks.compare` writes.
"""

import subprocess
import sys
from pathlib import Path

from scripts.arguments import make_parser
from scripts.looks.compare import picture_file, write_inputs
from scripts.looks.pairs import Pair, available_pairs


def commands(share: float) -> dict[str, list[str]]:
    """The command of each program by its name as a variant, without the pictures."""
    ending = "" if share == 1 else f" x{share:g}"
    steps, first = f"{round(500 * share)}", f"{round(1000 * share)}"
    return {
        f"neural-style{ending}": ["scripts.judges.neural_style", "--steps", first],
        f"style-transfer{ending}": ["scripts.judges.wasserstein_style", "--steps", steps, "--first-steps", first],
    }


def run(pair: Pair, name: str, command: list[str], size: int) -> None:
    """Make a result that is not there."""
    output = picture_file(pair, name, size)
    if output.exists():
        return
    # Both programs write a record with the suffix .json, which is the judge's here.
    scratch = output.parent / "peers" / output.name
    scratch.parent.mkdir(exist_ok=True)
    inputs = [picture_file(pair, kind, size) for kind in ("content", "style")]
    arguments = [*map(str, inputs), "-o", str(scratch), "--size", str(size), "--threads", "1"]
    subprocess.run([sys.executable, "-m", *command[:1], *arguments, *command[1:]], check=True, stdout=sys.stderr)
    Path(scratch).rename(output)


def main() -> None:
    parser = make_parser("looks.peers", __doc__)
    parser.add_argument("--size", type=int, default=256, help="longest side (default 256)")
    parser.add_argument("--pairs", nargs="+", help="names of pairs (default all)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps (default 1)")
    arguments = parser.parse_args()
    for pair in available_pairs(arguments.pairs):
        picture_file(pair, "content", arguments.size).parent.mkdir(parents=True, exist_ok=True)
        write_inputs(pair, arguments.size)
        for name, command in commands(arguments.share).items():
            run(pair, name, command, arguments.size)


if __name__ == "__main__":
    main()
