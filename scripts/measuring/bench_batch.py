"""Time `stylize_batch` for many pairs, relative to separate calls of `stylize`.

    python -m scripts.measuring.bench_batch [--size 128] [--contents 8] [--styles 4] [--steps 40] [--batch-sizes 1,8]

Everything runs in one process and is compiled before it is timed. The contents are the example photographs, cropped to
different aspect ratios. Prints a table with the largest differences from the results of `stylize`, and then a JSON
record with the machine and versions.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxstyle import StyleConfig, Stylized, load_network, read_image, stylize, stylize_batch
from jaxstyle.cli.jax_config import configure_jax
from jaxstyle.images import fit_shape, resize
from scripts.arguments import make_parser
from scripts.measuring.records import machine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ASPECT_RATIOS = ((3, 4), (2, 3), (4, 3), (1, 1), (9, 16), (3, 4), (3, 2), (3, 4))  # height to width


def crop(picture: np.ndarray, height: int, width: int, longest_side: int) -> np.ndarray:
    """The center of a picture with the aspect ratio of `height` to `width`, resized to a longest side."""
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return resize(picture[top : top + rows, left : left + columns], *fit_shape(rows, columns, longest_side))


def read_pictures(contents: int, styles: int, size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Contents and styles with a longest side of `size` pixels; at most six styles."""
    photos, paintings = (
        [read_image(file) for file in sorted((EXAMPLES / kind).glob("*.jpg"))] for kind in ("content", "style")
    )
    cropped = [
        crop(photos[index % len(photos)], *ASPECT_RATIOS[index % len(ASPECT_RATIOS)], size) for index in range(contents)
    ]
    rotated = [*paintings, *map(np.rot90, paintings)][:styles]
    return cropped, [resize(style, *fit_shape(style.shape[0], style.shape[1], size)) for style in rotated]


def timed(run: Callable[[], list[Stylized]]) -> tuple[float, list[Stylized]]:
    began = time.perf_counter()
    results = run()
    return time.perf_counter() - began, results


def measure(
    contents: list[np.ndarray], styles: list[np.ndarray], config: StyleConfig, batch_sizes: list[int]
) -> list[dict[str, float]]:
    """A record for each batch size: seconds relative to `stylize`, and the largest differences of the results."""
    network = load_network()
    pairs = [(content, style) for content in contents for style in styles]
    pair_lists = [content for content, _ in pairs], [style for _, style in pairs]

    one_step = StyleConfig(size=config.size, steps=1)
    for content in contents:
        stylize(content, styles[0], network=network, config=one_step)
    for style in styles:
        stylize(contents[0], style, network=network, config=one_step)
    for size in batch_sizes:
        stylize_batch(*pair_lists, network=network, config=one_step, batch_size=size)

    separate_seconds, expected = timed(lambda: [stylize(*pair, network=network, config=config) for pair in pairs])
    rows = []
    for size in batch_sizes:

        def run(size: int = size) -> list[Stylized]:
            return stylize_batch(*pair_lists, network=network, config=config, batch_size=size)

        seconds, results = timed(run)
        both = list(zip(results, expected, strict=True))
        row = {
            "batch_size": size,
            "ratio": seconds / separate_seconds,
            "levels": max(255 * float(np.abs(a.image - b.image).max()) for a, b in both),
            "loss": max(abs(float(a.history.total[-1] / b.history.total[-1]) - 1) for a, b in both),
        }
        rows.append(row)
    return rows


def main() -> None:
    parser = make_parser("measuring.bench_batch", __doc__)
    parser.add_argument("--size", type=int, default=128, help="longest side in pixels (default 128)")
    parser.add_argument("--contents", type=int, default=8, help="number of contents (default 8)")
    parser.add_argument("--styles", type=int, default=4, help="number of styles, at most 6 (default 4)")
    parser.add_argument("--steps", type=int, default=StyleConfig().steps, help="steps at full size")
    parser.add_argument("--batch-sizes", default="1", help="comma-separated numbers of pairs per program, such as 1,8")
    arguments = parser.parse_args()
    configure_jax()
    config = StyleConfig(size=arguments.size, steps=arguments.steps)
    contents, styles = read_pictures(arguments.contents, arguments.styles, arguments.size)
    rows = measure(contents, styles, config, [int(size) for size in arguments.batch_sizes.split(",")])
    pairs = len(contents) * len(styles)
    print(f"{pairs} pairs at {arguments.size} px, {arguments.steps} steps; 1 is {pairs} calls of stylize")
    for row in rows:
        print(
            "batch size {batch_size:>3}: {ratio:.2f}   "
            "largest differences: {levels:.2f} of 255 levels, {loss:.2%} of the loss".format(**row)
        )
    print(json.dumps({"machine": machine(), "pairs": pairs, "size": arguments.size, "rows": rows}))


if __name__ == "__main__":
    main()
