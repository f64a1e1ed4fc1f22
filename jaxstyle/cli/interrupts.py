"""Ctrl-C and SIGTERM, which end a command at any moment with one line and exit code 130.

A command works in a thread, and the main thread waits for it. Python handles signals in the main thread only, between
two instructions, and XLA may compile or compute for half a minute within one. An exception that a handler raised could
also be swallowed where it happens to arrive, such as in JAX's callback of the garbage collector.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

from jaxstyle.errors import escape_unprintable

EXIT_CODE = 130
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last one is Ctrl-Break on Windows

_on_interrupt: list[Callable[[], str | None]] = []


@contextmanager
def on_interrupt(finish: Callable[[], str | None]) -> Iterator[None]:
    """Call `finish` if an interrupt ends the block, from another thread; what it returns is printed in one line."""
    _on_interrupt.append(finish)
    try:
        yield
    finally:
        _on_interrupt.remove(finish)


def run_command(command: Callable[[], int]) -> None:
    """Run a command and exit with the code that it returns, or with 130 after Ctrl-C or SIGTERM.

    A signal that the process was started to ignore, such as Ctrl-C for jobs in the background, stays ignored.
    """
    future: Future[int] = Future()
    signaled = False

    def work() -> None:
        try:
            future.set_result(command())
        except BaseException as error:
            future.set_exception(error)

    def handle(*_: object) -> None:
        nonlocal signaled
        signaled = True

    for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)  # to the end of the process
    thread = threading.Thread(target=work, daemon=True, name="jaxstyle")
    thread.start()
    while thread.is_alive() and not signaled:
        thread.join(0.1)
    if signaled and not future.done():
        _end()
    sys.exit(future.result())


def _end() -> None:
    """End the process with a line, while the command may still be at work."""
    code, line = EXIT_CODE, "stopped"
    try:
        for finish in _on_interrupt[::-1]:
            line = finish() or line
    except Exception as error:
        code, line = getattr(error, "exit_code", 1), f"error: {' '.join(str(error).split())}"
    if files := sys.modules.get("jaxstyle.images.files"):
        for path in list(files.unfinished):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError, ValueError):  # a closed stream
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.write(f"jaxstyle: {escape_unprintable(line)}\n")
        sys.stderr.flush()
    # A normal exit of Python would wait for all threads, and abort while XLA works in one. Files are complete at any
    # moment.
    os._exit(code)
