"""The cache folder: which files in it are ours, their size and its limit, and a subfolder for each kind of CPU.

Several processes may use the folder at once, so every file may vanish at any moment.
"""

import hashlib
import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Files of JAX's cache, traced programs, and temporary files of `write_atomically`.
_NAMES = re.compile(r"[^/]+-[0-9a-f]{64}(-cache|-atime)?|\.jaxstyle-[0-9a-f]{16}\.part")

# The size after an eviction, as a fraction of the limit. JAX fills the rest with the programs that it compiles then.
_FILLED = 0.9

# What /proc/cpuinfo says about the instructions of a processor: x86, Arm, RISC-V, POWER, s390x.
_CPU_FIELDS = {
    *("vendor_id", "cpu family", "model", "flags", "CPU implementer", "CPU variant", "CPU part", "Features"),
    *("isa", "uarch", "cpu", "features"),
}


@dataclass(frozen=True)
class CachedFile:
    """A file in the cache folder, with its size in bytes and the time of its last use."""

    path: Path
    size: int
    last_used: float


@dataclass(frozen=True)
class CacheFolder:
    """A folder of traced and compiled programs. Files in it that are not ours are neither counted nor deleted.

    Attributes:
        path: the folder.
        max_bytes: the largest size of all files together, by which `evict` limits it; None for no limit.
    """

    path: Path
    max_bytes: int | None = None

    @property
    def compiled(self) -> Path:
        """The folder of JAX's cache of compiled programs for this CPU."""
        return self.path / cpu_digest()

    @property
    def traced(self) -> Path:
        """The folder of traced programs for this CPU."""
        return self.compiled / "traced"

    def files(self) -> list[CachedFile]:
        """All files of traced and compiled programs, for all CPUs, the least recently used first."""
        found = []
        for folder, _, names in os.walk(self.path):
            for name in filter(_NAMES.fullmatch, names):
                path = Path(folder, name)
                with suppress(OSError):
                    status = path.stat()
                    # JAX does not record when it reads a program, but most file systems do, to the day. On others, the
                    # time of writing counts.
                    found.append(CachedFile(path, status.st_size, max(status.st_atime, status.st_mtime)))
        return sorted(found, key=lambda file: file.last_used)

    def evict(self) -> None:
        """Delete the least recently used files if the folder is full; files that cannot be deleted stay."""
        if self.max_bytes is None:
            return
        files = self.files()
        excess = sum(file.size for file in files) - _FILLED * self.max_bytes
        for file in files:
            if excess <= 0:
                return
            with suppress(OSError):
                file.path.unlink(missing_ok=True)
                excess -= file.size

    def clear(self) -> list[CachedFile]:
        """Delete all files of traced and compiled programs, and return them; OSError if one cannot be deleted.

        Empty folders stay, because processes that are running write to them.
        """
        files = self.files()
        for file in files:
            file.path.unlink(missing_ok=True)
        return files


@cache
def cpu_digest() -> str:
    """A digest of this CPU's architecture, model and features: compiled programs may crash on other CPUs."""
    return hashlib.sha256(f"{platform.machine()} {_cpu_model()}".encode()).hexdigest()[:16]


def _cpu_model() -> str:
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with suppress(OSError, subprocess.CalledProcessError):
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with suppress(OSError):
        return _read_cpuinfo(Path("/proc/cpuinfo"))
    return platform.processor()


def _read_cpuinfo(path: Path) -> str:
    """The lines of the first CPU that do not change with time; on large machines, reading all CPUs takes long."""
    lines = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                break
            if line.partition(":")[0].strip() in _CPU_FIELDS:
                lines.append(line)
    return "".join(lines)
