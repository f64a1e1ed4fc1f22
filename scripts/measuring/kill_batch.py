#!/usr/bin/env python3
"""Kill a job of many pairs at random moments, again and again, and see whether anything is lost.

Each time the same command is started again. A job that comes to its end is compared with one that nobody disturbed,
and another one is begun, until there were enough kills.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
OPTIONS = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1", "--init", "content=0.9,noise=0.1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(trial(asked, Path(folder)))


def trial(asked: argparse.Namespace, folder: Path) -> int:
    moments = random.Random(asked.seed)
    manifest = write_manifest(folder / "pairs.jsonl", asked.pairs)
    command = [sys.executable, "-m", "jaxstyle", "batch", manifest, *OPTIONS, "--checkpoint-every", asked.every]
    command += ["--size", asked.size, "--steps", asked.steps]

    def start(name: str) -> subprocess.Popen:
        return subprocess.Popen([*map(str, command), "-o", str(folder / name)], stdout=subprocess.DEVNULL)

    assert start("undisturbed").wait() == 0  # which also compiles
    began = time.monotonic()
    shutil.rmtree(folder / "undisturbed")
    assert start("undisturbed").wait() == 0
    whole = time.monotonic() - began
    expected = results(folder / "undisturbed")
    assert len(expected) == asked.pairs

    kills, jobs, found, left = 0, 0, 0, [0, 0, 0]
    while True:
        name = f"job-{jobs}"
        is_new, began = not (folder / name).exists(), time.monotonic()
        process = start(name)
        try:
            # Never longer than the whole takes at its fastest, so that most jobs are killed several times.
            code = process.wait(moments.uniform(0, 0.7 * whole) if kills < asked.kills else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            for index, has in enumerate(leavings(folder / name)):
                left[index] += has
            continue
        assert code == 0, f"the command ended with {code}"
        whole = min(whole, time.monotonic() - began) if is_new else whole
        found += compare(folder / name, expected)
        jobs += 1
        print(f"{kills} kills, {jobs} jobs at their ends, {found} results that differ", file=sys.stderr)
        if kills >= asked.kills:
            break
    print(f"{kills} kills of {jobs} jobs of {asked.pairs} pairs, which take {whole:.1f} s at the fastest undisturbed")
    print(f"{left[0]} left some pairs done and others not, {left[1]} a checkpoint, {left[2]} a result half-way")
    print(f"{jobs * asked.pairs} results, {found} of them not as those of the undisturbed job")
    return 1 if found else 0


def write_manifest(path: Path, pairs: int) -> Path:
    contents, styles = (sorted((EXAMPLES / kind).glob("*.jpg")) for kind in ("content", "style"))
    lines = [
        {"content": str(contents[i % 3]), "style": str(styles[i // 3 % 3]), "seed": i, "output": f"{i:02}.png"}
        for i in range(pairs)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def leavings(folder: Path) -> tuple[bool, bool, bool]:
    """Whether a killed job left some of its pairs done, a checkpoint, and a result not yet in its place."""
    hidden = folder / ".jaxstyle"
    return bool(results(folder)), any(hidden.glob("checkpoints/*/*")), any(hidden.glob("writing*/*"))


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def compare(folder: Path, expected: dict[str, bytes]) -> int:
    """How many results are missing, other than expected, or not told of in exactly one whole line."""
    have = results(folder)
    told = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    outputs = [record["output"] for record in told if record["error"] is None]
    assert have.keys() <= expected.keys() and {path.name for path in (folder / ".jaxstyle").iterdir()} <= {
        "lock",
        "checkpoints",
    }
    assert not any((folder / ".jaxstyle").glob("checkpoints/*"))
    return sum(have.get(name) != data or outputs.count(name) != 1 for name, data in expected.items())


if __name__ == "__main__":
    main()
