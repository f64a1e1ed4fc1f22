"""What the scripts that measure have in common: contenders taking turns, and records of what was found where."""

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
    """Of each contender; they take turns in each round, so that all meet the same machine, after one to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for past in range(rounds + 1):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            if past:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in seconds.items()}


def machine(*packages: str) -> dict[str, Any]:
    """What the numbers were measured on, with the versions of further packages."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "device": jax.devices()[0].device_kind,
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in (jax, np, jaxstyle)},
        **{package: metadata.version(package) for package in packages},
    }


def write_record(file: Path | None, record: Mapping[str, Any]) -> None:
    """As JSON, into a file that somebody asked for."""
    if file:
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
