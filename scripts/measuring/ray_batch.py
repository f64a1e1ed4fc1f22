"""Compute a job on Ray with two workers that are killed at random, and compare it with the same job without Ray.

    python -m scripts.measuring.ray_batch [--pairs 40] [--kills 5] [--size 64] [--steps 40] [--seed 0]

Needs the extra "ray". First the job runs in one process, then on Ray, where a random worker is killed with SIGKILL
several times while it computes. Then a third job's driver is killed when a third of the pairs are done, and started
again. All results must have the same bytes, and one record each. The exit code is 0 if they have.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from scripts.arguments import make_parser
from scripts.measuring.killed_jobs import (
    EXAMPLES,
    count_differing,
    read_lines,
    read_results,
    run_in_folder,
)


def main() -> None:
    parser = make_parser(
        "measuring.ray_batch",
        __doc__,
        pairs=(40, "pairs in a job"),
        kills=(5, "workers to kill"),
        size=(64, "longest side in pixels"),
        steps=(40, "number of steps"),
        seed=(0, "seed of the moments"),
    )
    parser.add_argument("--drive", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments, *arguments.drive)
    else:
        run_in_folder(partial(run_trial, arguments))


def run_trial(arguments: argparse.Namespace, folder: Path) -> bool:
    moments, pairs = random.Random(arguments.seed), arguments.pairs

    def start(name: str, engine: str) -> subprocess.Popen[str]:
        options = [f"--{option}={getattr(arguments, option)}" for option in ("pairs", "size", "steps")]
        command = [sys.executable, "-m", "scripts.measuring.ray_batch", *options]
        return subprocess.Popen([*command, "--drive", folder / name, engine], stdout=subprocess.PIPE, text=True)

    began = time.monotonic()
    follow(start("local", "local"), lambda event, process: None)
    expected = read_results(folder / "local")
    print(f"without Ray: {time.monotonic() - began:.0f} s", flush=True)

    kills, groups_left = 0, 2

    def kill_workers(event: str, process: subprocess.Popen[str]) -> None:
        nonlocal kills, groups_left
        groups_left -= event == "Started"
        workers = [child for child in psutil.Process(process.pid).children(recursive=True) if is_worker(child)]
        if kills < arguments.kills and groups_left <= 0 and workers:
            moments.choice(workers).kill()
            kills, groups_left = kills + 1, moments.randint(2, 5)

    began = time.monotonic()
    assert follow(start("workers", "ray"), kill_workers) == 0
    differing = count_failed(folder / "workers", expected)
    print(f"{kills} workers killed: {time.monotonic() - began:.0f} s, {differing} results differ", flush=True)

    written = 0

    def kill_driver(event: str, process: subprocess.Popen[str]) -> None:
        nonlocal written
        written += event == "Written"
        if written == pairs // 3:
            process.kill()

    assert follow(start("driver", "ray"), kill_driver) == -signal.SIGKILL
    before = len(list((folder / "driver").glob("*.png")))
    assert follow(start("driver", "ray"), lambda event, process: None) == 0
    after = count_failed(folder / "driver", expected)
    print(f"driver killed after {before} of {pairs} results: started again, {after} results differ", flush=True)
    return not differing and not after and kills == arguments.kills


def drive(arguments: argparse.Namespace, folder: Path, engine: Path) -> None:
    """Run the job in this process, and print the names of its events."""
    from jaxstyle import jobs

    contents, styles = (sorted((EXAMPLES / kind).glob("*.jpg"))[:2] for kind in ("content", "style"))
    options = jobs.Options(size=arguments.size, steps=arguments.steps, init="content=0.9,noise=0.1")
    options = replace(options, content_layers="relu1_1", style_layers="relu1_1")
    tasks = [
        jobs.Task(
            contents[seed % 2], (styles[seed // 2 % 2],), replace(options, seed=seed).settings(), Path(f"{seed}.png")
        )
        for seed in range(arguments.pairs)
    ]
    job = jobs.Job(tasks, folder, checkpoint_every=1)

    def on_event(event: jobs.Event) -> None:
        print(type(event).__name__, flush=True)

    summary = jobs.run_job(job, on_event) if engine.name == "local" else jobs.run_job_on_ray(job, on_event, cores=1)
    sys.exit(0 if summary.done == len(tasks) else 1)


def follow(process: subprocess.Popen[str], on_event: Callable[[str, subprocess.Popen[str]], None]) -> int:
    """Call a function with the name of each event of a process; returns its exit code."""
    assert process.stdout
    for line in process.stdout:
        if process.poll() is None:
            on_event(line.strip(), process)
    return process.wait()


def is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[0].startswith("ray::Worker")
    except (psutil.Error, IndexError):
        return False


def count_failed(folder: Path, expected: dict[str, bytes]) -> int:
    """The number of results that differ from those without Ray, and of pairs that failed."""
    return count_differing(folder, expected) + sum(line["error"] is not None for line in read_lines(folder))


if __name__ == "__main__":
    main()
