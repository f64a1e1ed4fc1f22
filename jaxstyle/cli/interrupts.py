"""Ctrl-C and SIGTERM, which end a command at any moment."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

_THREAD = "interruptible"
Result = TypeVar("Result")


def is_still_running() -> bool:
    """Whether a thread of `run_interruptibly` is still at work after an interrupt."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def run_interruptibly(work: Callable[[], Result]) -> Result:
    """Call `work` in a thread, so that Ctrl-C ends the wait for it at once.

    Python handles signals between two instructions of the main thread only, and XLA may compile or compute for half a
    minute within one. A wait for another thread can be interrupted.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, name=_THREAD, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)
    return future.result()


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
