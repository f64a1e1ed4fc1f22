"""The cache of traced and compiled programs on disk: where it is, and turning it on."""

import os
from pathlib import Path

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

from jaxstyle.compilation.cached import set_cache_folder
from jaxstyle.compilation.folder import CacheFolder, cpu_digest

_MAX_BYTES = 2_000_000_000


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


def enable_cache() -> None:
    """Keep traced and compiled programs on disk, so that the next process does not compile them again.

    The command does so by itself; a program of your own calls this once, before the first stylization. It sets JAX's
    compilation cache for the whole process, with the folder and the limit of the command: see `jaxstyle cache`, and
    `JAX_COMPILATION_CACHE_DIR` and `JAX_COMPILATION_CACHE_MAX_SIZE` for others. A folder that cannot be written only
    costs time.
    """
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
    compilation_cache.reset_cache()  # JAX reads these settings once, when it compiles for the first time
