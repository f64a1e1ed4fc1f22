#!/usr/bin/env python3
"""Compare solvers, and ways from coarse to fine, by the loss that they reach in equal seconds, on four pairs.

    python scripts/compare_solvers [--size 256] [--only NAME...] [--kept]

Every variant makes as many steps as its schedule says, and at full size as many as it can in the seconds that the
default took; all start from their size's picture as jaxstyle's do. The loss is that of the default objective in float32
at full size, of the picture as it stands, enlarged where the size is still a smaller one. Seconds are of steps alone,
without compilation and judging.

Runs are kept in build/compare_solvers and not made again; with `--kept`, none are made, and the report is of those that
are there. Writes solvers-SIZE.json and solvers-SIZE.png into docs/defaults and prints a table. Needs jaxstyle with its
`bench` extra.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np

import jaxstyle
from jaxstyle.images.resizing import resize_longest
from jaxstyle.optimization.initial import make_initial_picture
from jaxstyle.optimization.pyramid import enlarge, schedule
from jaxstyle.optimization.solver import STEPS_PER_CALL
from jaxstyle.optimization.targets import Targets, make_targets
from jaxstyle.stylize import prepare_network
from scripts.measuring.pairs import DEFAULTS, PAIRS, ROOT, Judge, read_pair
from scripts.measuring.records import machine
from scripts.measuring.solvers import Solver, adam, advance, ours, searching, whitened, with_memory

mpl.use("agg")
import matplotlib.pyplot as plt

RUNS, DOCS = ROOT / "build" / "compare_solvers", ROOT / "docs" / "defaults"

Levels = Sequence[tuple[int, int]]


def _coarser(times: float) -> Callable[[Levels], Levels]:
    """So many times the steps at smaller sizes."""
    return lambda levels: [*((size, round(times * steps)) for size, steps in levels[:-1]), levels[-1]]


@dataclass(frozen=True)
class Variant:
    """One way to a result: how to step, the sizes with their steps made of the default's, and where to begin."""

    solver: Solver
    levels: Callable[[Levels], Levels] = list
    init: tuple[tuple[str, float], ...] = DEFAULTS.init


OWN = ours("lbfgs")
VARIANTS = {
    "default": Variant(OWN),
    "zoom line search": Variant(searching()),
    "Adam": Variant(ours("adam")),
    "Adam, falling rate": Variant(adam(falling=True)),
    "Adam, averaged": Variant(adam(averaged=True)),
    "whitened": Variant(whitened()),
    "memory carried up": Variant(with_memory()),
    "full size only": Variant(OWN, lambda levels: levels[-1:]),
    "two sizes": Variant(OWN, lambda levels: levels[-2:]),
    "one size more": Variant(OWN, lambda levels: [(levels[0][0] // 2, levels[0][1]), *levels]),
    "half the small steps": Variant(OWN, _coarser(0.5)),
    "twice the small steps": Variant(OWN, _coarser(2)),
    "content's own colors": Variant(OWN, init=(("picture", 1.0),)),
    "from noise": Variant(OWN, init=(("noise", 1.0),)),
}


class Follower:
    """Runs of one pair at one size, and what they share."""

    def __init__(self, pair: tuple[str, str], size: int) -> None:
        self.network = prepare_network(jaxstyle.load_network(precision="float32"))
        self.content, self.style = read_pair(pair, size)
        self.config = replace(DEFAULTS, size=size)
        self.judge = Judge(self.content, self.style)
        self.targets: dict[int, Targets] = {}

    def targets_at(self, size: int) -> Targets:
        if size not in self.targets:
            self.targets[size] = make_targets(self.network, self.config, self.content, [self.style], None, size)
        return self.targets[size]

    def levels(self, variant: Variant) -> Levels:
        return variant.levels(schedule(self.config, *self.content.shape[:2]))

    def is_default(self, variant: Variant) -> bool:
        """Whether at this size it is no other than the default."""
        usual = VARIANTS["default"]
        same = (variant.solver, variant.init) == (usual.solver, usual.init)
        return same and list(self.levels(variant)) == list(self.levels(usual))

    def run(self, variant: Variant, seconds: float = 0) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """The last picture, and seconds with losses on the way: to the end of the schedule, or of the seconds."""
        trace: list[tuple[float, float]] = []
        levels, solver, spent, state, picture = self.levels(variant), variant.solver, 0.0, None, self.content
        for level, (size, steps) in enumerate(levels):
            targets, taken = self.targets_at(size), 0
            if level == 0:
                picture = make_initial_picture(variant.init, targets.content, targets.statistics, picture=self.content)
            else:
                picture = enlarge(picture, resize_longest(self.content, levels[level - 1][0]), targets.content)
            begun = time.perf_counter()
            state = solver.start(self.network, targets.objective, jnp.asarray(picture), state, steps)
            at_full_size = level == len(levels) - 1
            while taken < steps or (at_full_size and spent < seconds):
                state = jax.block_until_ready(advance(solver, STEPS_PER_CALL, self.network, targets.objective, state))
                spent, taken = spent + time.perf_counter() - begun, taken + STEPS_PER_CALL
                picture = np.clip(solver.shown(state), 0, 1)
                trace.append((round(spent, 4), self.judge.loss(picture)))
                if at_full_size and spent > seconds > 0:
                    break
                begun = time.perf_counter()
        return picture, trace

    def warm_up(self, variant: Variant) -> None:
        """Have everything compiled: the steps of each size, and the judge."""
        self.run(replace(variant, levels=lambda levels: [(size, STEPS_PER_CALL) for size, _ in variant.levels(levels)]))


def run_all(size: int, names: Sequence[str]) -> None:
    """Make every run that is not yet kept, of each pair the default's first."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        follower, usual = Follower(pair, size), _kept(pair, "default", size)
        for name in dict.fromkeys(("default", *names)):
            variant, kept = VARIANTS[name], _kept(pair, name, size)
            if kept.exists() or (name != "default" and follower.is_default(variant)):
                continue
            follower.warm_up(variant)
            seconds = 0 if name == "default" else json.loads(usual.read_text(encoding="utf-8"))[-1][0]
            picture, trace = follower.run(variant, seconds)
            jaxstyle.write_image(kept.with_suffix(".png"), picture)
            kept.write_text(json.dumps(trace), encoding="utf-8")
            print(time.strftime("%X"), *pair, name, trace[-1], flush=True)


def _kept(pair: tuple[str, str], name: str, size: int) -> Path:
    return RUNS / f"{'-'.join(pair)} {name} {size}.json"


def read_kept(size: int) -> dict[str, dict[str, Any]]:
    """Seconds and losses by pair and variant."""
    return {
        "-".join(pair): {
            name: json.loads(_kept(pair, name, size).read_text(encoding="utf-8"))
            for name in VARIANTS
            if _kept(pair, name, size).exists()
        }
        for pair in PAIRS
    }


def loss_after(seconds: float, trace: Sequence[tuple[float, float]]) -> float:
    """The loss on a trace, between its points as a straight line of logarithms."""
    times, losses = np.transpose(trace)
    return float(np.exp(np.interp(seconds, times, np.log(losses))))


def table(records: dict[str, dict[str, Any]]) -> str:
    """Losses in the default's seconds and in half of them, relative to the default's; geometric means, in Markdown."""
    lines = ["| variant | pairs | in half the seconds | in the same seconds | least, most |", "| --- " * 5 + "|"]
    for name in VARIANTS:
        pairs = [pair for pair in records.values() if name in pair]
        if not pairs:
            continue
        ratios = np.array(
            [
                [loss_after(part * pair["default"][-1][0], pair[name]) / pair["default"][-1][1] for part in (0.5, 1)]
                for pair in pairs
            ]
        )
        half, whole = np.exp(np.log(ratios).mean(0))
        least, most = ratios[:, 1].min(), ratios[:, 1].max()
        lines.append(f"| {name} | {len(pairs)} | {half:.2f} | {whole:.2f} | {least:.2f}, {most:.2f} |")
    return "\n".join(lines)


def draw(records: dict[str, dict[str, Any]], path: Path) -> None:
    """The loss against seconds: solvers above, ways from coarse to fine below, a column for each pair."""
    figure, panels = plt.subplots(2, len(records), figsize=(16, 8), sharex="col", sharey="col", layout="constrained")
    groups = [[name for name in VARIANTS if (VARIANTS[name].solver is OWN) == own] for own in (False, True)]
    for column, (pair, traces) in enumerate(records.items()):
        for row, names in enumerate(groups):
            panel, shown = panels[row, column], dict.fromkeys(("default", *names))
            for name in (name for name in shown if name in traces):
                style: dict[str, Any] = {"color": "black", "linewidth": 2} if name == "default" else {}
                panel.plot(*np.transpose(traces[name]), marker=".", label=name, **style)
            panel.set(title=pair.replace("-", " x "), yscale="log", xlabel="seconds of steps", ylabel="default loss")
            panel.set(xlim=(0, 1.05 * traces["default"][-1][0]), ylim=(0.9 * traces["default"][-1][1], None))
            panel.grid(which="both", alpha=0.3)
            if column == len(records) - 1:
                panel.legend(fontsize=8)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="longest side in pixels")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="these and the default")
    parser.add_argument("--kept", action="store_true", help="make nothing, report on the runs that are there")
    arguments = parser.parse_args()
    size, about = arguments.size, RUNS / f"machine {arguments.size}.json"
    if not arguments.kept:
        run_all(size, arguments.only)
        about.write_text(json.dumps(machine()), encoding="utf-8")
    records = read_kept(size)
    print(machine_of := json.loads(about.read_text(encoding="utf-8")), table(records), sep="\n\n")
    numbers = {"machine": machine_of, "seconds and losses": records}
    (DOCS / f"solvers-{size}.json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")
    draw(records, DOCS / f"solvers-{size}.png")


if __name__ == "__main__":
    main()
