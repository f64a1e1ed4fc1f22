"""The memory that there is: of the machine, of its containers and of the process, or of a GPU or TPU."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import jax

# A control group's folder below /sys/fs/cgroup and its files, in version 1 and in version 2: the limit, the memory in
# use, and the entries of `memory.stat` that count cached files, which the kernel drops when memory is needed.
_VERSION_1 = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
_VERSION_2 = ("", "memory.max", "memory.current", ("inactive_file", "active_file"))
# Share of the address space it reserves that a run uses, measured as the memory in `memory.py`: 0.81 at 512 pixels and
# 0.73 at 768 pixels.
_USED = 0.7


@dataclass(frozen=True)
class AvailableMemory:
    """Memory that a run can have.

    Attributes:
        bytes: how much; on a CPU what the process has taken already is included.
        source: what it is that has no more, such as "this machine" or "this container".
    """

    bytes: int
    source: str


def device_memory() -> int:
    """Memory of the first local device in bytes; of the machine if that device is its CPU."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit") or _machine_memory(Path("/"), "MemTotal")


def available_memory() -> AvailableMemory:
    """The memory that is available on the first local device.

    On a GPU or TPU, it is what JAX may use of the device and does not use yet.
    """
    device = jax.local_devices()[0]
    statistics = device.memory_stats() or {}
    if limit := statistics.get("bytes_limit"):
        return AvailableMemory(limit - statistics.get("bytes_in_use", 0), f"this {device.device_kind}")
    return process_memory()


def process_memory(root: Path = Path("/")) -> AvailableMemory:
    """The memory that this process can have, with what it has already, without swapping.

    It is what the machine has available, what the control groups of the process leave, such as those of a container
    or of a cluster's job, or what limits of the process (`ulimit -v`, `ulimit -d`) leave, whichever is the least.

    Args:
        root: the folder that has `proc` and `sys` in it, on Linux.
    """
    status = _read_numbers(root / "proc/self/status", unit=1024)
    left = [(_machine_memory(root, "MemAvailable"), "this machine")]
    left += [(size, "this container") for size in _left_in_control_groups(root)]
    for name, limit in _process_limits(root).items():
        left.append((int(_USED * (limit - status.get(name, 0))), "this process (ulimit)"))
    size, source = min(left)
    return AvailableMemory(max(0, size) + status.get("VmRSS", 0), source)


def _left_in_control_groups(root: Path) -> Iterator[int]:
    """The bytes that each control group of the process, and each group around it, leaves below its limit."""
    for line in _read_lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        folder, limit_file, usage_file, caches = _VERSION_1 if controllers else _VERSION_2
        group = PurePosixPath("/" + path.lstrip("/"))
        for inner in (group, *group.parents):
            # In a container, the path may be that on the host, while the folder is that of the container.
            directory = root / "sys/fs/cgroup" / folder / str(inner).lstrip("/")
            limit, usage = _read_number(directory / limit_file), _read_number(directory / usage_file)
            if limit is not None and usage is not None:
                statistics = _read_numbers(directory / "memory.stat")
                yield limit - usage + sum(statistics.get(name, 0) for name in caches)


def _process_limits(root: Path) -> dict[str, int]:
    """The limits of the process by the name in `/proc/self/status` of what they limit; none on other systems."""
    lines = "\n".join(_read_lines(root / "proc/self/limits"))
    names = {"Max address space": "VmSize", "Max data size": "VmData"}
    found = {name: re.search(rf"^{text} +(\d+)", lines, re.MULTILINE) for text, name in names.items()}
    return {name: int(limit[1]) for name, limit in found.items() if limit}


def _machine_memory(root: Path, name: str) -> int:
    """The bytes of "MemTotal" or "MemAvailable" of the machine."""
    memory = _read_numbers(root / "proc/meminfo", unit=1024)
    if name in memory:
        return memory[name]
    import psutil  # on Linux, it imports modules that only POSIX has

    virtual = psutil.virtual_memory()
    return virtual.total if name == "MemTotal" else virtual.available


def _read_number(file: Path) -> int | None:
    """The number in a file; None if there is no such file, or the word "max" in it."""
    words = [line.strip() for line in _read_lines(file)]
    return int(words[0]) if words and words[0].isdigit() else None


def _read_numbers(file: Path, *, unit: int = 1) -> dict[str, int]:
    """The numbers of a file with a name and a number in each line, times `unit`; other lines are ignored."""
    entries = (line.replace(":", " ").split() for line in _read_lines(file))
    return {words[0]: int(words[1]) * unit for words in entries if len(words) > 1 and words[1].isdigit()}


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
