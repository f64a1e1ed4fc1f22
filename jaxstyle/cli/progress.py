"""What a person sees of a stylisation while it runs, and how long its parts take."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from jaxstyle.solver import CHUNK
from jaxstyle.stylize import Progress

Levels = Sequence[tuple[int, int]]  # (longest side, steps) from coarse to fine, of `stylize.schedule`


@dataclass(frozen=True)
class Look:
    """A moment of a run, in seconds, with `step` steps taken at `size`."""

    time: float
    size: int
    step: int


def seconds_by_size(looks: Sequence[Look], began: float) -> list[dict[str, float]]:
    """For each size, the seconds until its first steps were done, compilation among them, and those of the rest."""
    seconds = []
    for size, group in groupby(looks, key=lambda look: look.size):
        times = [look.time for look in group if look.step > 0]
        seconds.append({"size": size, "first_steps": times[0] - began, "other_steps": times[-1] - times[0]})
        began = times[-1]
    return seconds


def seconds_left(looks: Sequence[Look], levels: Levels) -> float | None:
    """What is still to come at the speed of the last steps, in proportion to pixels; None while that is not known.

    The first steps of a size say nothing about speed, because they wait for compilation.
    """
    now = looks[-1]
    measured = [(a, b) for a, b in pairwise(looks) if a.size == b.size and a.step > 0]
    if not measured:
        return None
    before, after = measured[-1]
    pace = (after.time - before.time) / ((after.step - before.step) * after.size**2)
    return pace * work_left(now, levels)


def steps_taken(progress: Progress, levels: Levels) -> int:
    """Steps taken at all sizes together."""
    return sum(steps for _, steps in levels[: progress.level]) + progress.step


def snapshot_steps(levels: Levels, every: int) -> list[int]:
    """Steps, counted through all sizes, after which snapshots are due: `every` so many, at the next look from outside.

    The end is none of them: it has the result.
    """
    looks, before = [0], 0
    for _, steps in levels:
        looks += [before + min(step, steps) for step in range(CHUNK, steps + CHUNK, CHUNK)]
        before += steps
    return [now for past, now in pairwise(looks[:-1]) if now // every > past // every]


@contextmanager
def progress_bar(levels: Levels) -> Iterator[Callable[[Progress, float | None], None]]:
    """A line on the terminal that follows a run, none where stderr is no terminal.

    Call what it yields with every Progress and the seconds that are left.
    """
    columns = (SpinnerColumn(), BarColumn(bar_width=14), TextColumn("{task.description}"))
    bar = Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    total = work_left(Look(0, levels[0][0], 0), levels)
    task = bar.add_task(f"{_scale(levels, 0)} compiling (kept for the next run)", total=total)

    def show(progress: Progress, left: float | None) -> None:
        to_come = work_left(Look(0, progress.size, progress.step), levels)
        bar.update(task, completed=total - to_come, description=describe(progress, left, levels))

    with bar:
        yield show


def describe(progress: Progress, left: float | None, levels: Levels) -> str:
    """One line on where a run stands; when a size is done, on the next."""
    is_done = progress.step == progress.steps and progress.level + 1 < len(levels)
    scale = _scale(levels, progress.level + is_done)
    if is_done or progress.terms is None:
        return f"{scale} compiling"
    losses = f"content {progress.terms.content:.3g} style {progress.terms.style:.3g}"
    minutes, seconds = divmod(round(left or 0), 60)
    time_left = "" if left is None else f" {minutes}:{seconds:02} left"
    return f"{scale} step {progress.step}/{progress.steps} {losses}{time_left}"


def _scale(levels: Levels, level: int) -> str:
    return f"{levels[level][0]} px ({level + 1}/{len(levels)})"


def work_left(now: Look, levels: Levels) -> int:
    """Steps to come, each times its pixels."""
    return sum(size**2 * steps for size, steps in levels if size >= now.size) - now.size**2 * now.step
