"""Work done ahead: what is needed later is made ready while what is there already is worked on."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Made = TypeVar("Made")


@contextmanager
def ahead(
    makers: Sequence[Callable[[], Made]], warm_up: Callable[[Made], None]
) -> Iterator[list[tuple[Future[Made], Future[None]]]]:
    """Run the makers in order, in two threads, each followed by the warming up of what it made.

    Two, because that much of the work is one compilation beside another, which takes one core and no more.

    Yields:
        for each maker the future of what it makes, and the one that is done when that is warm. On leaving, what has not
        begun never will.
    """
    threads = ThreadPoolExecutor(1)

    def warm(made: Future[Made]) -> None:
        warm_up(made.result())  # which has begun, because it was submitted before

    def submit(maker: Callable[[], Made]) -> tuple[Future[Made], Future[None]]:
        made = threads.submit(maker)
        return made, threads.submit(warm, made)

    try:
        yield [submit(maker) for maker in makers]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
