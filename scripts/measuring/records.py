"""Timing and records for the measuring scripts."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxstyle


def median_seconds(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each contender.

    The contenders take turns in every round, so that changes in the machine's speed affect all of them. The first round
    is a warm-up and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_index in range(rounds + 1):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            if round_index > 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seconds.items()}


def machine(*packages: str) -> dict[str, Any]:
    """The machine and the versions that figures were measured with, including the versions of further packages."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in (jax, np, jaxstyle)},
        **{package: metadata.version(package) for package in packages},
    }


def write_record(file: Path | None, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, if a file is given."""
    if file:
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
