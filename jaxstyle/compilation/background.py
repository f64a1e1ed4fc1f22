"""Compilation in the background: for later inputs, while earlier ones are processed."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Inputs = TypeVar("Inputs")

_CORES = 4  # that one compilation keeps busy


@contextmanager
def compile_in_background(
    makers: Sequence[Callable[[], Inputs]], compile_for: Callable[[Inputs], None], *, threads: int | None = None
) -> Iterator[list[tuple[Future[Inputs], Future[None]]]]:
    """Call the makers in order in background threads, and compile for the inputs that each of them returns.

    One compilation uses several cores. Where there are few, several at a time would not finish sooner, and the first,
    which the caller waits for, would finish later.

    Args:
        makers: functions that return the inputs to compile for.
        compile_for: a function that compiles.
        threads: the number of threads; by default one for every four cores, at least one.

    Yields:
        For each maker, a future of its inputs and a future of the compilation for them. On exit, work that has not
        started is canceled.
    """
    pool = ThreadPoolExecutor(threads or max(1, available_cores() // _CORES))

    def compile_for_result(inputs: Future[Inputs]) -> None:
        compile_for(inputs.result())  # its maker has started before, so this cannot wait forever

    def submit(maker: Callable[[], Inputs]) -> tuple[Future[Inputs], Future[None]]:
        inputs = pool.submit(maker)
        return inputs, pool.submit(compile_for_result, inputs)

    try:
        yield [submit(maker) for maker in makers]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
