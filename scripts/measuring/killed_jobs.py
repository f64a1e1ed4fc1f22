"""Shared by the scripts that kill jobs: a temporary folder, and the comparison of results."""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run_in_folder(trial: Callable[[Path], bool]) -> None:
    """Run a trial in a temporary folder, and end with the exit code 0 if it is passed, and 1 if not."""
    with tempfile.TemporaryDirectory() as folder:
        passed = trial(Path(folder))
    sys.exit(0 if passed else 1)


def read_results(folder: Path) -> dict[str, bytes]:
    """The bytes of each result."""
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """The records of a job, in order."""
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def count_differing(folder: Path, expected: Mapping[str, bytes]) -> int:
    """The number of results that are missing, differ from the expected ones, or do not have exactly one record."""
    results, records = read_results(folder), Counter(line["output"] for line in read_lines(folder) if not line["error"])
    assert results.keys() <= expected.keys()
    return sum(results.get(name) != data or records[name] != 1 for name, data in expected.items())
