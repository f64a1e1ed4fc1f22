"""The configuration of JAX for a command: quiet, and with a cache of traced and compiled programs."""

import os
import sys
import warnings
from pathlib import Path

import jax
import platformdirs

from jaxstyle.compilation import CacheFolder, cpu_digest, set_cache_folder

_MAX_BYTES = 2_000_000_000


def configure_jax() -> None:
    """Turn off JAX's log and warnings, and cache traced and compiled programs.

    The environment variables of JAX for its log and its cache are respected.
    """
    if "JAX_LOGGING_LEVEL" not in os.environ:
        # Errors of XLA's log are none: on some CPUs, it has one for each cached program (openxla/xla#44565).
        jax.config.update("jax_logging_level", "CRITICAL")
    _configure_cache()
    if not sys.warnoptions:
        # Warnings are for programmers; JAX also warns of a damaged or full cache, which only costs time.
        warnings.simplefilter("ignore")


def cache_location() -> str:
    """The path of the cache folder, or its address in an object store."""
    shared_folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if shared_folder:
        return f"{shared_folder.rstrip('/')}/jaxstyle"  # other programs may use the folder, too
    return str(platformdirs.user_cache_path("jaxstyle", appauthor=False) / "compiled")


def cache_folder() -> CacheFolder | None:
    """The cache folder; None for an object store, to which only JAX can write."""
    max_bytes = int(os.environ.get("JAX_COMPILATION_CACHE_MAX_SIZE", _MAX_BYTES))  # JAX has checked it
    location = cache_location()
    return None if "://" in location else CacheFolder(Path(location), None if max_bytes < 0 else max_bytes)


def _configure_cache() -> None:
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES" not in os.environ:
        # XLA would also cache results of autotuning, and fail to compile if it cannot write them.
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    folder = cache_folder()
    if folder is None:
        jax.config.update("jax_compilation_cache_dir", f"{cache_location()}/{cpu_digest()}")
    elif jax.config.values["jax_enable_compilation_cache"] and folder.max_bytes != 0:
        jax.config.update("jax_compilation_cache_dir", str(folder.compiled))
        # `CacheFolder` limits the size. JAX's limit does not count traced programs, and it needs a lock in the folder.
        jax.config.update("jax_compilation_cache_max_size", -1)
        set_cache_folder(folder)
