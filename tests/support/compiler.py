"""Options of the compiler for tests; imported before JAX."""

import mmap
import os
import sys
from importlib.util import find_spec
from pathlib import Path

# With these, programs compile in half the time on CPU, and run a little slower.
_FLAGS = {
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
    "xla_cpu_prefer_vector_width": "128",
    # Passes that take an eighth of the time to compile a loop; the results are the same without.
    "xla_disable_hlo_passes": ",".join(
        (
            "simplify-while-loops",
            "while-loop-invariant-code-motion",
            "while-loop-constant-sinking",
            "cpu-parallel-task-assigner",
        )
    ),
}


def with_quick_flags(flags: str) -> str:
    """XLA_FLAGS with which programs compile quickly: with flags that this XLA knows, because others end the process."""
    spec = find_spec("jaxlib")
    libraries = list(Path(spec.origin).parent.glob("*.so")) if spec and spec.origin else []
    # Flags are C strings; a flag that was removed can still be a field of a message.
    known = [name for name in _FLAGS if any(_contains(library, f"\0{name}\0".encode()) for library in libraries)]
    return " ".join([flags, *(f"--{name}={_FLAGS[name]}" for name in known if name not in flags)]).strip()


def with_fusion() -> dict[str, bool | str]:
    """Options to compile a program that takes as little memory as without these flags."""
    name = next(iter(_FLAGS))
    return {name: True} if name in os.environ.get("XLA_FLAGS", "") else {}


def simulated_devices(count: int, *folders: Path) -> dict[str, str]:
    """The environment of a process with so many devices on CPU, which imports what this one can, and from `folders`.

    The number of devices is fixed when JAX starts.
    """
    return os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([*map(str, folders), *sys.path]),
    }


def _contains(path: Path, word: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(word) >= 0
