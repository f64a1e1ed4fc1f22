#!/usr/bin/env python3
"""Compare the default settings with others, one change at a time, on four pairs of the example pictures.

    python scripts/compare_settings [--kept]

Every result is judged by the same measures, whatever made it: those of the default objective, on the finished 8-bit
picture at 256 pixels. Ways to step and to go from coarse to fine are compared by scripts/compare_solvers.

Runs are kept in build/compare_settings and not made again; with `--kept`, none are made, and the report is of those
that are there. Writes numbers.json and pictures.jpg into docs/defaults and prints a table.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxstyle
from jaxstyle.images.resizing import resize
from scripts.measuring.pairs import DEFAULTS, PAIRS, ROOT, Judge, read_pair
from scripts.measuring.records import machine

RUNS, DOCS = ROOT / "build" / "compare_settings", ROOT / "docs" / "defaults"
SIZE = 256

# The paper's losses depend on the picture, the layers and the network. These weights give VGG-19 on the first pair
# about the default's content residual, and a loss near 1, so that color and total variation count as they do there.
GATYS = {"normalization": "gatys", "style_weight": 1e-10, "content_weight": 4e-9}


@dataclass(frozen=True)
class Variant:
    """One way to make a picture.

    Attributes:
        changes: to the default settings.
        network, pooling: as `jaxstyle.load_network` takes them.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    network: str = "vgg19"
    pooling: str = "max"


VARIANTS = {
    "default": Variant(),
    "no color term": Variant({"color_weight": 0.0}),
    "no total variation": Variant({"tv_weight": 0.0}),
    "content weight 0.03": Variant({"content_weight": 0.03}),
    "content weight 0.3": Variant({"content_weight": 0.3}),
    "from noise": Variant({"init": (("noise", 1.0),)}),
    "Adam": Variant({"optimizer": "adam"}),
    "VGG-16": Variant(network="vgg16"),
    "paper's losses": Variant(GATYS),
    "paper's losses, VGG-16": Variant(GATYS, network="vgg16"),
    "average pooling": Variant(pooling="avg"),
}


def make(variant: Variant, content: np.ndarray, style: np.ndarray, judge: Judge) -> tuple[np.ndarray, dict[str, float]]:
    """The picture in 8 bits, and how it is judged."""
    network = jaxstyle.load_network(variant.network, pooling=variant.pooling, precision="float32")
    config = replace(DEFAULTS, size=SIZE, **variant.changes)
    levels = np.round(255 * jaxstyle.stylize(content, style, network=network, config=config).image).astype(np.uint8)
    return levels, judge.measures(levels.astype(np.float32) / 255)


def make_all() -> None:
    """Make every run that is not yet kept."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        pictures = read_pair(pair, SIZE)
        judge = Judge(*pictures)
        for name, variant in VARIANTS.items():
            kept = _kept(pair, name)
            if not kept.exists():
                levels, record = make(variant, *pictures, judge)
                Image.fromarray(levels).save(kept.with_suffix(".png"))
                kept.write_text(json.dumps(record), encoding="utf-8")
                print(time.strftime("%X"), *pair, name, record, flush=True)


def read_kept() -> dict[str, dict[str, Any]]:
    """The records of the kept runs by pair and variant."""
    return {
        "-".join(pair): {
            name: json.loads(_kept(pair, name).read_text(encoding="utf-8"))
            for name in VARIANTS
            if _kept(pair, name).exists()
        }
        for pair in PAIRS
    }


def _kept(pair: tuple[str, str], name: str) -> Path:
    return RUNS / f"{'-'.join(pair)} {name}.json"


def draw_sheet(path: Path) -> None:
    """All pictures: a column for each pair, a row for each variant, the inputs on top."""
    height, width = cell = (162, 216)
    inputs = {"photograph": 0, "painting": 1}
    sheet = Image.new("RGB", (150 + width * len(PAIRS), height * (len(inputs) + len(VARIANTS))), "white")
    font, draw = ImageFont.load_default(size=14), ImageDraw.Draw(sheet)
    for row, name in enumerate((*inputs, *VARIANTS)):
        draw.multiline_text((4, row * height + height // 2), name.replace(", ", ",\n"), "black", font, anchor="lm")
        for column, pair in enumerate(PAIRS):
            if name in inputs:
                picture = np.round(255 * resize(read_pair(pair, SIZE)[inputs[name]], *cell)).clip(0, 255)
                shown = Image.fromarray(picture.astype(np.uint8))
            elif (kept := _kept(pair, name).with_suffix(".png")).exists():
                with Image.open(kept) as image:
                    shown = image.resize((width, height), Image.Resampling.LANCZOS)
            else:
                shown = Image.new("RGB", (width, height), "lightgray")
            sheet.paste(shown, (150 + column * width, row * height))
    sheet.save(path, quality=70, optimize=True)


def table(records: dict[str, dict[str, Any]]) -> str:
    """Each variant against the default on the same pairs, in Markdown: geometric means of the ratios."""
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kept", action="store_true", help="make nothing, report on the runs that are there")
    if not parser.parse_args().kept:
        make_all()
    records = read_kept()
    DOCS.mkdir(parents=True, exist_ok=True)
    variants = {name: asdict(variant) for name, variant in VARIANTS.items()}
    numbers = {"machine": machine(), "variants": variants, "runs": records}
    (DOCS / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    draw_sheet(DOCS / "pictures.jpg")
    print(machine(), table(records), sep="\n\n")


if __name__ == "__main__":
    main()
