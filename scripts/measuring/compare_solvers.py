"""Compare solvers and coarse-to-fine schedules by the losses that they reach in equal seconds, on four pairs.

    python -m scripts.measuring.compare_solvers [--size 256] [--only NAME...] [--report-only]

Each variant takes the steps of its schedule at the smaller sizes, and then steps at full size until it has used as many
seconds as the default. The loss is the default objective in float32 at full size, for which pictures of smaller sizes
are enlarged. Seconds are those of the steps, without compilation and judging.

Runs are cached in build/compare_solvers. With `--report-only`, only cached runs are reported. Writes solvers-SIZE.json
and solvers-SIZE.png to docs/defaults and prints a table. Requires the extra "bench".
"""

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
from jaxstyle.images import resize_longest
from jaxstyle.optimization import (
    STEPS_PER_CALL,
    Targets,
    enlarge,
    make_initial_picture,
    make_targets,
    prepare_network,
    schedule,
)
from scripts.measuring.pairs import DEFAULTS, PAIRS, ROOT, Judge, read_pair
from scripts.measuring.records import machine
from scripts.measuring.solvers import (
    Solver,
    adam,
    advance,
    enlarged_memory,
    jaxstyle_solver,
    whitened,
    zoom_line_search,
)

mpl.use("agg")
import matplotlib.pyplot as plt

from scripts.arguments import make_parser

RUNS, DOCS = ROOT / "build" / "compare_solvers", ROOT / "docs" / "defaults"

Levels = Sequence[tuple[int, int]]  # (longest side, steps) from coarse to fine
Trace = Sequence[tuple[float, float]]  # (seconds, loss) during a run


def _scale_small_steps(factor: float) -> Callable[[Levels], Levels]:
    """Multiply the steps at smaller sizes by a factor."""
    return lambda levels: [*((size, round(factor * steps)) for size, steps in levels[:-1]), levels[-1]]


@dataclass(frozen=True)
class Variant:
    """Settings of a run.

    Attributes:
        solver: the solver.
        levels: makes the sizes and steps from the default ones.
        init: the initial picture, as in `StyleConfig.init`.
    """

    solver: Solver
    levels: Callable[[Levels], Levels] = list
    init: tuple[tuple[str, float], ...] = DEFAULTS.init


LBFGS = jaxstyle_solver("lbfgs")
VARIANTS = {
    "default": Variant(LBFGS),
    "zoom line search": Variant(zoom_line_search()),
    "Adam": Variant(jaxstyle_solver("adam")),
    "Adam, decreasing rate": Variant(adam(decreasing=True)),
    "Adam, averaged": Variant(adam(averaged=True)),
    "whitened": Variant(whitened()),
    "enlarged memory": Variant(enlarged_memory()),
    "full size only": Variant(LBFGS, lambda levels: levels[-1:]),
    "two sizes": Variant(LBFGS, lambda levels: levels[-2:]),
    "one size more": Variant(LBFGS, lambda levels: [(levels[0][0] // 2, levels[0][1]), *levels]),
    "half the small steps": Variant(LBFGS, _scale_small_steps(0.5)),
    "twice the small steps": Variant(LBFGS, _scale_small_steps(2)),
    "from the content": Variant(LBFGS, init=(("picture", 1.0),)),
    "from noise": Variant(LBFGS, init=(("noise", 1.0),)),
}


class Runner:
    """Makes runs of one pair at one size."""

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
        """Whether the variant is the same as the default at this size."""
        default = VARIANTS["default"]
        same = (variant.solver, variant.init) == (default.solver, default.init)
        return same and list(self.levels(variant)) == list(self.levels(default))

    def run(self, variant: Variant, seconds: float = 0) -> tuple[np.ndarray, Trace]:
        """The last picture and the trace of a run, to the end of the schedule or of the given seconds."""
        trace: list[tuple[float, float]] = []
        levels, solver, elapsed, state, picture = self.levels(variant), variant.solver, 0.0, None, self.content
        for level, (size, steps) in enumerate(levels):
            targets, step = self.targets_at(size), 0
            if level == 0:
                picture = make_initial_picture(variant.init, targets.content, targets.statistics, picture=self.content)
            else:
                picture = enlarge(picture, resize_longest(self.content, levels[level - 1][0]), targets.content)
            began = time.perf_counter()
            state = solver.init(self.network, targets.objective, jnp.asarray(picture), state, steps)
            at_full_size = level == len(levels) - 1
            while step < steps or (at_full_size and elapsed < seconds):
                state = jax.block_until_ready(advance(solver, STEPS_PER_CALL, self.network, targets.objective, state))
                elapsed, step = elapsed + time.perf_counter() - began, step + STEPS_PER_CALL
                picture = np.clip(solver.picture(state), 0, 1)
                trace.append((round(elapsed, 4), self.judge.loss(picture)))
                if at_full_size and elapsed > seconds > 0:
                    break
                began = time.perf_counter()
        return picture, trace

    def warm_up(self, variant: Variant) -> None:
        """Compile the steps of each size, and the judge."""
        self.run(replace(variant, levels=lambda levels: [(size, STEPS_PER_CALL) for size, _ in variant.levels(levels)]))


def run_all(size: int, names: Sequence[str]) -> None:
    """Make all runs that are not cached; for each pair, the default first."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        runner, default_file = Runner(pair, size), _cache_file(pair, "default", size)
        for name in dict.fromkeys(("default", *names)):
            variant, file = VARIANTS[name], _cache_file(pair, name, size)
            if file.exists() or (name != "default" and runner.is_default(variant)):
                continue
            runner.warm_up(variant)
            seconds = 0 if name == "default" else json.loads(default_file.read_text(encoding="utf-8"))[-1][0]
            picture, trace = runner.run(variant, seconds)
            jaxstyle.write_image(file.with_suffix(".png"), picture)
            file.write_text(json.dumps(trace), encoding="utf-8")
            print(time.strftime("%X"), *pair, name, trace[-1], flush=True)


def _cache_file(pair: tuple[str, str], name: str, size: int) -> Path:
    return RUNS / f"{'-'.join(pair)} {name} {size}.json"


def read_cached(size: int) -> dict[str, dict[str, Trace]]:
    """The traces of the cached runs, by pair and variant."""
    return {
        "-".join(pair): {
            name: json.loads(_cache_file(pair, name, size).read_text(encoding="utf-8"))
            for name in VARIANTS
            if _cache_file(pair, name, size).exists()
        }
        for pair in PAIRS
    }


def loss_after(seconds: float, trace: Trace) -> float:
    """The loss after some seconds, with linear interpolation of the logarithm."""
    times, losses = np.transpose(trace)
    return float(np.exp(np.interp(seconds, times, np.log(losses))))


def table(records: dict[str, dict[str, Trace]]) -> str:
    """A Markdown table of the losses after the default's seconds and after half of them.

    The figures are relative to the default's final loss, as geometric means over the pairs.
    """
    lines = ["| variant | pairs | in half the seconds | in the same seconds | least, most |", "| --- " * 5 + "|"]
    for name in VARIANTS:
        pairs = [pair for pair in records.values() if name in pair]
        if not pairs:
            continue
        ratios = np.array(
            [
                [loss_after(share * pair["default"][-1][0], pair[name]) / pair["default"][-1][1] for share in (0.5, 1)]
                for pair in pairs
            ]
        )
        half, whole = np.exp(np.log(ratios).mean(0))
        least, most = ratios[:, 1].min(), ratios[:, 1].max()
        lines.append(f"| {name} | {len(pairs)} | {half:.2f} | {whole:.2f} | {least:.2f}, {most:.2f} |")
    return "\n".join(lines)


def draw(records: dict[str, dict[str, Trace]], path: Path) -> None:
    """Plot losses against seconds: solvers above, coarse-to-fine schedules below, and a column for each pair."""
    figure, panels = plt.subplots(2, len(records), figsize=(16, 8), sharex="col", sharey="col", layout="constrained")
    solvers = [name for name in VARIANTS if VARIANTS[name].solver is not LBFGS]
    schedules = [name for name in VARIANTS if VARIANTS[name].solver is LBFGS]
    for column, (pair, traces) in enumerate(records.items()):
        for row, names in enumerate((solvers, schedules)):
            panel = panels[row, column]
            for name in (name for name in dict.fromkeys(("default", *names)) if name in traces):
                style: dict[str, Any] = {"color": "black", "linewidth": 2} if name == "default" else {}
                panel.plot(*np.transpose(traces[name]), marker=".", label=name, **style)
            panel.set(title=pair.replace("-", " x "), yscale="log", xlabel="seconds of steps", ylabel="default loss")
            panel.set(xlim=(0, 1.05 * traces["default"][-1][0]), ylim=(0.9 * traces["default"][-1][1], None))
            panel.grid(which="both", alpha=0.3)
            if column == len(records) - 1:
                panel.legend(fontsize=8)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = make_parser("measuring.compare_solvers", __doc__)
    parser.add_argument("--size", type=int, default=256, help="longest side in pixels (default 256)")
    names = "; ".join(VARIANTS)
    parser.add_argument(
        "--only", nargs="+", choices=VARIANTS, default=VARIANTS, metavar="NAME", help=f"some of: {names}"
    )
    parser.add_argument("--report-only", action="store_true", help="make no runs, report the cached ones")
    arguments = parser.parse_args()
    size, machine_file = arguments.size, RUNS / f"machine {arguments.size}.json"
    if not arguments.report_only:
        run_all(size, arguments.only)
        machine_file.write_text(json.dumps(machine()), encoding="utf-8")
    records = read_cached(size)
    measured_on = json.loads(machine_file.read_text(encoding="utf-8"))
    print(measured_on, table(records), sep="\n\n")
    numbers = {"machine": measured_on, "seconds and losses": records}
    (DOCS / f"solvers-{size}.json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")
    draw(records, DOCS / f"solvers-{size}.png")


if __name__ == "__main__":
    main()
