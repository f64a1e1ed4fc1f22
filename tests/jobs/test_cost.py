"""What results have cost: times of records, and the energy of GPUs from a replaced NVML."""

import ctypes
from typing import Any

import pytest

from jaxstyle.jobs import cost
from jaxstyle.jobs.cost import Cost, EnergyMeter


def record(platform: str, count: int = 1, **others: Any) -> dict[str, Any]:
    seconds = {"wait": 1.0, "compute": 12.0, "write": 0.5}
    return {"error": None, "device": {"platform": platform, "count": count}, "together": 4, "seconds": seconds} | others


def test_costs_add_up() -> None:
    assert Cost.of_record(record("cpu", 8)) == Cost(1, 3.0, None), "the cores of a CPU are one device"
    assert Cost.of_record(record("gpu", 2, joules=5.0)) == Cost(1, 6.0, 5.0)
    assert Cost.of_record({"error": "damaged", "device": {"platform": "gpu", "count": 2}}) == Cost()
    records = [record("gpu"), record("gpu", joules=5.0), record("gpu", joules=None), record("gpu", joules=0.5)]
    assert sum(map(Cost.of_record, records), Cost()) == Cost(4, 12.0, 5.5)


class FakeNvml:
    """Three GPUs, whose energy counters, in millijoules, grow with every call. Results are error codes."""

    def __init__(self) -> None:
        self.counters = {b"GPU-a": 1000, b"GPU-b": 2000, b"GPU-c": 3000}
        self.error = 0

    def nvmlInit_v2(self) -> int:  # noqa: N802 - NVML's name, as those below
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 3
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: ctypes.c_uint, gpu: Any) -> int:  # noqa: N802
        gpu._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, name: bytes, gpu: Any) -> int:  # noqa: N802
        gpu._obj.value = list(self.counters).index(name) + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: ctypes.c_void_p, energy: Any) -> int:  # noqa: N802
        name = list(self.counters)[(gpu.value or 0) - 1]
        energy._obj.value = self.counters[name]
        self.counters[name] *= 2
        return self.error


@pytest.mark.parametrize(
    ("visible", "joules"), [(None, 1 + 2 + 3), ("1", 2), ("2,0", 3 + 1), ("GPU-b,GPU-c", 2 + 3), ("", None)]
)
def test_energy_of_the_gpus_that_cuda_shows(
    visible: str | None, joules: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = FakeNvml()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    cost._gpus.cache_clear()
    assert EnergyMeter("cpu").take() is None
    meter = EnergyMeter("gpu")
    assert meter.take() == joules
    assert meter.take() == (None if joules is None else 2 * joules), "since the last call"
    library.error = 3  # not supported
    assert meter.take() is None
    cost._gpus.cache_clear()


def test_without_a_driver_there_is_no_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", fail)
    cost._gpus.cache_clear()
    assert EnergyMeter("gpu").take() is None
    cost._gpus.cache_clear()
