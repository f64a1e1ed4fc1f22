"""What is needed later is begun before it is needed, in order, and not once nobody needs it any more."""

import threading
from functools import partial

import pytest

from jaxstyle.compilation.background import compile_in_background

PATIENCE = 10  # seconds


def test_all_is_made_and_warmed_up_in_order():
    made, warm = [], []

    def make(number: int) -> int:
        made.append(number)
        return 10 * number

    with compile_in_background([partial(make, number) for number in range(6)], warm.append) as coming:
        for number, (value, is_warm) in enumerate(coming):
            assert value.result(PATIENCE) == 10 * number
            assert is_warm.result(PATIENCE) is None
            assert 10 * number in warm
    assert sorted(made) == list(range(6)) == [value // 10 for value in sorted(warm)]


def test_the_first_is_at_hand_while_it_warms_up_and_warm_before_the_second_is_made():
    seen, events = threading.Event(), []

    def make(number: int) -> int:
        events.append(("made", number))
        return number

    def warm_up(number: int) -> None:
        assert number or seen.wait(PATIENCE)
        events.append(("warm", number))

    with compile_in_background([partial(make, number) for number in range(2)], warm_up) as coming:
        assert coming[0][0].result(PATIENCE) == 0
        seen.set()
        coming[1][1].result(PATIENCE)
    assert events == [("made", 0), ("warm", 0), ("made", 1), ("warm", 1)]


@pytest.mark.parametrize("fails", ["maker", "warm_up"])
def test_failures_come_out_where_they_are_needed(fails: str):
    def fail(*_: object) -> None:
        raise ValueError(fails)

    maker, warm_up = (fail, str) if fails == "maker" else (int, fail)
    with compile_in_background([maker, int], warm_up) as coming:
        with pytest.raises(ValueError, match=fails):
            coming[0][1].result(PATIENCE)
        assert coming[1][0].result(PATIENCE) == 0


def test_on_leaving_nothing_new_begins():
    begun, go_on = [], threading.Event()

    def make(number: int) -> None:
        begun.append(number)
        go_on.wait(PATIENCE)

    with compile_in_background([partial(make, number) for number in range(5)], str) as coming:
        while not begun:
            pass
    go_on.set()
    assert all(value.canceled() for value, _ in coming[1:])
    assert begun == [0]
