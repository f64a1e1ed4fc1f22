"""Ctrl-C and SIGTERM, which end a command with exit code 130 and a line.

They do so at any moment, but for a command that has something to save and can do so soon. Then only the second signal
ends it at any moment.

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
_WAITING = "stopping after the steps that are being computed, so that nothing is lost; Ctrl-C again stops at once"

Finish = Callable[[], str | None]
Save = Callable[[], threading.Event | None]
_on_interrupt: list[tuple[Finish, Save]] = []


@contextmanager
def on_interrupt(finish: Finish, *, save: Save = lambda: None) -> Iterator[None]:
    """What to do if an interrupt comes within the block; all is called from another thread.

    Args:
        finish: called before the process ends; what it returns is printed in one line.
        save: called at the first signal; asks the block to save its work, and to call `wait_for_end` with the event
            that it returns, unless the block ends by itself before. None, if there is nothing to wait for.
    """
    entry = finish, save
    _on_interrupt.append(entry)
    try:
        yield
    finally:
        _on_interrupt.remove(entry)


def wait_for_end(saved: threading.Event) -> None:
    """Set the event that everything is saved, and wait for the end of the process."""
    saved.set()
    threading.Event().wait()


def run_command(command: Callable[[], int]) -> None:
    """Run a command and exit with the code that it returns, or with 130 after Ctrl-C or SIGTERM.

    A signal that the process was started to ignore, such as Ctrl-C for jobs in the background, stays ignored.
    """
    future: Future[int] = Future()
    signals = 0

    def work() -> None:
        try:
            future.set_result(command())
        except BaseException as error:
            future.set_exception(error)

    def handle(*_: object) -> None:
        nonlocal signals
        signals += 1

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handled = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]

    def install() -> None:
        for number in handled:
            signal.signal(number, handle)

    install()
    thread = threading.Thread(target=work, daemon=True, name="jaxstyle")
    thread.start()
    while thread.is_alive() and not signals:
        thread.join(0.1)
        install()  # again: Ray puts a handler before it that prints the stack of the process
    if signals and not future.done() and (saved := [event for _, save in _on_interrupt[::-1] if (event := save())]):
        _print_line(_WAITING)
        while thread.is_alive() and signals < 2 and not all(event.is_set() for event in saved):
            thread.join(0.1)
    if signals and not future.done():
        _end()
    sys.exit(future.result())


def _end() -> None:
    """End the process with a line, while the command may still be at work."""
    code, line = EXIT_CODE, "stopped"
    try:
        for finish, _ in _on_interrupt[::-1]:
            line = finish() or line
    except Exception as error:
        code, line = getattr(error, "exit_code", 1), f"error: {' '.join(str(error).split())}"
    if files := sys.modules.get("jaxstyle.images.files"):
        for path in list(files.unfinished):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError, ValueError):  # a closed stream
        sys.stdout.flush()
    _print_line(line)
    # A normal exit of Python would wait for all threads, and abort while XLA works in one. Files are complete at any
    # moment.
    os._exit(code)


def _print_line(text: str) -> None:
    with suppress(OSError, ValueError):  # a closed stream
        sys.stderr.write(f"jaxstyle: {escape_unprintable(text)}\n")
        sys.stderr.flush()
