"""Compilation in the background: later programs are compiled while earlier ones run."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Inputs = TypeVar("Inputs")


@contextmanager
def compile_in_background(
    makers: Sequence[Callable[[], Inputs]], compile_for: Callable[[Inputs], None]
) -> Iterator[list[tuple[Future[Inputs], Future[None]]]]:
    """Call the makers in order in a background thread, and compile for the inputs that each one makes.

    There is one thread, because a compilation keeps more than one core busy: two at a time would end no sooner, and
    the first one, which somebody waits for, would end later.

    Yields:
        for each maker a future of its inputs, and a future that is done when the compilation for them is. On exit,
        work that has not started is canceled.
    """
    thread = ThreadPoolExecutor(1)

    def compile_when_made(inputs: Future[Inputs]) -> None:
        compile_for(inputs.result())  # does not block: it was submitted earlier to the same thread

    def submit(maker: Callable[[], Inputs]) -> tuple[Future[Inputs], Future[None]]:
        inputs = thread.submit(maker)
        return inputs, thread.submit(compile_when_made, inputs)

    try:
        yield [submit(maker) for maker in makers]
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
