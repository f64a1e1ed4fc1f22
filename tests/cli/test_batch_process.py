"""`jaxstyle batch` as a process that is stopped or killed, and resumed with the same command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.batches import pictures_in, records_in
from support.command import CONTENT, QUICK, STYLE, without_progress

ROOT = Path(__file__).parents[2]


def manifest(folder: Path, pairs: int) -> Path:
    path = folder / "pairs.jsonl"
    lines = [{"content": str(CONTENT), "style": str(STYLE), "seed": seed, "init": "noise"} for seed in range(pairs)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def start(out: Path, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "jaxstyle", "batch", "-o", out, *QUICK, *arguments]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(pattern: str, folder: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while not any(folder.glob(pattern)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert any(folder.glob(pattern))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_job_resumes_from_its_checkpoint(tmp_path, stop):
    """Its record has the step at which it resumed."""
    pairs, out = manifest(tmp_path, 1), tmp_path / "out"
    steps = 400
    process = start(out, pairs, "--steps", steps, "--checkpoint-every", 0.2)
    wait_for(".jaxstyle/checkpoints/*/*[0-9]", out, process)
    stopped = time.monotonic()
    process.send_signal(stop)
    printed, err = process.communicate(timeout=60)
    if stop == signal.SIGKILL:
        assert process.returncode == -stop
    else:
        assert (process.returncode, printed) == (130, "") and time.monotonic() - stopped < 3
        assert (
            without_progress(err)
            == "jaxstyle: stopped; this run finished 0 pairs; run the same command again to resume\n"
        )
    assert pictures_in(out) == {} and records_in(out) == []
    process = start(out, pairs, "--steps", steps, "--json")
    printed, err = process.communicate(timeout=120)
    assert (process.returncode, without_progress(err)) == (0, "")
    (line,) = records_in(out)
    assert json.loads(printed)["done"] == 1 and line["steps"] == steps and 0 < line["resumed"] < steps
    assert list((out / ".jaxstyle" / "checkpoints").iterdir()) == []


def test_two_jobs_in_one_folder(tmp_path):
    pairs, out = manifest(tmp_path, 1), tmp_path / "out"
    first = start(out, pairs, "--steps", 100_000)
    wait_for("results.jsonl", out, first)
    second = start(out, pairs)
    printed, err = second.communicate(timeout=60)
    assert (second.returncode, printed) == (1, "")
    assert err.startswith(f"jaxstyle: error: another job is running in {out}; ")
    first.kill()
    first.communicate()


def test_jobs_that_are_killed_lose_nothing():
    """A short run of scripts/measuring/kill_batch.py."""
    command = [sys.executable, "-m", "scripts.measuring.kill_batch", "--pairs", 2, "--kills", 2, "--size", 64]
    command += ["--steps", 60, "--every", 0.2]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 kills of ") and done.stdout.endswith(
        ", 0 of them different from those of the uninterrupted job\n"
    )
