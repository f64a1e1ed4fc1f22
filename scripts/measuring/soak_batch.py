"""Run long jobs of `jaxstyle batch`, with bad files, a folder that fills meanwhile, and kills, and watch the process.

    python -m scripts.measuring.soak_batch [--pairs 200] [--kills 3] [--bad 0.03] [--size 64] [--output record.json]

First one job is killed at random moments and started again, while another thread adds pictures to its folder. Every
result and failure must then be recorded exactly once. Then the same pairs are computed by one process, whose memory and
open files are sampled. The exit code is 0 if nothing is lost or double, memory grows by less than 5 % after a third of
the pairs (200 at most), without the compiled programs of further shapes, and no file stays open.
"""

import argparse
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from scripts.arguments import make_parser
from scripts.measuring.killed_jobs import read_lines, run_in_folder
from scripts.measuring.records import machine, write_record

STYLES = 5
SHAPES = ((48, 64), (64, 48), (64, 64), (40, 64))
LAYERS = ("--content-layers", "relu1_1", "--style-layers", "relu1_1", "--steps", "5", "--init", "noise")
GROWTH = 1.05  # of the memory, at most


def main() -> None:
    parser = make_parser(
        "measuring.soak_batch",
        __doc__,
        pairs=(200, "pairs, five for each content"),
        kills=(3, "number of kills"),
        bad=(0.03, "share of the contents that are damaged"),
        size=(64, "longest side in pixels"),
        seed=(0, "seed of the moments"),
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a record as JSON")
    run_in_folder(partial(run_trial, parser.parse_args()))


def run_trial(arguments: argparse.Namespace, folder: Path) -> bool:
    contents = arguments.pairs // STYLES
    bad = max(1, round(arguments.bad * contents))
    for kind in ("contents", "styles"):
        (folder / kind).mkdir()
    write_pictures(folder / "styles", range(STYLES), 0)
    write_pictures(folder / "contents", range(contents // 2), bad)
    command = [
        sys.executable,
        "-m",
        "jaxstyle",
        "batch",
        "--content",
        folder / "contents",
        "--style",
        folder / "styles",
    ]
    command += ["--size", arguments.size, *LAYERS, "--checkpoint-every", 1]

    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen([*map(str, command), "-o", str(folder / name)], stderr=subprocess.DEVNULL, stdout=-3)

    filling = threading.Thread(target=fill, args=(folder / "contents", range(contents // 2, contents)))
    filling.start()
    interrupt(lambda: start("killed"), arguments.kills, random.Random(arguments.seed))
    filling.join()
    assert start("killed").wait() == 1, "the damaged pictures fail"
    found = count_records(folder / "killed", contents, bad)
    print(f"after {arguments.kills} kills: {found}")
    samples = sample(start("whole"), folder / "whole" / "results.jsonl")
    same = (folder / "whole").glob("*.png")
    different = sum(file.read_bytes() != (folder / "killed" / file.name).read_bytes() for file in same)
    flatness = describe_flatness(samples, folder / "whole", min(200, arguments.pairs // 3))
    print(f"one process: {flatness}; {different} results differ from those of the killed job")
    sound = not (found["lost"] or found["double"] or different or flatness["growth"] > GROWTH or flatness["leaked"] > 2)
    options = {name: value for name, value in vars(arguments).items() if name != "output"}
    results = {"killed": found, "whole": flatness, "different": different, "sound": sound}
    write_record(arguments.output, {"machine": machine(), **options, **results})
    return sound


def write_pictures(folder: Path, numbers: Sequence[int], bad: int) -> None:
    """Pictures of noise, of which the first `bad` are damaged; each appears under its name when it is complete."""
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (*SHAPES[number % len(SHAPES)], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.tmp", "PNG")
        if number < bad:
            (folder / f"{number}.tmp").write_bytes(b"\x89PNG\r\n\x1a\n")
        (folder / f"{number}.tmp").rename(folder / f"{number}.png")


def fill(folder: Path, numbers: Sequence[int]) -> None:
    for number in numbers:
        write_pictures(folder, [number], 0)
        time.sleep(0.1)


def interrupt(start: Any, kills: int, moments: random.Random) -> None:
    """Start and kill a process, after the time that it takes to begin and some more."""
    for _ in range(kills):
        process = start()
        time.sleep(moments.uniform(4, 14))
        process.kill()
        process.wait()


def count_records(folder: Path, contents: int, bad: int) -> dict[str, int]:
    """The results and failures that are recorded, and how many are lost or double."""
    outputs = Counter((line["output"], line["error"] is None) for line in read_lines(folder))
    done = [name for name, is_done in outputs if is_done]
    lost = (contents - bad) * STYLES - sum((folder / name).is_file() for name in done)
    failed = sum(not is_done for _, is_done in outputs)
    return {
        "done": len(done),
        "failed": failed,
        "lost": abs(lost) + abs(bad * STYLES - failed),
        "double": sum(count > 1 for count in outputs.values()),
    }


def sample(process: subprocess.Popen, records: Path) -> list[tuple[int, int, int]]:
    """The number of finished pairs, resident bytes and open files of a process, several times a second."""
    samples, watched = [], psutil.Process(process.pid)
    while process.poll() is None:
        try:
            done = records.read_bytes().count(b"\n") if records.exists() else 0
            samples.append((done, watched.memory_info().rss, watched.num_fds()))
        except psutil.Error:
            break
        time.sleep(0.2)
    process.wait()
    return samples


def describe_flatness(samples: list[tuple[int, int, int]], folder: Path, warm: int) -> dict[str, Any]:
    """How memory and open files after `warm` pairs compare with those at the end.

    A job computes one shape after another, and each has a program, which stays in memory. So growth with the number of
    pairs is what is added while pairs of one shape are computed, from the second third of them on.
    """
    shapes = [(line.get("height"), line.get("width")) for line in read_lines(folder)]
    later = [found for found in samples if warm <= found[0] < len(shapes)]
    (_, first, first_files), (_, last, last_files) = compare_ends(later)
    grown = 0.0
    for shape in {shapes[done] for done, *_ in later}:
        of_shape = [found for found in later if shapes[found[0]] == shape]
        (_, before, _), (_, after, _) = compare_ends(of_shape[len(of_shape) // 3 :])
        grown += after - before
    return {
        "pairs": len(shapes),
        "samples": len(later),
        "first_bytes": int(first),
        "last_bytes": int(last),
        "growth": round(float(1 + grown / first), 4),
        "growth_with_programs": round(float(last / first), 4),
        "leaked": int(last_files - first_files),
    }


def compare_ends(samples: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The medians of the first and the last quarter."""
    quarter = max(1, len(samples) // 4)
    return np.median(samples[:quarter], 0), np.median(samples[-quarter:], 0)


if __name__ == "__main__":
    main()
