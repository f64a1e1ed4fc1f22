"""The configuration of JAX for a command: quiet, and with a cache of traced and compiled programs."""

import os
import sys
import warnings

import jax

from jaxstyle.compilation import enable_cache, share_arenas


def leave_gpus_alone() -> None:
    """Let JAX use the CPU only, in a process that has others compute on the GPUs of this machine."""
    jax.config.update("jax_platforms", "cpu")


def configure_jax() -> None:
    """Turn off JAX's log and warnings, cache traced and compiled programs, and keep little freed memory.

    The environment variables of JAX for its log and its cache are respected.
    """
    if "JAX_LOGGING_LEVEL" not in os.environ:
        # Errors of XLA's log are none: on some CPUs, it has one for each cached program (openxla/xla#44565).
        jax.config.update("jax_logging_level", "CRITICAL")
    enable_cache()
    share_arenas()
    if not sys.warnoptions:
        # Warnings are for programmers; JAX also warns of a damaged or full cache, which only costs time.
        warnings.simplefilter("ignore")
