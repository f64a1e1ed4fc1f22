"""Measure how much memory and time it takes to read a large picture file at a small size, against libvips.

    python -m scripts.measuring.large_files [--width 16384] [--size 1024] [--json FILE]

An enlarged example is written as JPEG, PNG and TIFF, and read by `read_picture` and, if pyvips is installed, by its
`thumbnail`, each in a process of its own, on Linux. Memory is the peak beyond that of the imports, in bytes for each
pixel of the file; time is that of the process without the imports, relative to the shortest.
"""

import json
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from scripts.arguments import make_parser
from scripts.measuring.peak_memory import CONTENT
from scripts.measuring.records import machine, write_record

READERS = {
    "jaxstyle": ("from jaxstyle.images import read_picture", "read_picture({path!r}, size={size})"),
    "libvips": ("import pyvips", "pyvips.Image.thumbnail({path!r}, {size}, height={size}).numpy()"),
}


def write_files(files: dict[str, Path], width: int) -> int:
    """Write an example picture of this width in each format; the number of its pixels."""
    with Image.open(CONTENT) as image:
        large = image.convert("RGB").resize((width, width * image.height // image.width), Image.Resampling.BICUBIC)
    large.save(files["jpg"], quality=90)
    large.save(files["png"], compress_level=1)
    tifffile.imwrite(files["tiff"], np.asarray(large), photometric="rgb", compression="zlib", tile=(256, 256))
    return large.width * large.height


def measure(code: str) -> tuple[float, int]:
    """The seconds of a process that runs this code, and its peak resident memory in bytes.

    Not that of its resource usage, which is at least the memory of the process that starts it.
    """
    report = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    began = time.perf_counter()
    completed = subprocess.run((sys.executable, "-c", f"{code}; {report}"), stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - began, 1024 * int(completed.stdout)


def main() -> None:
    parser = make_parser("measuring.large_files", __doc__, width=(16384, "of the file"), size=(1024, "to read"))
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    measured_on = machine()
    print(json.dumps(measured_on))
    readers = {name: code for name, code in READERS.items() if name == "jaxstyle" or find_spec("pyvips")}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"large.{name}") for name in ("jpg", "png", "tiff")}
        pixels = write_files(files, arguments.width)
        for reader, (imports, call) in readers.items():
            idle_seconds, idle_bytes = measure(imports)
            for name, path in files.items():
                seconds, peak = measure(f"{imports}; {call.format(path=str(path), size=arguments.size)}")
                rows.append({"reader": reader, "format": name, "seconds": seconds - idle_seconds})
                rows[-1]["bytes per pixel"] = (peak - idle_bytes) / pixels
    for row in rows:
        fastest = min(other["seconds"] for other in rows if other["format"] == row["format"])
        print(f"{row['reader']:<10}{row['format']:<6}{row['bytes per pixel']:6.2f} bytes a pixel", end="")
        print(f"{row['seconds'] / fastest:8.2f} of the shortest time")
    write_record(arguments.json, {"machine": measured_on, "width": arguments.width, "rows": rows})


if __name__ == "__main__":
    main()
