"""Time how long `jaxstyle batch` takes to plan a large manifest, and to begin computing when most of it is done.

    python -m scripts.measuring.plan_large [--contents 1000] [--styles 100] [--done 0.9] [--output record.json]

Whole processes of the command, from start to the first group: with nothing done; with records and results of a share of
the pairs (empty files, because only their existence counts), and the same again. Times include imports and loading the
network. Memory is the peak of the process. The exit code is 0 if planning takes less than 60 s and 1 GB, and beginning
less than 30 s.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scripts.arguments import make_parser
from scripts.measuring.records import machine, write_record

SHAPES = ((48, 64), (64, 48), (43, 64), (64, 43), (36, 64), (64, 36), (64, 64), (51, 64))
TINY = ("--size", "32", "--steps", "3", "--content-layers", "relu1_1", "--style-layers", "relu1_1")


def main() -> None:
    parser = make_parser("measuring.plan_large", __doc__)
    parser.add_argument("--contents", type=int, default=1000, help="content pictures (default 1000)")
    parser.add_argument("--styles", type=int, default=100, help="style pictures (default 100)")
    parser.add_argument("--done", type=float, default=0.9, help="share of the pairs that are done (default 0.9)")
    parser.add_argument("--profile", action="store_true", help="print where the time of each process goes")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a record as JSON")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_command(arguments.run, profiled=arguments.profile)
        return
    with tempfile.TemporaryDirectory() as folder:
        record = measure(arguments, Path(folder))
    write_record(arguments.output, record)
    planned, begun = record["runs"][0], record["runs"][-1]
    sys.exit(not (planned["planned"] < 60 and planned["bytes"] < 1e9 and begun["begun"] < 30))


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    manifest, out = write_pairs(folder, arguments.contents, arguments.styles), folder / "results"
    count = arguments.contents * arguments.styles
    print(f"{count} pairs; {machine()}")
    runs = [time_command("nothing done", manifest, out, profiled=arguments.profile)]
    write_results(manifest, out, round(arguments.done * count))
    for name in (f"{arguments.done:.0%} done", "the same again"):
        runs.append(time_command(name, manifest, out, profiled=arguments.profile))
    return {"machine": machine(), "pairs": count, "done": arguments.done, "runs": runs}


def write_pairs(folder: Path, contents: int, styles: int) -> Path:
    """Tiny pictures that all differ, and a manifest of all contents with all styles."""
    random = np.random.default_rng(0)
    for kind, count in (("content", contents), ("style", styles)):
        (folder / kind).mkdir()
        for index in range(count):
            pixels = random.integers(0, 256, (*SHAPES[index % len(SHAPES)], 3), np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{index}.png")
    rows = [f"content/{content}.png,style/{style}.png" for content in range(contents) for style in range(styles)]
    manifest = folder / "pairs.csv"
    manifest.write_text("\n".join(["content,style", *rows]) + "\n")
    return manifest


def write_results(manifest: Path, folder: Path, count: int) -> None:
    """Records and results of the first pairs, as if a job had computed them."""
    from jaxstyle import jobs
    from jaxstyle.environment import device
    from jaxstyle.files import result_record
    from jaxstyle.jobs.inputs import NetworkCache
    from jaxstyle.jobs.known_files import KnownFiles
    from jaxstyle.jobs.plan import make_plan

    options = jobs.Options(size=32, steps=3, content_layers="relu1_1", style_layers="relu1_1")
    networks = NetworkCache()
    plan = make_plan(jobs.read_manifest(manifest, options), networks, {}, folder, files=KnownFiles(folder))
    folder.mkdir(exist_ok=True)
    (folder / jobs.STATE_FOLDER).mkdir(exist_ok=True)
    with (folder / "results.jsonl").open("w") as file:
        for task, key in list(zip(plan.tasks, plan.keys, strict=True))[:count]:
            settings, network = task.settings, networks(task.settings)
            record = result_record(task.content, task.styles, settings, network, saved_styles=[], device=device())
            measured = {"width": 64, "height": 48, "steps": 3, "together": 1, "resumed": 0}
            seconds = {"wait": 0.0, "compute": 1.0, "write": 0.01}
            losses = {name: {"first": 1.2345678, "last": 0.1234567} for name in ("total", "content", "style", "color")}
            record = {"output": str(task.output), "key": key, "error": None, **record, **measured, "losses": losses}
            file.write(json.dumps({**record, "seconds": seconds, "ended": "2026-01-01T00:00:00.000000+00:00"}) + "\n")
            (folder / task.output).touch()


def time_command(name: str, manifest: Path, out: Path, *, profiled: bool) -> dict[str, Any]:
    """Run the command until it has begun to compute; the seconds since its start, and the peak of its memory."""
    flags = ["--profile"] * profiled
    command = [sys.executable, "-m", "scripts.measuring.plan_large", *flags, "--run", str(manifest), str(out)]
    environment = os.environ | {"STARTED": str(time.time())}
    completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    *lines, record = completed.stdout.splitlines()
    print("\n".join(lines), end="\n" * bool(lines))
    result = {"name": name} | json.loads(record)
    planned, begun = (f"{result[key]:.1f} s ({result[f'{key}_cpu']:.1f} s of CPU)" for key in ("planned", "begun"))
    print(f"{name}: planned after {planned}, begun after {begun}, {result['bytes'] / 1e9:.2f} GB")
    return result


def run_command(arguments: list[str], *, profiled: bool) -> None:
    """`jaxstyle batch` in this process, until the first group starts."""
    from jaxstyle.cli import batch as command
    from jaxstyle.cli.app import run
    from jaxstyle.jobs import Event, Planned, Started, run_job

    times: dict[str, float] = {}

    class BegunError(BaseException):
        pass

    def run_until_begun(job: Any, callback: Callable[[Event], None]) -> Any:
        def on_event(event: Event) -> None:
            callback(event)
            if isinstance(event, Planned | Started):
                name = "planned" if isinstance(event, Planned) else "begun"
                times[name] = time.time() - float(os.environ["STARTED"])
                times[f"{name}_cpu"] = time.process_time()
            if isinstance(event, Started):
                raise BegunError

        return run_job(job, on_event)

    vars(command)["run_job"] = run_until_begun
    manifest, out = arguments
    sys.argv = ["jaxstyle", "batch", manifest, "-o", out, *TINY]
    try:
        if profiled:
            profile(run)
        else:
            run()
    except BegunError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps(times | {"bytes": peak}), flush=True)
    os._exit(0)  # other threads may be computing


def profile(function: Callable[[], object]) -> None:
    import cProfile
    import pstats

    profiler = cProfile.Profile(time.process_time)
    try:
        profiler.runcall(function)
    finally:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
