"""Compiled functions that are cached on disk, and compilation in the background.

Modules:
    cached: compiled functions that are cached on disk as traced programs
    background: compilation for later inputs while earlier ones are processed
"""

from jaxstyle.compilation.background import compile_in_background
from jaxstyle.compilation.cached import CachedFunction, set_cache_folder

__all__ = [
    "CachedFunction",
    "compile_in_background",
    "set_cache_folder",
]
