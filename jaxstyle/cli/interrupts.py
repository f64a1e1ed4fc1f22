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

EXIT_CODE = 130
_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last one is Ctrl-Break on Windows
_GRACE = 0.5  # seconds for the thread of the command to end by itself, which removes temporary files

_on_interrupt: list[Callable[[], str | None]] = []


class Interrupted(BaseException):
    """Raised in the thread of a command to end it."""


@contextmanager
def on_interrupt(finish: Callable[[], str | None]) -> Iterator[None]:
    """Call `finish` if an interrupt ends the block, from another thread; what it returns is printed in one line."""
    _on_interrupt.append(finish)
    try:
        yield
    finally:
        _on_interrupt.remove(finish)


def run_command(command: Callable[[], int]) -> None:
    """Run a command and exit with the code that it returns, or with 130 after Ctrl-C or SIGTERM."""
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

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        thread = threading.Thread(target=work, daemon=True, name="jaxstyle")
        thread.start()
        while thread.is_alive() and not signaled:
            thread.join(0.1)
        if thread.is_alive():
            _end(thread, future)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    sys.exit(future.result())


def _end(thread: threading.Thread, future: Future[int]) -> None:
    """End the process, unless the command ends by itself."""
    finishers = _on_interrupt[::-1]
    sys.unraisablehook = lambda _: None  # where the exception arrives, it may be ignored with a traceback
    _raise_in(thread, Interrupted)
    thread.join(_GRACE)
    if future.done() and not isinstance(future.exception(), Interrupted):
        return
    code, line = EXIT_CODE, "stopped"
    try:
        for finish in finishers:
            line = finish() or line
    except Exception as error:
        code, line = getattr(error, "exit_code", 1), f"error: {' '.join(str(error).split())}"
    with suppress(OSError, ValueError):  # a closed stream
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.write(f"jaxstyle: {line}\n")
        sys.stderr.flush()
    # A normal exit of Python would wait for all threads, and abort while XLA works in one. Files are complete at any
    # moment.
    os._exit(code)


def _raise_in(thread: threading.Thread, exception: type[BaseException]) -> None:
    """Raise an exception in a thread, as soon as it runs Python code."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(exception))
