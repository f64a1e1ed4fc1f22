"""`scripts/plant_faults`: the faults fit the sources and the tests, without running any."""

from pathlib import Path

import pytest

from scripts.faults import FAULTS, Fault

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_place_and_the_tests_exist(fault: Fault):
    assert list(fault.stale(CHECKOUT)) == []
    assert fault.old != fault.new and fault.tests


def test_names_are_unique():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_is_missing_is_stale():
    fault = Fault("name", "description", "errors.py", "exit_code", "", ("test_none.py", "test_public.py::test_none"))
    place, *tests = fault.stale(CHECKOUT)
    assert "times; expected once" in place
    assert [line.split(";")[0] for line in tests] == [f"name: there is no test {test}" for test in fault.tests]
