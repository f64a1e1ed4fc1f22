"""Compilation in the background: order, failures, and cancellation."""

import threading
from functools import partial

import pytest

from jaxstyle.compilation import compile_in_background

TIMEOUT = 10  # seconds


def test_makers_are_called_and_compiled_for_in_order():
    arguments, compiled_inputs = [], []

    def make(number: int) -> int:
        arguments.append(number)
        return 10 * number

    with compile_in_background(
        [partial(make, number) for number in range(6)], compiled_inputs.append, threads=1
    ) as futures:
        for number, (inputs, compilation) in enumerate(futures):
            assert inputs.result(TIMEOUT) == 10 * number
            assert compilation.result(TIMEOUT) is None
            assert 10 * number in compiled_inputs
    assert sorted(arguments) == list(range(6)) == [inputs // 10 for inputs in sorted(compiled_inputs)]


def test_with_several_threads_compilations_run_at_the_same_time():
    together = threading.Barrier(3, timeout=TIMEOUT)  # breaks unless three threads wait at the same time

    def compile_for(_: int) -> None:
        together.wait()

    with compile_in_background([int] * 3, compile_for, threads=3) as futures:
        assert [compilation.result(TIMEOUT) for _, compilation in futures] == [None] * 3


def test_inputs_are_available_during_compilation_which_ends_before_the_next_maker():
    available, events = threading.Event(), []

    def make(number: int) -> int:
        events.append(("make", number))
        return number

    def compile_for(number: int) -> None:
        assert number or available.wait(TIMEOUT)
        events.append(("compile", number))

    with compile_in_background([partial(make, number) for number in range(2)], compile_for, threads=1) as futures:
        assert futures[0][0].result(TIMEOUT) == 0
        available.set()
        futures[1][1].result(TIMEOUT)
    assert events == [("make", 0), ("compile", 0), ("make", 1), ("compile", 1)]


@pytest.mark.parametrize("failing", ["maker", "compile_for"])
def test_failures_are_raised_by_the_future(failing: str):
    def fail(*_: object) -> None:
        raise ValueError(failing)

    maker, compile_for = (fail, str) if failing == "maker" else (int, fail)
    with compile_in_background([maker, int], compile_for) as futures:
        with pytest.raises(ValueError, match=failing):
            futures[0][1].result(TIMEOUT)
        assert futures[1][0].result(TIMEOUT) == 0


def test_exit_cancels_work_that_has_not_started():
    started, resume = [], threading.Event()

    def make(number: int) -> None:
        started.append(number)
        resume.wait(TIMEOUT)

    with compile_in_background([partial(make, number) for number in range(5)], str, threads=1) as futures:
        while not started:
            pass
    resume.set()
    assert all(inputs.cancelled() for inputs, _ in futures[1:])
    assert started == [0]
