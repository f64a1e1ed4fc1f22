"""How far results of several strengths are from the photograph: the table of docs/looks.md.

    python -m scripts.measuring.compare_strengths [--size 128] [--steps 20] [--json FILE]

The distance is |F - P| / |P| at relu3_1 of VGG-16, which takes no part in the optimization, for two of the example
pairs.
"""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

import jaxstyle
from scripts.arguments import make_parser
from scripts.measuring.pairs import DEFAULTS, read_pair
from scripts.measuring.records import machine, write_record

PAIRS = (("harbour", "swirls"), ("coffee", "facets"))
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
LAYER = "relu3_1"


@jax.jit
def features(network: jaxstyle.Network, picture: jax.Array) -> jax.Array:
    return network.features(picture, (LAYER,))[LAYER]


def distances(pair: tuple[str, str], judge: jaxstyle.Network, size: int, steps: int) -> list[float]:
    """The distance of the result of each strength from the photograph."""
    content, style = read_pair(pair, size)
    target = np.asarray(features(judge, content))
    found = []
    for strength in STRENGTHS:
        config = replace(DEFAULTS, size=size, steps=steps, strength=strength)
        result = jaxstyle.stylize(content, style, config=config).image
        found.append(float(np.linalg.norm(features(judge, result) - target) / np.linalg.norm(target)))
    return found


def main() -> None:
    parser = make_parser("measuring.compare_strengths", __doc__)
    parser.add_argument("--size", type=int, default=128, help="longest side in pixels (default 128)")
    parser.add_argument("--steps", type=int, default=20, help="number of steps (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    arguments = parser.parse_args()
    print(json.dumps(machine()))
    judge = jaxstyle.load_network("vgg16", precision="float32").direct()
    rows = {" with ".join(pair): distances(pair, judge, arguments.size, arguments.steps) for pair in PAIRS}
    lines = [f"| strength | {' | '.join(f'{strength:g}' for strength in STRENGTHS)} |", "| --- " * 9 + "|"]
    lines += [f"| {name} | {' | '.join(f'{value:.2f}' for value in row)} |" for name, row in rows.items()]
    print("\n".join(lines))
    record = {"machine": machine(), "size": arguments.size, "steps": arguments.steps, "strengths": STRENGTHS}
    write_record(arguments.json, record | {"distances": rows})


if __name__ == "__main__":
    main()
