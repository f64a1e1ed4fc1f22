"""Settings and systems other than the usual ones: float64 in JAX, systems without POSIX, and a clock that jumps."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import jax
import numpy as np
import pytest
from support.command import CONTENT, STYLE
from support.quick import QUICK, random_picture, run

from jaxstyle.networks import Network


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_float64_in_jax_changes_nothing(network: Network, optimizer: str) -> None:
    config = replace(QUICK, optimizer=optimizer)
    pictures = random_picture(24, 32), random_picture(32, 24, seed=1)
    expected = run(network, *pictures, config=config)
    jax.config.update("jax_enable_x64", True)
    try:
        found = run(network, *pictures, config=config)
    finally:
        jax.config.update("jax_enable_x64", False)
    assert found.image.dtype == np.float32
    np.testing.assert_allclose(found.image, expected.image, atol=1e-4)


def test_no_module_needs_posix(tmp_path):
    """Every module is imported, and a batch runs, without modules, functions and signals that Windows lacks."""
    code = """
        import asyncio, sys  # on Linux, asyncio itself needs POSIX
        for name in ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"):
            sys.modules[name] = None
        import os, signal
        for name in ("fork", "getloadavg", "mkfifo", "sched_getaffinity", "sysconf"):
            vars(os).pop(name, None)
        for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "alarm", "pthread_kill", "setitimer"):
            vars(signal).pop(name, None)
        import importlib, pkgutil, jaxstyle
        for module in pkgutil.walk_packages(jaxstyle.__path__, "jaxstyle."):
            importlib.import_module(module.name)
        from jaxstyle.__main__ import main
        main()
    """
    layers = ("--content-layers", "relu1_1", "--style-layers", "relu1_1")
    options = ("--size", "32", "--steps", "2", *layers)
    pair = ("--content", str(CONTENT), "--style", str(STYLE), "-o", str(tmp_path / "results"))
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), "batch", *pair, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "results").glob("*.png")] == ["harbour--swirls.png"]
