"""What pairs have cost: time of devices, and energy where the devices tell it."""

import ctypes
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Self


@dataclass(frozen=True)
class Cost:
    """What results have cost; costs can be added.

    Attributes:
        pairs: the number of results.
        device_seconds: the time in which their groups were computed, times the number of GPUs or TPUs. On CPU, groups
            that were computed at the same time count each.
        joules: the energy of the devices, idle times between groups included; None if no device has told it.
    """

    pairs: int = 0
    device_seconds: float = 0.0
    joules: float | None = None

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """The cost of a result with this record; nothing for a failure."""
        if record["error"] is not None:
            return cls()
        devices = 1 if record["device"]["platform"] == "cpu" else record["device"]["count"]
        return cls(1, record["seconds"]["compute"] / record["together"] * devices, record.get("joules"))

    def __add__(self, other: "Cost") -> "Cost":
        known = [joules for joules in (self.joules, other.joules) if joules is not None]
        joules = sum(known) if known else None
        return Cost(self.pairs + other.pairs, self.device_seconds + other.device_seconds, joules)


class EnergyMeter:
    """Measures the energy of the NVIDIA GPUs that this process computes on; other devices tell nothing."""

    def __init__(self, platform: str):
        self._lock = threading.Lock()
        self._is_gpu = platform == "gpu"
        self._last = _joules() if self._is_gpu else None

    def take(self) -> float | None:
        """The joules since the last call, or the start; None if the devices tell nothing."""
        with self._lock:
            last, self._last = self._last, _joules() if self._is_gpu else None
            return None if last is None or self._last is None else self._last - last


def _joules() -> float | None:
    """The joules that the GPUs have used since their driver was loaded, by its library NVML; None without GPUs."""
    library, gpus = _gpus()
    total = 0
    for gpu in gpus:
        millijoules = ctypes.c_ulonglong()
        if library.nvmlDeviceGetTotalEnergyConsumption(gpu, ctypes.byref(millijoules)):
            return None  # as GPUs before Volta
        total += millijoules.value
    return total / 1000 if gpus else None


@cache
def _gpus() -> tuple[Any, list[ctypes.c_void_p]]:
    """NVML and the GPUs that CUDA shows to this process."""
    library, gpus = None, []
    with suppress(OSError, AttributeError):  # there is no driver, or an old one
        library = ctypes.CDLL("libnvidia-ml.so.1")
        count = ctypes.c_uint()
        if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return None, []
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count.value))))
        for name in filter(None, map(str.strip, visible.split(","))):
            gpu = ctypes.c_void_p()
            by_number = name.isdecimal()
            find = library.nvmlDeviceGetHandleByIndex_v2 if by_number else library.nvmlDeviceGetHandleByUUID
            if find(ctypes.c_uint(int(name)) if by_number else name.encode(), ctypes.byref(gpu)):
                return None, []
            gpus.append(gpu)
    return library, gpus
