"""Compare the precisions of the features by the losses, the picture and the time of a stylization.

    python -m scripts.measuring.compare_precision [--size 512] [--steps 40] [--out FOLDER] [--json FILE]

Stylizes four pairs in float32, in the other precisions, and in float32 from a perturbed content that differs by at most
1e-5, which shows the effect of rounding alone on the optimization. The losses of the finished pictures are evaluated in
float32; the losses along the way are those of each run. Each run is repeated, and the second one is timed, because it
does not compile. Times are recorded for GPUs only, where the other precisions are useful.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.optimization import make_targets, prepare_network
from scripts.arguments import make_parser
from scripts.measuring.pairs import DEFAULTS, PAIRS, read_pair
from scripts.measuring.records import machine, write_record

PERTURBATION = 1e-5


def stylize_twice(
    content: np.ndarray, style: np.ndarray, config: jaxstyle.StyleConfig, precision: str
) -> tuple[jaxstyle.Stylized, float]:
    """The result of a stylization, and the seconds of the second run."""
    network = jaxstyle.load_network("vgg19", precision=precision)
    jaxstyle.stylize(content, style, network=network, config=config)
    began = time.perf_counter()
    return jaxstyle.stylize(content, style, network=network, config=config), time.perf_counter() - began


def compare(content: np.ndarray, style: np.ndarray, config: jaxstyle.StyleConfig, name: str, out: Path | None) -> Any:
    """A record for each run: the final losses, and the largest deviation along the way, relative to float32."""
    noise = np.random.default_rng(0).uniform(-PERTURBATION, PERTURBATION, content.shape).astype(np.float32)
    runs = {
        "float32": (content, "float32"),
        "float32, perturbed": (np.clip(content + noise, 0, 1), "float32"),
        "tensorfloat32": (content, "tensorfloat32"),
        "bfloat16": (content, "bfloat16"),
    }
    judge = prepare_network(jaxstyle.load_network("vgg19", precision="float32"))
    objective = make_targets(judge, config, content, [style], None, config.size).objective
    evaluate = jax.jit(lambda picture, judge, objective: objective.terms(judge, picture))
    rows: dict[str, dict[str, float]] = {}
    reference: Any = None
    for run, (picture, precision) in runs.items():
        result, seconds = stylize_twice(picture, style, config, precision)
        reference = reference or result
        terms, reference_terms = (evaluate(image, judge, objective) for image in (result.image, reference.image))
        at_full_size = result.sizes == config.size
        deviations = np.abs(result.history.total / reference.history.total - 1)[at_full_size]
        rows[run] = {
            "loss": float(terms.total / reference_terms.total),
            "style": float(terms.style / reference_terms.style),
            "content": float(terms.content / reference_terms.content),
            "along the way": float(deviations[len(deviations) // 4 :].max()),
            "difference": float(255 * np.abs(result.image - reference.image).mean()),
        }
        if jax.default_backend() != "cpu":
            rows[run]["seconds"] = seconds
        if out:
            jaxstyle.write_image(out / f"{name}-{run.replace(', ', '-')}.png", result.image)
    return rows


def main() -> None:
    parser = make_parser("measuring.compare_precision", __doc__)
    parser.add_argument("--size", type=int, default=512, help="longest side in pixels (default 512)")
    parser.add_argument("--steps", type=int, default=jaxstyle.StyleConfig().steps, help="steps at full size")
    parser.add_argument("--out", type=Path, help="write the pictures to this folder")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    config = replace(DEFAULTS, size=arguments.size, steps=arguments.steps)
    measured_on = machine()
    print(json.dumps(measured_on))
    records = {}
    for pair in PAIRS:
        name = "-".join(pair)
        records[name] = rows = compare(*read_pair(pair, arguments.size), config, name, arguments.out)
        print(f"{name:<20}" + "".join(f"{column:>15}" for column in rows["float32"]))
        for run, row in rows.items():
            print(f"{run:<20}" + "".join(f"{value:15.4f}" for value in row.values()), flush=True)
        settings = {"machine": measured_on, "size": arguments.size, "steps": arguments.steps}
        write_record(arguments.json, settings | {"pairs": records})


if __name__ == "__main__":
    main()
