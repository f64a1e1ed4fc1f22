"""Compare the default settings with others, one change at a time, on four pairs of example pictures.

    python -m scripts.measuring.compare_settings [--report-only]

Whatever its settings, a result is judged by the default objective, on the finished 8-bit picture at 256 pixels. Solvers
and coarse-to-fine schedules are compared by `scripts.measuring.compare_solvers`.

Runs are cached in build/compare_settings. With `--report-only`, only cached runs are reported. Writes numbers.json and
pictures.jpg to docs/defaults and prints a table.
"""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxstyle
from jaxstyle.images import resize
from scripts.arguments import make_parser
from scripts.measuring.pairs import DEFAULTS, PAIRS, ROOT, Judge, read_pair
from scripts.measuring.records import machine

RUNS, DOCS = ROOT / "build" / "compare_settings", ROOT / "docs" / "defaults"
SIZE = 256

# The paper's losses depend on the picture, the layers and the network. With these weights and VGG-19, the first pair
# has about the content distance of the default and a loss near 1, so that color and grain matter as usual.
GATYS = {"normalization": "gatys", "style_weight": 1e-10, "content_weight": 4e-9}


@dataclass(frozen=True)
class Variant:
    """Settings of a run.

    Attributes:
        changes: changes to the default settings.
        network, pooling: arguments of `jaxstyle.load_network`.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    network: str = "vgg19"
    pooling: str = "max"


VARIANTS = {
    "default": Variant(),
    "no color term": Variant({"color_weight": 0.0}),
    "no grain term": Variant({"grain_weight": 0.0}),
    "total variation": Variant({"grain_weight": 0.0, "tv_weight": 1.0}),
    "content weight 0.03": Variant({"content_weight": 0.03}),
    "content weight 0.3": Variant({"content_weight": 0.3}),
    "from noise": Variant({"init": (("noise", 1.0),)}),
    "Adam": Variant({"optimizer": "adam"}),
    "VGG-16": Variant(network="vgg16"),
    "paper's losses": Variant(GATYS),
    "paper's losses, VGG-16": Variant(GATYS, network="vgg16"),
    "average pooling": Variant(pooling="avg"),
}


def run(variant: Variant, content: np.ndarray, style: np.ndarray, judge: Judge) -> tuple[np.ndarray, dict[str, float]]:
    """The picture in 8 bits, and its measures."""
    network = jaxstyle.load_network(variant.network, pooling=variant.pooling, precision="float32")
    config = replace(DEFAULTS, size=SIZE, **variant.changes)
    levels = np.round(255 * jaxstyle.stylize(content, style, network=network, config=config).image).astype(np.uint8)
    return levels, judge.measures(levels.astype(np.float32) / 255)


def run_all() -> None:
    """Make all runs that are not cached."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        pictures = read_pair(pair, SIZE)
        judge = Judge(*pictures)
        for name, variant in VARIANTS.items():
            file = _cache_file(pair, name)
            if not file.exists():
                levels, record = run(variant, *pictures, judge)
                Image.fromarray(levels).save(file.with_suffix(".png"))
                file.write_text(json.dumps(record), encoding="utf-8")
                print(time.strftime("%X"), *pair, name, record, flush=True)


def read_cached() -> dict[str, dict[str, Any]]:
    """The records of the cached runs, by pair and variant."""
    return {
        "-".join(pair): {
            name: json.loads(_cache_file(pair, name).read_text(encoding="utf-8"))
            for name in VARIANTS
            if _cache_file(pair, name).exists()
        }
        for pair in PAIRS
    }


def _cache_file(pair: tuple[str, str], name: str) -> Path:
    return RUNS / f"{'-'.join(pair)} {name}.json"


def draw_sheet(path: Path) -> None:
    """Draw all pictures: a column for each pair, a row for each variant, and the inputs on top."""
    height, width = cell = (162, 216)
    inputs = {"photograph": 0, "painting": 1}
    sheet = Image.new("RGB", (150 + width * len(PAIRS), height * (len(inputs) + len(VARIANTS))), "white")
    font, draw = ImageFont.load_default(size=14), ImageDraw.Draw(sheet)
    for row, name in enumerate((*inputs, *VARIANTS)):
        draw.multiline_text((4, row * height + height // 2), name.replace(", ", ",\n"), "black", font, anchor="lm")
        for column, pair in enumerate(PAIRS):
            if name in inputs:
                picture = np.round(255 * resize(read_pair(pair, SIZE)[inputs[name]], *cell)).clip(0, 255)
                thumbnail = Image.fromarray(picture.astype(np.uint8))
            elif (file := _cache_file(pair, name).with_suffix(".png")).exists():
                with Image.open(file) as image:
                    thumbnail = image.resize((width, height), Image.Resampling.LANCZOS)
            else:
                thumbnail = Image.new("RGB", (width, height), "lightgray")
            sheet.paste(thumbnail, (150 + column * width, row * height))
    sheet.save(path, quality=70, optimize=True)


def table(records: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of each variant relative to the default on the same pairs: geometric means of the ratios."""
    measures = ("content", "style", "color", "loss")
    lines = [f"| variant | pairs | {' | '.join(measures)} |", "| --- " * (len(measures) + 2) + "|"]
    for name in VARIANTS:
        pairs = [pair for pair in records.values() if name in pair]
        ratios = [[pair[name][measure] / pair["default"][measure] for measure in measures] for pair in pairs]
        if ratios:
            means = (f"{mean:.2f}" for mean in np.exp(np.mean(np.log(ratios), axis=0)))
            lines.append(f"| {name} | {len(pairs)} | {' | '.join(means)} |")
    return "\n".join(lines)


def main() -> None:
    parser = make_parser("measuring.compare_settings", __doc__)
    parser.add_argument("--report-only", action="store_true", help="make no runs, report the cached ones")
    if not parser.parse_args().report_only:
        run_all()
    records = read_cached()
    DOCS.mkdir(parents=True, exist_ok=True)
    variants = {name: asdict(variant) for name, variant in VARIANTS.items()}
    numbers = {"machine": machine(), "variants": variants, "runs": records}
    (DOCS / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    draw_sheet(DOCS / "pictures.jpg")
    print(machine(), table(records), sep="\n\n")


if __name__ == "__main__":
    main()
