"""The progress bar of a stylization or lines in its place, and the time that it takes at each size."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from jaxstyle.cli.interrupts import on_interrupt
from jaxstyle.cli.messages import print_note
from jaxstyle.optimization import STEPS_PER_CALL, Progress

_INTERVAL, _UNCHANGED_INTERVAL = 10.0, 60.0  # seconds between lines where there is no terminal, new or the same
_COMPILING_SECONDS = {"cpu": 15, "gpu": 15}  # usually, for a size, by platform; see "Startup" in docs/speed.md
_STEADY_SIZE = 512  # the longest side in pixels from which steps take longer than the compilation beside them

Levels = Sequence[tuple[int, int]]  # (longest side, steps) from coarse to fine, from `schedule`


@dataclass(frozen=True)
class TimedStep:
    """A time in seconds at which `step` steps were taken at `size`."""

    time: float
    size: int
    step: int


def seconds_by_size(timeline: Sequence[TimedStep], started: float) -> list[dict[str, float]]:
    """For each size, the seconds until its first steps were taken, with compilation, and those of the other steps."""
    seconds = []
    for size, entries in groupby(timeline, key=lambda entry: entry.size):
        times = [entry.time for entry in entries if entry.step > 0]
        if not times:  # the run was interrupted before the first step
            continue
        seconds.append({"size": size, "first_steps": times[0] - started, "other_steps": times[-1] - times[0]})
        started = times[-1]
    return seconds


def seconds_left(timeline: Sequence[TimedStep], levels: Levels) -> float | None:
    """The remaining seconds at the speed of the last steps, in proportion to pixels; None while that is unknown.

    The first steps of a size are ignored, because they wait for compilation. So are those of small sizes once a larger
    one has begun: they share the cores with its compilation, and the estimate would be several times too long.
    """
    size, step = timeline[-1].size, timeline[-1].step
    measured = [(a, b) for a, b in pairwise(timeline) if a.size == b.size and a.step > 0]
    if not measured or measured[-1][1].size < min(size, _STEADY_SIZE):
        return None
    before, after = measured[-1]
    pace = (after.time - before.time) / ((after.step - before.step) * after.size**2)
    return pace * work_left(size, step, levels)


def steps_taken(progress: Progress, levels: Levels) -> int:
    """The number of steps taken at all sizes together."""
    return sum(steps for _, steps in levels[: progress.level]) + progress.step


def snapshot_steps(levels: Levels, interval: int) -> list[int]:
    """The steps, counted through all sizes, at which snapshots are saved: the first possible ones after each interval.

    The last step is not among them, because the result is saved then.
    """
    possible, before = [0], 0
    for _, steps in levels:
        possible += [
            before + min(step, steps) for step in range(STEPS_PER_CALL, steps + STEPS_PER_CALL, STEPS_PER_CALL)
        ]
        before += steps
    return [step for previous, step in pairwise(possible[:-1]) if step // interval > previous // interval]


@contextmanager
def progress_lines(state: Callable[[], str]) -> Iterator[None]:
    """Print a line with the state to stderr every 10 seconds, unless stderr is a terminal.

    A state that stays the same is printed once a minute, with its duration. Logs of clusters and notebooks then show
    that a long run goes on. A run of less than 10 seconds prints nothing.
    """
    ended = threading.Event()

    def print_lines() -> None:
        shown, since, printed = "", 0.0, 0.0
        while not ended.wait(_INTERVAL):
            text, now = state(), time.monotonic()
            if text != shown:
                shown, since, printed = text, now, now
                print_note(text)
            elif now - printed >= _UNCHANGED_INTERVAL:
                printed = now
                print_note(f"{text}, unchanged for {format_duration(now - since)}")

    thread = threading.Thread(target=print_lines, daemon=True)
    if not sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


@contextmanager
def progress_bar(levels: Levels, platform: str) -> Iterator[Callable[[Progress, float | None], None]]:
    """Show a progress bar on a terminal, and `progress_lines` elsewhere.

    Args:
        levels: the sizes and steps of the run.
        platform: that of the device, such as "cpu".

    Yields:
        a function that updates the bar with a Progress and the remaining seconds.
    """
    columns = (SpinnerColumn(), BarColumn(bar_width=14), TextColumn("{task.description}"))
    bar = Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    total = work_left(levels[0][0], 0, levels)
    waiting = describe_compiling(platform)
    task = bar.add_task(f"{_scale(levels, 0)} {waiting}", total=total)

    def update(progress: Progress, left: float | None) -> None:
        remaining = work_left(progress.size, progress.step, levels)
        bar.update(task, completed=total - remaining, description=describe(progress, left, levels, waiting))

    with on_interrupt(bar.stop), bar, progress_lines(lambda: bar.tasks[0].description):
        yield update


def describe_compiling(platform: str) -> str:
    """What a run waits for before the first steps of a size, and how long that usually takes."""
    seconds = _COMPILING_SECONDS.get(platform)
    usually = f"about {seconds} s on a {platform.upper()}; " if seconds else ""
    return f"compiling ({usually}cached for the next run)"


def describe(progress: Progress, left: float | None, levels: Levels, waiting: str, first: str = "first steps") -> str:
    """One line on the state of a run; when a size is finished, on the next size, for which the run is waiting.

    Args:
        progress: of a run, or of a group of a batch, with the means of the losses.
        left: the remaining seconds, or None while they are unknown.
        levels: the sizes and steps of the run.
        waiting: what the run waits for before a size.
        first: what it waits for at step 0.
    """
    is_finished = progress.step == progress.steps and progress.level + 1 < len(levels)
    scale = _scale(levels, progress.level + is_finished)
    if is_finished:
        return f"{scale} {waiting}"
    if progress.terms is None:
        return f"{scale} {first}"
    losses = f"content {progress.terms.content:.3g} style {progress.terms.style:.3g}"
    minutes, seconds = divmod(round(left or 0), 60)
    time_left = "" if left is None else f", {minutes}:{seconds:02} left"
    return f"{scale} step {progress.step}/{progress.steps} {losses}{time_left}"


def work_left(size: int, step: int, levels: Levels) -> int:
    """The remaining steps, each times its pixels, after `step` steps at `size`."""
    return sum(side**2 * steps for side, steps in levels if side >= size) - size**2 * step


def format_duration(seconds: float) -> str:
    """Seconds as `9:05` or `1:09:05`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _scale(levels: Levels, level: int) -> str:
    return f"{levels[level][0]} px ({level + 1}/{len(levels)})"
