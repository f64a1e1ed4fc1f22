"""Jobs of `jaxstyle batch` on a few small pictures, at sizes that take moments, and what tests of them look at."""

import json
from pathlib import Path

from support.command import Ended, run

TINY = ("--size", 32, "--steps", 3, "--content-layers", "relu1_1", "--style-layers", "relu1_1")


def batch(out: Path, *arguments: object) -> Ended:
    return run("batch", "-o", out, *TINY, *arguments)


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}
