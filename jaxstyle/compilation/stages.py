"""Named stages of the work of this process, which appear in a trace by `jax.profiler`; their times can be recorded."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

Recorder = Callable[[str, float, float], None]

_recorder: Recorder | None = None


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage of this thread. What it starts on a device may end later, in a stage that waits for it."""
    with jax.profiler.TraceAnnotation(name):
        began = time.perf_counter()
        try:
            yield
        finally:
            if _recorder:
                _recorder(name, began, time.perf_counter())


@contextmanager
def record_stages(recorder: Recorder) -> Iterator[None]:
    """Call the recorder with the name of each stage and when it began and ended, by `time.perf_counter`.

    It is called by the thread of the stage.
    """
    global _recorder
    _recorder = recorder
    try:
        yield
    finally:
        _recorder = None
