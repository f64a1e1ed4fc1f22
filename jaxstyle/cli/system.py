"""What a command runs on: versions, devices, and the cache of compiled programs."""

import os
import platform
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import platformdirs

import jaxstyle
from jaxstyle.batch import cores
from jaxstyle.errors import JaxStyleError
from jaxstyle.programs import keep_in

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "pillow")


def configure_jax() -> None:
    """Make JAX a quiet part of a command whose compiled programs wait in the user's cache for the next run.

    A person's own `JAX_LOGGING_LEVEL` and `JAX_COMPILATION_CACHE_DIR` are respected.
    """
    if "JAX_LOGGING_LEVEL" not in os.environ:
        jax.config.update("jax_logging_level", "ERROR")
    if _cache_of_jax() is None and _can_hold_files(compiled_folder()):
        jax.config.update("jax_compilation_cache_dir", str(compiled_folder()))
    if "://" not in str(jax.config.values["jax_compilation_cache_dir"]):  # JAX can keep its own in a bucket
        keep_in(compiled_folder() / "traced")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if not sys.warnoptions:
        # They are for programmers; JAX also warns of a damaged or full cache, which costs time and nothing else.
        warnings.simplefilter("ignore")


def compiled_folder() -> Path:
    """Where compiled programs are kept, unless JAX was told otherwise."""
    return _cache_of_jax() or platformdirs.user_cache_path("jaxstyle", appauthor=False) / "compiled"


def versions() -> dict[str, str]:
    """The versions of everything that decides the result."""
    libraries = {name: metadata.version(name) for name in _LIBRARIES}
    return {"jaxstyle": jaxstyle.__version__, "python": platform.python_version(), **libraries}


def device() -> dict[str, Any]:
    """The device that JAX computes on.

    Raises:
        JaxStyleError: if there is none, as when `JAX_PLATFORMS` asks for one that is not there.
    """
    try:
        first, *others = jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts that any of the platforms came up
        reason = str(error) or "no platform came up"
        raise JaxStyleError(f"JAX has no device to run on ({reason}); check JAX_PLATFORMS and the drivers") from None
    shared = {"cores": cores()} if first.platform == "cpu" else {}
    return {"platform": first.platform, "kind": first.device_kind, "count": 1 + len(others), **shared}


def device_name(found: dict[str, Any]) -> str:
    """A device as `CPU (2 cores)` or `NVIDIA H100 (the first of 2)`."""
    if found["platform"] == "cpu":
        return f"CPU ({found['cores']} core{'s'[: found['cores'] != 1]})"
    return found["kind"] + (f" (the first of {found['count']})" if found["count"] > 1 else "")


def _cache_of_jax() -> Path | None:
    chosen = jax.config.values["jax_compilation_cache_dir"]
    return Path(chosen) if chosen else None


def _can_hold_files(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
