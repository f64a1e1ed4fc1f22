"""Time pictures of print size as whole processes, files to files, with their peak memory.

    python -m scripts.measuring.prints [--sizes 4096 8192 16384] [--steps 40] [--minutes 9] [--json FILE]

Each size is stylized twice: with one step at each size, which fills an empty cache of compiled programs, and then with
all steps, which is timed. Pictures have the proportions 4:3 and are written as TIFF of 16 bits. On an NVIDIA GPU, the
peak is the memory in use on the GPU, read twice a second, and seconds are printed; elsewhere it is the resident memory
of the process, and seconds are relative to the first size. Sizes are left out from the first one that would not end in
time, as far as the size before tells.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# On a GPU, the memory in use is then what a process needs, and 16384 pixels need more than JAX's default of 75 %.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.94")

import jax

import jaxstyle
from scripts.arguments import make_parser
from scripts.measuring.peak_memory import CONTENT, STYLE, run_measured
from scripts.measuring.records import machine, write_record

INTERVAL = 0.5  # seconds between two readings of the GPU's memory
QUERY = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")


@dataclass
class PeakOfGpu:
    """The most memory in use on any GPU while it is watched, in bytes."""

    bytes: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            found = subprocess.run(QUERY, capture_output=True, text=True, check=True).stdout
            self.bytes = max(self.bytes, *(int(line) * 2**20 for line in found.split()))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Read the memory while the context lasts."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()


def stylize(content: Path, output: Path, size: int, steps: int, cache: Path) -> tuple[float, int]:
    """The seconds of a process, and its peak resident memory in bytes."""
    options = ("--size", f"{size}", "--steps", f"{steps}", "--bits", "16", "--overwrite")
    command = [sys.executable, "-m", "jaxstyle", "stylize", str(content), str(STYLE), "-o", str(output), *options]
    return run_measured(command, {"JAX_COMPILATION_CACHE_DIR": str(cache)})


def measure(content: Path, folder: Path, size: int, steps: int, *, on_gpu: bool) -> dict[str, Any]:
    """The seconds and the peak memory of a size, with a full cache, and the size of the file."""
    output = folder / "out.tiff"
    stylize(content, output, size, 1, folder / "cache")
    peak = PeakOfGpu()
    if on_gpu:
        with peak.watched():
            seconds, _ = stylize(content, output, size, steps, folder / "cache")
    else:
        seconds, peak.bytes = stylize(content, output, size, steps, folder / "cache")
    height, width = jaxstyle.images.read_shape(output)
    return {"width": width, "height": height, "seconds": seconds, "peak": peak.bytes, "file": output.stat().st_size}


def main() -> None:
    parser = make_parser("measuring.prints", __doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[4096, 8192, 16384], help="longest sides in pixels")
    parser.add_argument("--steps", type=int, default=40, help="steps at each size (default 40, that of users)")
    parser.add_argument("--minutes", type=float, default=9, help="time for all sizes (default 9)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    on_gpu = jax.default_backend() == "gpu"
    rows: list[dict[str, Any]] = []
    took = 0.0
    record = {"machine": machine(), "steps": arguments.steps, "rows": rows}
    print(json.dumps(record["machine"]), flush=True)
    with tempfile.TemporaryDirectory() as name:
        content = Path(name, "content.png")
        picture = jaxstyle.read_image(CONTENT)
        jaxstyle.write_image(content, picture[: picture.shape[1] * 3 // 4])
        end = time.monotonic() + 60 * arguments.minutes
        for index, size in enumerate(arguments.sizes):
            began = time.monotonic()
            if took * (size / arguments.sizes[index - 1]) ** 2 > end - began:
                print(f"{size}: left out, because {end - began:.0f} s are left, and the last size took {took:.0f} s")
                break
            row = measure(content, Path(name), size, arguments.steps, on_gpu=on_gpu)
            took = time.monotonic() - began
            rows.append(row)
            seconds, first = row["seconds"], rows[0]["seconds"]
            duration = f"{seconds:.1f} s" if on_gpu else f"{seconds / first:.2f} times the first size"
            print(
                f"{row['width']} x {row['height']}: {duration}, peak {row['peak'] / 2**30:.2f} GiB, "
                f"file {row['file'] / 2**20:.0f} MiB",
                flush=True,
            )
            write_record(arguments.json, record)


if __name__ == "__main__":
    main()
