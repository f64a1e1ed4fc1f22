"""Kill jobs of `jaxstyle batch` at random moments, and check that no result is lost or changed.

    python -m scripts.measuring.kill_batch [--pairs 24] [--kills 50] [--size 128] [--steps 100] [--every 1] [--seed 0]

After each kill, the same command is started again. A finished job is compared with an uninterrupted one, and then
another job is started, until there have been enough kills. The exit code is 0 if all results are the same.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from scripts.arguments import make_parser
from scripts.measuring.killed_jobs import EXAMPLES, count_differing, read_results, run_in_folder

OPTIONS = ("--content-layers", "relu1_1", "--style-layers", "relu1_1", "--init", "content=0.9,noise=0.1")


def main() -> None:
    parser = make_parser(
        "measuring.kill_batch",
        __doc__,
        pairs=(24, "pairs in a job"),
        kills=(50, "number of kills"),
        size=(128, "longest side in pixels"),
        steps=(100, "steps at full size"),
        every=(1.0, "seconds between checkpoints"),
        seed=(0, "seed of the moments"),
    )
    run_in_folder(partial(run_trial, parser.parse_args()))


def run_trial(arguments: argparse.Namespace, folder: Path) -> bool:
    random_times = random.Random(arguments.seed)
    manifest = write_manifest(folder / "pairs.jsonl", arguments.pairs)
    command = [sys.executable, "-m", "jaxstyle", "batch", manifest, *OPTIONS, "--checkpoint-every", arguments.every]
    command += ["--size", arguments.size, "--steps", arguments.steps]

    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen([*map(str, command), "-o", str(folder / name)], stdout=subprocess.DEVNULL)

    began = time.monotonic()
    assert start("uninterrupted").wait() == 0
    fastest = time.monotonic() - began
    expected = read_results(folder / "uninterrupted")
    assert len(expected) == arguments.pairs

    kills, jobs, differing = 0, 0, 0
    with_results, with_checkpoint, with_unfinished = 0, 0, 0
    while True:
        name = f"job-{jobs}"
        is_new, began = not (folder / name).exists(), time.monotonic()
        process = start(name)
        try:
            # Less time than the fastest job takes, so that most jobs are killed several times.
            code = process.wait(random_times.uniform(0, 0.7 * fastest) if kills < arguments.kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            hidden = folder / name / ".jaxstyle"
            with_results += bool(read_results(folder / name))
            with_checkpoint += any(hidden.glob("checkpoints/*/*"))
            with_unfinished += any(hidden.glob("writing*/*"))
            continue
        assert code == 0, f"the command ended with {code}"
        fastest = min(fastest, time.monotonic() - began) if is_new else fastest
        check_state_folder(folder / name)
        differing += count_differing(folder / name, expected)
        jobs += 1
        print(f"{kills} kills, {jobs} finished jobs, {differing} results that differ", file=sys.stderr)
        if kills >= arguments.kills:
            break
    print(f"{kills} kills of {jobs} jobs of {arguments.pairs} pairs; an uninterrupted job took {fastest:.1f} s")
    print(
        f"{with_results} kills left some pairs finished and others not, "
        f"{with_checkpoint} a checkpoint, {with_unfinished} an unfinished result"
    )
    print(f"{jobs * arguments.pairs} results, {differing} of them different from those of the uninterrupted job")
    return not differing


def write_manifest(path: Path, pairs: int) -> Path:
    contents, styles = (sorted((EXAMPLES / kind).glob("*.jpg")) for kind in ("content", "style"))
    lines = [
        {"content": str(contents[i % 3]), "style": str(styles[i // 3 % 3]), "seed": i, "output": f"{i:02}.png"}
        for i in range(pairs)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def check_state_folder(folder: Path) -> None:
    """Check that a finished job leaves no checkpoints and no unfinished results."""
    known = {"lock", "0-of-1.lock", "checkpoints", "pictures.json"}
    assert {path.name for path in (folder / ".jaxstyle").iterdir()} <= known
    assert not any((folder / ".jaxstyle").glob("checkpoints/*"))


if __name__ == "__main__":
    main()
