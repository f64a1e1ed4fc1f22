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
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OPTIONS = ("--content-layers", "relu1_1", "--style-layers", "relu1_1", "--init", "content=0.9,noise=0.1")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.measuring.kill_batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=int, default=24, help="pairs in a job (default 24)")
    parser.add_argument("--kills", type=int, default=50, help="number of kills (default 50)")
    parser.add_argument("--size", type=int, default=128, help="longest side in pixels (default 128)")
    parser.add_argument("--steps", type=int, default=100, help="steps at full size (default 100)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between checkpoints (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default 0)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run_trial(arguments, Path(folder)))


def run_trial(arguments: argparse.Namespace, folder: Path) -> int:
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
    return 1 if differing else 0


def write_manifest(path: Path, pairs: int) -> Path:
    contents, styles = (sorted((EXAMPLES / kind).glob("*.jpg")) for kind in ("content", "style"))
    lines = [
        {"content": str(contents[i % 3]), "style": str(styles[i // 3 % 3]), "seed": i, "output": f"{i:02}.png"}
        for i in range(pairs)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read_results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def count_differing(folder: Path, expected: dict[str, bytes]) -> int:
    """The number of results that are missing, differ from the expected ones, or do not have exactly one record."""
    results = read_results(folder)
    records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    outputs = [record["output"] for record in records if record["error"] is None]
    assert results.keys() <= expected.keys()
    assert {path.name for path in (folder / ".jaxstyle").iterdir()} <= {
        "lock",
        "0-of-1.lock",
        "checkpoints",
        "pictures.json",
    }
    assert not any((folder / ".jaxstyle").glob("checkpoints/*"))
    return sum(results.get(name) != data or outputs.count(name) != 1 for name, data in expected.items())


if __name__ == "__main__":
    main()
