"""Compilation in the background: for later inputs, while earlier ones are processed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Inputs = TypeVar("Inputs")


@contextmanager
def compile_in_background(
    makers: Sequence[Callable[[], Inputs]], compile_for: Callable[[Inputs], None]
) -> Iterator[list[tuple[Future[Inputs], Future[None]]]]:
    """Call the makers in order in a background thread, and compile for the inputs that each of them returns.

    There is only one thread, because one compilation uses several cores: two at a time would not finish sooner, and the
    first, which the caller waits for, would finish later.

    Yields:
        For each maker, a future of its inputs and a future of the compilation for them. On exit, work that has not
        started is canceled.
    """
    thread = ThreadPoolExecutor(1)

    def compile_for_result(inputs: Future[Inputs]) -> None:
        compile_for(inputs.result())  # does not block: the same thread has run the maker before

    def submit(maker: Callable[[], Inputs]) -> tuple[Future[Inputs], Future[None]]:
        inputs = thread.submit(maker)
        return inputs, thread.submit(compile_for_result, inputs)

    try:
        yield [submit(maker) for maker in makers]
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
