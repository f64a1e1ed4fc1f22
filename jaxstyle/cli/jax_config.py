"""The configuration of JAX for a command: quiet, and with a cache of compiled programs."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import jax
import platformdirs

from jaxstyle.compilation import set_cache_folder


def configure_jax() -> None:
    """Turn off JAX's log and warnings, and cache compiled programs in the user's cache folder.

    `JAX_LOGGING_LEVEL` and `JAX_COMPILATION_CACHE_DIR` are respected.
    """
    if "JAX_LOGGING_LEVEL" not in os.environ:
        jax.config.update("jax_logging_level", "ERROR")
    if _jax_cache_folder() is None and _is_writable(cache_folder()):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    if "://" not in str(jax.config.values["jax_compilation_cache_dir"]):  # JAX's cache can be in an object store
        set_cache_folder(cache_folder() / "traced")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if not sys.warnoptions:
        # Warnings are for programmers; JAX also warns of a damaged or full cache, which only costs time.
        warnings.simplefilter("ignore")


def cache_folder() -> Path:
    """The folder of compiled programs."""
    return _jax_cache_folder() or platformdirs.user_cache_path("jaxstyle", appauthor=False) / "compiled"


def _jax_cache_folder() -> Path | None:
    folder = jax.config.values["jax_compilation_cache_dir"]
    return Path(folder) if folder else None


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
