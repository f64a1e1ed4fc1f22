"""The device and the versions on which a result depends."""

import platform
from functools import cache
from importlib import metadata
from typing import Any

import jax

from jaxstyle.compilation import available_cores
from jaxstyle.errors import JaxStyleError, MemoryLimitError, counted
from jaxstyle.optimization import memory_message

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow", "imagecodecs", "tifffile")


@cache
def versions() -> dict[str, str]:
    """The versions of jaxstyle, Python and the libraries that a result depends on."""
    libraries = {name: metadata.version(name) for name in ("jaxstyle", *_LIBRARIES)}
    return {"jaxstyle": libraries.pop("jaxstyle"), "python": platform.python_version(), **libraries}


def device() -> dict[str, Any]:
    """The device that JAX computes on: its platform, kind and count, and on CPU the number of cores.

    Raises:
        MemoryLimitError: if other processes hold the memory of the GPU.
        JaxStyleError: if there is none, as when `JAX_PLATFORMS` names one that does not exist.
    """
    try:
        first, *others = jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts that any of the platforms came up
        if message := memory_message(error):
            raise MemoryLimitError(message) from None
        reason = str(error).partition(" (set JAX_PLATFORMS=")[0].rstrip(".") or "no platform came up"
        raise JaxStyleError(f"JAX has no device to run on ({reason}); check JAX_PLATFORMS and the drivers") from None
    cores = {"cores": available_cores()} if first.platform == "cpu" else {}
    return {"platform": first.platform, "kind": first.device_kind, "count": 1 + len(others), **cores}


def device_name(record: dict[str, Any]) -> str:
    """A `device()` record as `CPU (2 cores)` or `NVIDIA H100 (the first of 2)`."""
    if record["platform"] == "cpu":
        return f"CPU ({counted(record['cores'], 'core')})"
    return record["kind"] + (f" (the first of {record['count']})" if record["count"] > 1 else "")
