"""`jaxstyle batch` as a process that is stopped or killed, and resumed with the same command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.batches import TINY, batch, pictures_in, records_in
from support.command import CONTENT, STYLE, without_progress

ROOT = Path(__file__).parents[2]


def manifest(folder: Path, pairs: int) -> Path:
    path = folder / "pairs.jsonl"
    lines = [{"content": str(CONTENT), "style": str(STYLE), "seed": seed, "init": "noise"} for seed in range(pairs)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def start(out: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "jaxstyle", "batch", "-o", out, *TINY, *arguments]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(pattern: str, folder: Path, process: subprocess.Popen) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + 120
    while not any(folder.glob(pattern)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert any(folder.glob(pattern))


def test_a_stopped_job_resumes_from_its_checkpoint(tmp_path):
    """Stopped by a signal. Meanwhile, another job in its folder is refused."""
    pairs, out = manifest(tmp_path, 1), tmp_path / "out"
    steps, checkpoint = 1000, ".jaxstyle/checkpoints/*/*[0-9]"
    options = ("--steps", steps, "--checkpoint-every", 0.1)
    with start(out, pairs, *options) as process:
        try:
            wait_for(checkpoint, out, process)
            process.send_signal(signal.SIGSTOP)  # so that it does not end meanwhile
            refused = batch(out, pairs)
            assert (refused.code, refused.out) == (1, "")
            assert refused.err.startswith(f"jaxstyle: error: another job is running in {out}; ")
            stopped = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
            printed, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, printed) == (130, "") and time.monotonic() - stopped < 3
    waiting, line = without_progress(err).splitlines()
    assert waiting.startswith("jaxstyle: stopping after the steps that are being computed")
    assert line.startswith("jaxstyle: stopped; 0 of 1 pair is done, ")
    assert pictures_in(out) == {} and records_in(out) == []

    outcome = batch(out, pairs, "--steps", steps, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = records_in(out)
    assert json.loads(outcome.out)["done"] == 1 and line["steps"] == steps and 0 < line["resumed"] < steps
    assert list((out / ".jaxstyle" / "checkpoints").iterdir()) == []


def test_jobs_that_are_killed_lose_nothing():
    """A short run of scripts/measuring/kill_batch.py."""
    command = [sys.executable, "-m", "scripts.measuring.kill_batch", "--pairs", 1, "--kills", 1, "--size", 32]
    command += ["--steps", 100, "--every", 0.1]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 kills of ") and done.stdout.endswith(
        ", 0 of them different from those of the uninterrupted job\n"
    )
