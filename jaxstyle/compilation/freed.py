"""Memory that the compiler has freed: the C library keeps less of it, and returns it to the system."""

import ctypes
import sys
from contextlib import suppress

from jaxstyle.compilation.background import available_cores

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h


def share_arenas() -> None:
    """Let the threads share as many arenas of memory as there are cores, where glibc gives each thread its own.

    The compiler works in many threads, and glibc keeps much of what each of them has freed: in all more than 1 GiB.
    """
    with suppress(OSError, AttributeError):  # another C library
        if sys.platform == "linux":
            ctypes.CDLL(None).mallopt(_ARENA_MAX, available_cores())


def return_freed_memory() -> None:
    """Return memory that was freed, but that glibc keeps, to the system."""
    with suppress(OSError, AttributeError):
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
