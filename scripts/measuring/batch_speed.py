"""Measure how busy `jaxstyle batch` keeps a GPU, files to files, and where the time goes.

    python -m scripts.measuring.batch_speed [--output record.json] [--trace FOLDER] [--only steady,...] [--rehearse]

The sections, each printed when it is done:
    steady: pairs a minute for 16 contents x 32 styles at 512 px, with a table of the stages of the work
    share: the speed at 256, 512 and 1024 px relative to what the evaluations of the loss alone would allow
    step: the time of a step relative to an evaluation, for 1 and for 32 pictures of 512 px
    mixed: pairs a minute for 512 pairs of 8 shapes, from JPEGs of 12 megapixels
    start: seconds from the start of a process with cached programs to its first result

All but the last run in one process, after every program was compiled by a job with a single step. In all, this takes
under 6 minutes on an H100 with 16 cores. `--rehearse` runs everything with tiny pictures and one layer, where there is
no GPU; its figures mean nothing.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.arguments import make_parser
from scripts.measuring.records import machine, write_record

SHAPES = ((3, 4), (4, 3), (2, 3), (3, 2), (1, 1), (9, 16), (16, 9), (4, 5))  # height to width
STYLE_SHAPES = ((3, 4), (4, 3))
SECTIONS = ("steady", "share", "step", "mixed", "start")


@dataclass(frozen=True)
class Extent:
    """How much is measured: the sizes of pictures in pixels, and numbers of pictures."""

    size: int = 512
    sizes: tuple[int, ...] = (256, 512, 1024)
    together: int = 32
    contents: int = 16
    styles: int = 32
    content_side: int = 1024
    mixed_contents: int = 64
    mixed_styles: int = 8
    mixed_side: int = 4000
    options: tuple[tuple[str, Any], ...] = ()


TINY_LAYERS = (("content_layers", "relu1_1"), ("style_layers", "relu1_1"), ("steps", 12))
REHEARSAL = Extent(32, (32, 48), 2, 2, 3, 64, 8, 1, 128, TINY_LAYERS)


def main() -> None:
    parser = make_parser("measuring.batch_speed", __doc__)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a record as JSON")
    parser.add_argument("--trace", type=Path, metavar="FOLDER", help="write a trace of one group by jax.profiler")
    parser.add_argument("--only", default=",".join(SECTIONS), help="comma-separated sections (default all)")
    parser.add_argument("--rehearse", action="store_true", help="tiny pictures and one layer, to test this script")
    arguments = parser.parse_args()
    extent = REHEARSAL if arguments.rehearse else Extent()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "cache"))
        record = folder / "record.json"
        # In another process, which leaves the GPU to that of the last section when it ends.
        child = multiprocessing.get_context("spawn").Process(
            target=measure_in_process, args=(arguments.only.split(","), extent, folder, arguments.trace, record)
        )
        child.start()
        child.join()
        rows = json.loads(record.read_text())
        if "start" in arguments.only.split(","):
            rows["start"] = seconds_to_first_result(extent, folder)
            print(f"start: {rows['start']:.1f} s to the first result", flush=True)
        write_record(arguments.output, rows)
    sys.exit(child.exitcode)


def measure_in_process(sections: list[str], extent: Extent, folder: Path, trace: Path | None, record: Path) -> None:
    """All sections but "start"; the record is written after each of them."""
    from jaxstyle.cli.jax_config import configure_jax

    configure_jax()
    rows: dict[str, Any] = {"machine": machine()}
    print(json.dumps(rows["machine"]), flush=True)
    write_pictures(folder, extent)
    measures: dict[str, Callable[[], Any]] = {
        "steady": lambda: measure_steady(extent, folder, trace),
        "share": lambda: measure_share(extent, folder, rows.get("steady")),
        "step": lambda: measure_step(extent),
        "mixed": lambda: measure_mixed(extent, folder),
    }
    write_record(record, rows)
    for name in [name for name in measures if name in sections]:
        began = time.perf_counter()
        rows[name] = measures[name]()
        print(f"({name} took {time.perf_counter() - began:.0f} s)\n", flush=True)
        write_record(record, rows)


def write_pictures(folder: Path, extent: Extent) -> None:
    """Different crops of the example pictures: contents and styles, and large JPEGs of several shapes."""
    write_crops(folder / "contents", "content", extent.contents, extent.content_side, SHAPES[:1])
    write_crops(folder / "styles", "style", extent.styles, extent.content_side, STYLE_SHAPES)
    write_crops(folder / "mixed", "content", extent.mixed_contents, extent.mixed_side, SHAPES)


def write_crops(folder: Path, kind: str, count: int, side: int, shapes: tuple[tuple[int, int], ...]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

    from scripts.measuring.pairs import ROOT

    folder.mkdir()
    files = sorted((ROOT / "examples" / kind).glob("*.jpg"))

    def write(index: int) -> None:
        height, width = shapes[index % len(shapes)]
        with Image.open(files[index % len(files)]) as opened:
            scale = min(opened.height / height, opened.width / width) * (1 - index / (4 * count))
            box = (0, 0, round(scale * width), round(scale * height))
            shape = round(side * width / max(height, width)), round(side * height / max(height, width))
            opened.crop(box).resize(shape).save(folder / f"{index:03}.jpg", quality=90)

    with ThreadPoolExecutor() as threads:
        list(threads.map(write, range(count)))


def run_pairs(
    extent: Extent, contents: list[Path], styles: list[Path], out: Path, *, size: int, **options: Any
) -> list[float]:
    """Stylize all pairs of files; returns when each result was there, in seconds from the start."""
    from jaxstyle.jobs import Job, Written, pair_up, run_job
    from jaxstyle.options import Options

    settings = Options(**{"size": size, **dict(extent.options), **options})
    times: list[float] = []
    began = time.perf_counter()

    def on_event(event: Any) -> None:
        if isinstance(event, Written):
            times.append(time.perf_counter() - began)

    job = Job(pair_up(contents, styles, settings, zipped=False), out, batch_size=extent.together)
    summary = run_job(job, on_event)
    assert not summary.failed, summary.failed[0]
    return times


def pairs_a_minute(times: list[float], together: int) -> float:
    """The speed from the end of the first group to that of the last."""
    ordered = sorted(times)
    return 60 * (len(ordered) - together) / (ordered[-1] - ordered[together - 1])


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def measure_steady(extent: Extent, folder: Path, trace: Path | None) -> dict[str, Any]:
    import jax

    contents, styles = files_in(folder / "contents"), files_in(folder / "styles")
    run_pairs(extent, contents[:2], styles, folder / "warm", size=extent.size, steps=1)
    stages = Stages()
    with stages.recorded():
        times = run_pairs(extent, contents, styles, folder / "steady", size=extent.size)
    speed = pairs_a_minute(times, extent.together)
    rows = stages.table(len(times))
    print(f"steady: {speed:.0f} pairs a minute, {len(times)} pairs at {extent.size} px")
    print(f"the device has steps to do in {stages.share_of('steps'):.0%} of the time; by stage and pair:")
    for name, row in rows.items():
        print(f"  {name:<24}{row['calls']:8.2f} calls {row['milliseconds']:9.2f} ms")
    if trace:
        with jax.profiler.trace(str(trace)):
            run_pairs(extent, contents[:3], styles, folder / "traced", size=extent.size, steps=10)
    return {"pairs_a_minute": speed, "busy": stages.share_of("steps"), "stages": rows}


class Stages:
    """The stages of all threads, with when they began and ended."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, float, float]] = []

    @contextmanager
    def recorded(self) -> Iterator[None]:
        from jaxstyle.compilation import record_stages

        with record_stages(lambda *span: self.spans.append(span)):
            yield

    def table(self, pairs: int) -> dict[str, dict[str, float]]:
        """Calls and milliseconds of each stage, for each pair; threads add up."""
        names = dict.fromkeys(name for name, _, _ in self.spans)
        of = {name: [end - began for stage, began, end in self.spans if stage == name] for name in names}
        return {
            name: {"calls": len(seconds) / pairs, "milliseconds": 1e3 * sum(seconds) / pairs}
            for name, seconds in of.items()
        }

    def share_of(self, name: str) -> float:
        """The share of the time, from its first beginning to its last end, in which any thread is in a stage."""
        spans = sorted((began, end) for stage, began, end in self.spans if stage == name)
        covered, until = 0.0, spans[0][0]
        for began, end in spans:
            covered += max(0.0, end - max(began, until))
            until = max(until, end)
        return covered / (until - spans[0][0])


def measure_share(extent: Extent, folder: Path, steady: dict[str, Any] | None) -> dict[str, Any]:
    """Pairs a minute at each size, relative to the evaluations alone."""
    from jaxstyle import StyleConfig
    from jaxstyle.optimization import schedule
    from jaxstyle.options import Options

    contents, styles = files_in(folder / "contents"), files_in(folder / "styles")
    evaluations: dict[int, float] = {}
    rows = {}
    for size in extent.sizes:
        if size == extent.size and steady:
            speed = steady["pairs_a_minute"]
        else:
            run_pairs(extent, contents[:2], styles, folder / f"warm-{size}", size=size, steps=1)
            some = contents[: 3 if size > extent.size else 9]
            speed = pairs_a_minute(run_pairs(extent, some, styles, folder / f"{size}", size=size), extent.together)
        config: StyleConfig = Options(**{"size": size, **dict(extent.options)}).settings().config
        seconds = 0.0
        for level, steps in schedule(config, 3, 4):
            if level not in evaluations:
                evaluations[level] = time_evaluation_and_step(config, level, extent.together)[0]
            seconds += steps * evaluations[level] / extent.together
        rows[str(size)] = {"pairs_a_minute": speed, "evaluations_alone": 60 / seconds, "share": speed * seconds / 60}
        print(f"share: {rows[str(size)]['share']:.0%} of {60 / seconds:.0f} pairs a minute at {size} px", flush=True)
    return rows


def measure_step(extent: Extent) -> dict[str, Any]:
    from jaxstyle.options import Options

    config = Options(**{"size": extent.size, **dict(extent.options)}).settings().config
    rows = {}
    for together in (1, extent.together):
        evaluation, step = time_evaluation_and_step(config, extent.size, together)
        rows[str(together)] = {"evaluation": evaluation, "step": step, "ratio": step / evaluation}
        print(f"step: {1e3 * step:.2f} ms, {step / evaluation:.2f} evaluations, for {together} pictures", flush=True)
    return rows


def time_evaluation_and_step(config: Any, size: int, together: int) -> tuple[float, float]:
    """The median seconds of an evaluation of loss and gradient, and of a step, for pictures of 4:3."""
    import jax
    import numpy as np

    from jaxstyle import load_network
    from jaxstyle.batch import BatchSolver
    from jaxstyle.networks import COMPILER_OPTIONS, resolve_layers
    from jaxstyle.optimization import STEPS_PER_CALL, content_targets, make_objective, prepare_network
    from jaxstyle.optimization.solver import terms_and_gradient
    from jaxstyle.styles import measure_statistics
    from scripts.measuring.records import median_seconds

    network = load_network()
    config = resolve_layers(config, network.architecture)
    random = np.random.default_rng(0)
    content, style, picture = random.random((3, size * 3 // 4, size, 3), np.float32)
    targets = content_targets(network.direct(), content, config.content_names)
    objective = make_objective(config, targets, measure_statistics(network.direct(), style, config.style_names))
    network, batch = prepare_network(network, config), BatchSolver(together)
    objectives, pictures = batch.stack([objective]), batch.stack([picture])
    one = terms_and_gradient if together == 1 else jax.vmap(terms_and_gradient, in_axes=(None, 0, 0))

    def evaluate(network: Any, objectives: Any, pictures: Any) -> Any:
        def body(_: Any, pictures: Any) -> Any:  # each evaluation depends on the one before
            return pictures - 1e-6 * one(network, objectives, pictures)[1]

        return jax.lax.fori_loop(0, STEPS_PER_CALL, body, pictures)

    compiled = jax.jit(evaluate, compiler_options=COMPILER_OPTIONS)
    state = batch.init(pictures, optimizer=config.optimizer)

    def step() -> None:
        nonlocal state
        state, terms = batch.run(network, objectives, state, STEPS_PER_CALL, optimizer=config.optimizer)
        jax.block_until_ready(terms)

    contenders = {"evaluation": lambda: jax.block_until_ready(compiled(network, objectives, pictures)), "step": step}
    seconds = median_seconds(contenders, 5)
    return seconds["evaluation"] / STEPS_PER_CALL, seconds["step"] / STEPS_PER_CALL


def measure_mixed(extent: Extent, folder: Path) -> dict[str, Any]:
    contents, styles = files_in(folder / "mixed"), files_in(folder / "styles")[: extent.mixed_styles]
    run_pairs(extent, contents[: len(contents) // 2], styles, folder / "warm-mixed", size=extent.size, steps=1)
    times = run_pairs(extent, contents, styles, folder / "mixed-results", size=extent.size)
    speed = pairs_a_minute(times, extent.together)
    print(f"mixed: {speed:.0f} pairs a minute, {len(times)} pairs of {len(SHAPES)} shapes", flush=True)
    return {"pairs_a_minute": speed}


def seconds_to_first_result(extent: Extent, folder: Path) -> float:
    """The seconds until a process has written its first result, the second time."""
    seconds = 0.0
    for index in range(2):
        out = folder / f"start-{index}"
        command = [sys.executable, "-m", "jaxstyle", "batch", "--content", folder / "contents"]
        command += ["--style", folder / "styles", "-o", out, "--size", extent.size, "--batch-size", extent.together]
        for name, value in extent.options:
            command += [f"--{name.replace('_', '-')}", value]
        began = time.perf_counter()
        process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL)
        while not any(out.glob("*.png")) and process.poll() is None:
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        process.terminate()
        process.wait()
    return seconds


if __name__ == "__main__":
    main()
