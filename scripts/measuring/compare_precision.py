#!/usr/bin/env python3
"""Whether less precise features change what a stylization does: its losses, its picture, and its time.

    python scripts/compare_precision [--size 512] [--steps 40] [--out FOLDER] [--json FILE]

Each of four pairs is painted in float32, and then in every other precision, and in float32 from a content that differs
by at most 1e-5: what rounding alone does to the way of the optimization. The losses that are compared are float32's own
of the finished pictures, and those along the way. Every run is made twice, and the second, with its programs at hand,
is timed. Times are told of GPUs only, where the other precisions are of use.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.optimization.targets import make_targets
from jaxstyle.stylize import prepare_network
from scripts.measuring.pairs import DEFAULTS, PAIRS, read_pair
from scripts.measuring.records import machine, write_record

NUDGE = 1e-5


def paint(
    content: np.ndarray, style: np.ndarray, config: jaxstyle.StyleConfig, precision: str
) -> tuple[jaxstyle.Stylized, float]:
    """A stylization, and the seconds of its second run."""
    network = jaxstyle.load_network("vgg19", precision=precision)
    jaxstyle.stylize(content, style, network=network, config=config)
    began = time.perf_counter()
    return jaxstyle.stylize(content, style, network=network, config=config), time.perf_counter() - began


def compare(content: np.ndarray, style: np.ndarray, config: jaxstyle.StyleConfig, name: str, out: Path | None) -> Any:
    """For each way to compute its final loss, and the losses along the way, relative to float32's."""
    noise = np.random.default_rng(0).uniform(-NUDGE, NUDGE, content.shape).astype(np.float32)
    runs = {
        "float32": (content, "float32"),
        "float32, nudged": (np.clip(content + noise, 0, 1), "float32"),
        "tensorfloat32": (content, "tensorfloat32"),
        "bfloat16": (content, "bfloat16"),
    }
    judge = prepare_network(jaxstyle.load_network("vgg19", precision="float32"))
    objective = make_targets(judge, config, content, [style], None, config.size).objective
    loss_of = jax.jit(lambda picture, judge, objective: objective.terms(judge, picture))
    rows: dict[str, dict[str, float]] = {}
    usual: Any = None
    for run, (picture, precision) in runs.items():
        done, seconds = paint(picture, style, config, precision)
        usual = usual or done
        terms, own = loss_of(done.image, judge, objective), loss_of(usual.image, judge, objective)
        last = done.sizes == config.size
        along = np.abs(done.history.total / usual.history.total - 1)[last][len(done.sizes[last]) // 4 :]
        rows[run] = {
            "loss": float(terms.total / own.total),
            "style": float(terms.style / own.style),
            "content": float(terms.content / own.content),
            "along": float(along.max()),
            "difference": float(255 * np.abs(done.image - usual.image).mean()),
        }
        if jax.default_backend() != "cpu":
            rows[run]["seconds"] = seconds
        if out:
            jaxstyle.write_image(out / f"{name}-{run.replace(', ', '-')}.png", done.image)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=jaxstyle.StyleConfig().steps)
    parser.add_argument("--out", type=Path, help="put the pictures into this folder")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    config = replace(DEFAULTS, size=arguments.size, steps=arguments.steps)
    measured_on = machine()
    print(json.dumps(measured_on))
    found = {}
    for pair in PAIRS:
        name = "-".join(pair)
        found[name] = rows = compare(*read_pair(pair, arguments.size), config, name, arguments.out)
        print(f"{name:<20}" + "".join(f"{column:>12}" for column in rows["float32"]))
        for run, row in rows.items():
            print(f"{run:<20}" + "".join(f"{value:12.4f}" for value in row.values()), flush=True)
        about = {"machine": measured_on, "size": arguments.size, "steps": arguments.steps}
        write_record(arguments.json, about | {"pairs": found})


if __name__ == "__main__":
    main()
