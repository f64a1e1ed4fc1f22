"""Compiled programs: cached for the next process, and compiled in the background.

Modules:
    cached: functions whose traced programs are cached on disk
    background: compilation of later programs while earlier ones run
"""

from jaxstyle.compilation.background import compile_in_background
from jaxstyle.compilation.cached import CachedFunction, set_cache_folder

__all__ = [
    "CachedFunction",
    "compile_in_background",
    "set_cache_folder",
]
