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
    """Run the makers in order, in a thread beside, each followed by the warming up of what it made.

    One thread, because a compilation keeps more than one core busy by itself: a second one beside it ends no sooner
    than it would after it, and the first, for which somebody waits, later.

    Yields:
        for each maker the future of what it makes, and the one that is done when that is warm. On leaving, what has not
        begun never will.
    """
    thread = ThreadPoolExecutor(1)

    def warm(made: Future[Made]) -> None:
        warm_up(made.result())  # which was submitted before

    def submit(maker: Callable[[], Made]) -> tuple[Future[Made], Future[None]]:
        made = thread.submit(maker)
        return made, thread.submit(warm, made)

    try:
        yield [submit(maker) for maker in makers]
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
