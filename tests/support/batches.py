"""Run `jaxstyle batch` on small pictures, and read the folder of results."""

import json
from dataclasses import replace
from pathlib import Path

from support.command import Outcome, run, without_progress

TINY = ("--size", 32, "--steps", 3, "--optimizer", "adam", "--content-layers", "relu1_1", "--style-layers", "relu1_1")


def batch(out: Path, *arguments: object) -> Outcome:
    """Run `jaxstyle batch` with settings that take moments."""
    outcome = run("batch", "-o", out, *TINY, *arguments)
    return replace(outcome, err=without_progress(outcome.err))


def records_in(folder: Path) -> list[dict]:
    """The records of a folder of results, in the order in which they were written."""
    file = folder / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def pictures_in(folder: Path) -> dict[str, bytes]:
    """The bytes of the pictures in a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}
