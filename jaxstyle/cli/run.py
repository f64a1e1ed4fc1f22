"""A stylisation as a command runs it: it can be stopped at any moment, keeps what it has, and says what it did."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer

from jaxstyle.cli.progress import Levels, Look, progress_bar, seconds_by_size, seconds_left, snapshot_steps, steps_taken
from jaxstyle.cli.system import device_name
from jaxstyle.config import StyleConfig
from jaxstyle.errors import DivergedError
from jaxstyle.images import Picture, check_writable, resize, write_image
from jaxstyle.networks import Network
from jaxstyle.objective import Terms
from jaxstyle.pyramid import schedule
from jaxstyle.regions import Masks
from jaxstyle.styles import Style
from jaxstyle.stylize import Progress, Stylized, stylize

_THREAD = "stylize"
# What commands that run one stylisation have in common.
ResultFile = Annotated[
    Path, typer.Option("-o", "--output", metavar="OUT", help="The result: .png, .jpg, .webp, .tiff or .bmp.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print a record of the run: settings, versions, device, losses, seconds.")
]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Job:
    """All that a stylisation needs, and where it goes; `about` tells in plain values what it is made of."""

    content: Picture
    styles: list[np.ndarray | Style]
    start: np.ndarray | None
    network: Network
    config: StyleConfig
    seed: int
    output: Path
    overwrite: bool
    save_every: int | None
    about: dict[str, Any]
    masks: Masks | None = None

    def check(self, file: Path) -> None:
        """Raise, before the work, what `write` would about the file."""
        check_writable(file, overwrite=self.overwrite, alpha=self.content.alpha is not None)

    def write(self, file: Path, picture: np.ndarray, steps: int) -> None:
        """A picture of any size, at the result's, with its transparency, and in a PNG with what it is made of."""
        height, width = self.content.rgb.shape[:2]
        metadata = {
            "Software": f"jaxstyle {self.about['versions']['jaxstyle']}",
            "jaxstyle": json.dumps(self.about | {"steps": steps}),
        }
        whole = resize(picture, height, width)
        write_image(file, whole, alpha=self.content.alpha, metadata=metadata, overwrite=self.overwrite)


@dataclass(eq=False)
class _Watch:
    """Follows a run as its callback: remembers where it stands, shows it, and saves snapshots."""

    job: Job
    levels: Levels
    snapshots: dict[int, Path]
    show: Callable[[Progress, float | None], None]
    looks: list[Look] = field(default_factory=list)
    last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.last = progress
        self.looks.append(Look(time.perf_counter(), progress.size, progress.step))
        self.show(progress, seconds_left(self.looks, self.levels))
        taken = steps_taken(progress, self.levels)
        if progress.step > 0 and taken in self.snapshots:
            self.job.write(self.snapshots[taken], progress.picture, taken)

    def keep(self) -> str:
        """Write the picture as it stands, if any step was taken, and say so."""
        taken = steps_taken(self.last, self.levels) if self.last else 0
        if self.last is None or taken == 0:
            return "before the first step; nothing was written"
        self.job.write(self.job.output, self.last.picture, taken)
        steps = sum(steps for _, steps in self.levels)
        return f"after {taken} of {steps} steps; the picture as it stands is in {self.job.output}"


def run(job: Job, began: float) -> dict[str, Any]:
    """Carry a job out and return its record; `began` is when work on it began, by `time.perf_counter`.

    On Ctrl-C or SIGTERM, and if the optimisation is lost, the last good picture is written.

    Raises:
        typer.Exit: with 130, after Ctrl-C or SIGTERM.
        JaxStyleError: before the work begins if it cannot end well, and as `stylize`.
    """
    levels = schedule(job.config, *job.content.rgb.shape[:2])
    job.check(job.output)
    snapshots = {
        step: job.output.with_stem(f"{job.output.stem}-{step:04}")
        for step in (snapshot_steps(levels, job.save_every) if job.save_every else ())
    }
    for file in snapshots.values():
        job.check(file)

    loaded = time.perf_counter()
    with progress_bar(levels) as show:
        watch = _Watch(job, levels, snapshots, show)
        done = _stylize(job, watch)
    optimised = time.perf_counter()
    job.write(job.output, done.image, len(done.sizes))
    ended = time.perf_counter()
    return {
        **job.about,
        "steps": len(done.sizes),
        "output": str(job.output),
        "width": done.image.shape[1],
        "height": done.image.shape[0],
        "losses": first_and_last(done.history),
        "seconds": {
            "load": loaded - began,
            "sizes": seconds_by_size(watch.looks, loaded),
            "write": ended - optimised,
            "total": ended - began,
        },
    }


def run_and_tell(job: Job, what: str, began: float, *, as_json: bool) -> None:
    """`run`, with what it is about said first on a terminal, and its record or its output at the end."""
    if sys.stderr.isatty():
        height, width = job.content.rgb.shape[:2]
        typer.echo(f"{what}{width} x {height} pixels, on {device_name(job.about['device'])}", err=True)
    record = run(job, began)
    typer.echo(json.dumps(record, indent=2) if as_json else job.output)


def _stylize(job: Job, watch: _Watch) -> Stylized:
    """The stylisation itself, with its ends before its time."""

    def work() -> Stylized:
        return stylize(
            job.content.rgb,
            job.styles,
            network=job.network,
            config=job.config,
            seed=job.seed,
            start=job.start,
            content_mask=job.masks.content if job.masks else None,
            style_mask=job.masks.styles if job.masks else None,
            callback=watch,
        )

    try:
        with sigterm_like_ctrl_c():
            return in_background(work)
    except KeyboardInterrupt:
        typer.echo(f"jaxstyle: stopped {watch.keep()}", err=True)
        raise typer.Exit(130) from None
    except DivergedError as error:
        raise DivergedError(f"{error}; stopped {watch.keep()}") from error


def left_running() -> bool:
    """Whether a stylisation was left behind in the middle of something that cannot be stopped."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def in_background(work: Callable[[], T]) -> T:
    """What `work` returns or raises, in a thread of its own.

    Python hears of Ctrl-C only between two of its own instructions in the main thread, and XLA may compile or compute
    for half a minute between them. Short waits for another thread can be interrupted at once.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, name=_THREAD, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
    return future.result()


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """Within, SIGTERM raises KeyboardInterrupt."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def first_and_last(history: Terms) -> dict[str, dict[str, float | None]]:
    """Each term before its first and its last step; None where that is not finite."""
    return {name: {"first": values[0], "last": values[-1]} for name, values in by_step(history).items()}


def by_step(history: Terms) -> dict[str, list[float | None]]:
    """Each term before every step; None where that is not finite."""
    return {
        name: [float(value) if np.isfinite(value) else None for value in values]
        for name, values in asdict(history).items()
    }
