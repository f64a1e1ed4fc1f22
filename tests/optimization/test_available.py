"""The memory that there is, from the files of a machine in a folder."""

from pathlib import Path

import pytest

from jaxstyle.optimization import available_memory, device_memory
from jaxstyle.optimization.available import process_memory

MIB = 2**20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with 900 MiB available, and a process that has 100 MiB of memory and 300 MiB of address space."""
    write(tmp_path, "proc/meminfo", "MemTotal: 2048000 kB\nMemAvailable: 921600 kB\nSwapFree: 9000000 kB\n")
    write(tmp_path, "proc/self/status", "Name: python\nVmSize: 307200 kB\nVmRSS: 102400 kB\nVmData: 204800 kB\n")
    return tmp_path


def write(root: Path, file: str, text: object) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(f"{text}\n")


def found(root: Path, space: object = "unlimited", data: object = "unlimited") -> tuple[float, str]:
    """The memory in MiB, and its source, with these limits of the process."""
    columns = f"{'Limit':<26}{'Soft Limit':<21}{'Hard Limit':<21}Units"
    limits = {"Max data size": data, "Max resident set": 7, "Max address space": space}
    rows = [f"{name:<26}{limit!s:<21}{'unlimited':<21}bytes" for name, limit in limits.items()]
    write(root, "proc/self/limits", "\n".join([columns, *rows]))
    memory = process_memory(root)
    return memory.bytes / MIB, memory.source


def test_of_the_machine_without_swap(root: Path) -> None:
    assert found(root) == (1000, "this machine")


class TestContainers:
    def test_version_2_counts_all_groups_around_the_process(self, root: Path) -> None:
        write(root, "proc/self/cgroup", "0::/job/step")
        for group, limit, current in (("job/step", "max", 150), ("job", 600 * MIB, 450), ("", "max", 999)):
            write(root, f"sys/fs/cgroup/{group}/memory.max", limit)
            write(root, f"sys/fs/cgroup/{group}/memory.current", current * MIB)
        assert found(root) == (100 + 150, "this container")
        # Cached files do not count as used: the kernel drops them when memory is needed.
        write(root, "sys/fs/cgroup/job/memory.stat", f"anon 7\ninactive_file {40 * MIB}\nactive_file {10 * MIB}")
        assert found(root) == (100 + 200, "this container")

    def test_version_1(self, root: Path) -> None:
        write(root, "proc/self/cgroup", "5:devices:/\n4:cpu,memory:/docker/123\n0::/")
        folder = "sys/fs/cgroup/memory/docker/123"
        write(root, f"{folder}/memory.limit_in_bytes", 500 * MIB)
        write(root, f"{folder}/memory.usage_in_bytes", 300 * MIB)
        write(root, f"{folder}/memory.stat", f"inactive_file {MIB}\ntotal_inactive_file {50 * MIB}")
        assert found(root) == (100 + 250, "this container")

    def test_in_a_container_that_sees_its_path_on_the_host(self, root: Path) -> None:
        write(root, "proc/self/cgroup", "4:memory:/docker/123")
        write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", 500 * MIB)
        write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", 300 * MIB)
        assert found(root) == (100 + 200, "this container")

    def test_without_a_limit(self, root: Path) -> None:
        write(root, "proc/self/cgroup", "4:memory:/\n0::/")
        write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", 2**63 - 4096)
        write(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", 300 * MIB)
        assert found(root) == (1000, "this machine")

    def test_that_is_full(self, root: Path) -> None:
        write(root, "proc/self/cgroup", "0::/")
        write(root, "sys/fs/cgroup/memory.max", 300 * MIB)
        write(root, "sys/fs/cgroup/memory.current", 301 * MIB)
        assert found(root) == (100, "this container")


def test_limits_of_the_process(root: Path) -> None:
    """A run uses only some of the address space that it reserves."""
    size, source = found(root, space=800 * MIB)
    assert source == "this process (ulimit)" and 100 + 0.5 * 500 < size < 100 + 500
    data, _ = found(root, space=800 * MIB, data=400 * MIB)
    assert data < size and found(root, space=8000 * MIB) == (1000, "this machine")


def test_elsewhere_the_memory_of_the_machine_counts(tmp_path: Path) -> None:
    memory = process_memory(tmp_path)
    assert memory.source == "this machine" and 2**28 < memory.bytes <= device_memory()


def test_of_this_machine() -> None:
    assert 2**28 < available_memory().bytes <= device_memory()
