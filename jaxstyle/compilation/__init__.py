"""Compiled functions that are cached on disk, and compilation in the background.

Modules:
    cached: compiled functions that are cached on disk as traced programs
    outputs: the types that their outputs contain
    folder: the cache folder, its size, and the CPU that it is for
    enabling: where the cache is, and turning it on
    freed: memory that the compiler has freed
    background: compilation for later inputs while earlier ones are processed
    stages: named stages of the work, for traces and tables of where the time goes
"""

from jaxstyle.compilation.background import available_cores, compile_in_background
from jaxstyle.compilation.cached import CachedFunction, set_cache_folder
from jaxstyle.compilation.enabling import cache_folder, cache_location, enable_cache
from jaxstyle.compilation.folder import CachedFile, CacheFolder, cpu_digest
from jaxstyle.compilation.freed import share_arenas
from jaxstyle.compilation.outputs import register_output
from jaxstyle.compilation.stages import record_stages, stage

__all__ = [
    "CacheFolder",
    "CachedFile",
    "CachedFunction",
    "available_cores",
    "cache_folder",
    "cache_location",
    "compile_in_background",
    "cpu_digest",
    "enable_cache",
    "record_stages",
    "register_output",
    "set_cache_folder",
    "share_arenas",
    "stage",
]
