#!/usr/bin/env python3
"""Many pairs against one after another: seconds of `stylize_batch` relative to separate calls of `stylize`.

    scripts/bench_batch [--size 128] [--contents 8] [--styles 4] [--batch-sizes 1,8]

All in one process, compiled before anything is timed. Contents are the example pictures cropped to other proportions.
Prints a table, with the largest difference of a pixel from what `stylize` gives, and then JSON with machine and
versions.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxstyle import stylize
from jaxstyle.batch.stylize import stylize_batch
from jaxstyle.cli.jax_config import configure_jax
from jaxstyle.config import StyleConfig
from jaxstyle.images.reading import read_image
from jaxstyle.images.resizing import fit_shape, resize
from jaxstyle.stylize import Stylized
from jaxstyle.weights.store import load_network
from scripts.measuring.records import machine

EXAMPLES = Path(__file__).parents[2] / "examples"
PROPORTIONS = ((3, 4), (2, 3), (4, 3), (1, 1), (9, 16), (3, 4), (3, 2), (3, 4))  # height to width


def cropped(picture: np.ndarray, height: int, width: int, longest: int) -> np.ndarray:
    """The middle of a picture in other proportions."""
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return resize(picture[top : top + rows, left : left + columns], *fit_shape(rows, columns, longest))


def timed(run: Callable[[], list[Stylized]]) -> tuple[float, list[Stylized]]:
    began = time.perf_counter()
    done = run()
    return time.perf_counter() - began, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--contents", type=int, default=8)
    parser.add_argument("--styles", type=int, default=4)
    parser.add_argument("--steps", type=int, default=StyleConfig().steps)
    parser.add_argument("--batch-sizes", default="1", help="pairs in one program, as 1,8")
    arguments = parser.parse_args()
    configure_jax()
    config = StyleConfig(size=arguments.size, steps=arguments.steps)
    network = load_network()

    photos, paintings = (
        [read_image(file) for file in sorted((EXAMPLES / kind).glob("*.jpg"))] for kind in ("content", "style")
    )
    contents = [
        cropped(photos[index % len(photos)], *PROPORTIONS[index % len(PROPORTIONS)], config.size)
        for index in range(arguments.contents)
    ]
    painted = [*paintings, *map(np.rot90, paintings)][: arguments.styles]
    styles = [resize(style, *fit_shape(style.shape[0], style.shape[1], config.size)) for style in painted]
    pairs = [(content, style) for content in contents for style in styles]
    given = [content for content, _ in pairs], [style for _, style in pairs]

    def separate() -> list[Stylized]:
        return [stylize(*pair, network=network, config=config) for pair in pairs]

    def together(batch_size: int) -> Callable[[], list[Stylized]]:
        return lambda: stylize_batch(*given, network=network, config=config, batch_size=batch_size)

    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    brief = StyleConfig(size=arguments.size, steps=1)
    for content in contents:
        stylize(content, styles[0], network=network, config=brief)
    for style in styles:
        stylize(contents[0], style, network=network, config=brief)
    for size in sizes:
        if size > 1:
            stylize_batch(*given, network=network, config=brief, batch_size=size)

    alone, expected = timed(separate)
    rows = []
    for size in sizes:
        seconds, found = timed(together(size))
        both = list(zip(found, expected, strict=True))
        row = {
            "batch_size": size,
            "ratio": seconds / alone,
            "levels": max(255 * float(np.abs(a.image - b.image).max()) for a, b in both),
            "loss": max(abs(float(a.history.total[-1] / b.history.total[-1]) - 1) for a, b in both),
        }
        rows.append(row)
    print(f"{len(pairs)} pairs at {arguments.size} px, {arguments.steps} steps; 1 is {len(pairs)} calls of stylize")
    for row in rows:
        print(
            "batch size {batch_size:>3}: {ratio:.2f}   {levels:.2f} levels and {loss:.2%} of loss apart".format(**row)
        )
    print(json.dumps({"machine": machine(), "pairs": len(pairs), "size": arguments.size, "rows": rows}))


if __name__ == "__main__":
    main()
