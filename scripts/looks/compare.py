"""Stylize the twelve pairs with one or more settings, judge the results, and draw sheets.

    python -m scripts.looks.compare [--sizes 256 512] [--variants default "no grain term"] [--pairs tubingen-the_scream]
        [--report-only] [--record FILE.json] [--sheet FILE.jpg] [--gallery FOLDER]

Pictures and their measures are cached in build/looks. The pairs are those of `scripts.looks.pairs`, the measures those
of `scripts.judges.judge`, and besides:

    preview   distance between the result at 256 pixels and this one, reduced to 256: mean |difference| of both,
              blurred by 2 pixels, sRGB in [0, 1]; only for larger sizes

The variant "identity" stylizes each style with itself: psnr and ssim are the identity test.
Results of other programs, made by `scripts.looks.peers`, are variants too. Requires PyTorch and the extra "bench".
"""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxstyle
from scripts.arguments import make_parser
from scripts.examples.scenes import Array
from scripts.looks.pairs import Pair, available_pairs, read_content, read_style
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, write_record

RUNS = ROOT / "build" / "looks"
PREVIEW, BLUR = 256, 2.0

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "identity": {},
    "15 steps": {"steps": 15},
    "no grain term": {"grain_weight": 0.0},
    "total variation": {"grain_weight": 0.0, "tv_weight": 1.0},
    "covariance": {"style_representation": "covariance"},
    "covariance, content 0.2": {"style_representation": "covariance", "content_weight": 0.2},
    "wasserstein": {"style_representation": "wasserstein"},
    "content 0.03": {"content_weight": 0.03},
    "content 0.3": {"content_weight": 0.3},
    "content 1": {"content_weight": 1.0},
    "ten layers": {
        "style_layers": tuple(f"relu{block}_{index}" for block in range(1, 6) for index in (1, 2)),
    },
}
MEASURES = ("content", "cfsd", "style", "unseen", "lite", "shifts", "color", "luma", "chroma", "border", "psnr", "ssim")


def picture_file(pair: Pair, variant: str, size: int) -> Path:
    """The file of a result, or of the "content" or "style" at the size of the results."""
    return RUNS / f"{size}" / f"{pair.name} {variant}.png"


def inputs_of(pair: Pair, variant: str, size: int) -> tuple[Array, Array]:
    """The content and the style of a variant."""
    style = read_style(pair.style)
    return (style, style) if variant == "identity" else (read_content(pair.content, size), style)


def write_inputs(pair: Pair, size: int) -> None:
    """The content and the style as files, for the judge and for other programs."""
    for name, picture in zip(("content", "style"), inputs_of(pair, "default", size), strict=True):
        file = picture_file(pair, name, size)
        if not file.exists():
            jaxstyle.write_image(file, picture)


def stylize(pair: Pair, variant: str, size: int) -> None:
    """Make a result that is not cached."""
    file = picture_file(pair, variant, size)
    if file.exists():
        return
    config = replace(jaxstyle.StyleConfig(size=size), **VARIANTS[variant])
    began = time.perf_counter()
    result = jaxstyle.stylize(*inputs_of(pair, variant, size), config=config)
    jaxstyle.write_image(file, result.image)
    print(f"{time.strftime('%X')} {file.relative_to(RUNS)}: {time.perf_counter() - began:.0f} s", flush=True)


def measure(pair: Pair, variants: Sequence[str], size: int) -> dict[str, dict[str, float]]:
    """The measures of the results that there are, cached beside them."""
    missing = [name for name in variants if _is_missing(picture_file(pair, name, size))]
    for group in ([name for name in missing if name != "identity"], [name for name in missing if name == "identity"]):
        if group:
            _judge(pair, group, size)
    files = {name: picture_file(pair, name, size).with_suffix(".json") for name in variants}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}


def _is_missing(file: Path) -> bool:
    record = file.with_suffix(".json")
    return file.exists() and not (record.exists() and record.stat().st_mtime >= file.stat().st_mtime)


def _judge(pair: Pair, variants: Sequence[str], size: int) -> None:
    import torch

    from scripts.judges.judge import Judge

    torch.set_num_threads(1)  # more of them wait for each other on a busy machine
    style = picture_file(pair, "style", size)
    content = style if variants[0] == "identity" else picture_file(pair, "content", size)
    with torch.inference_mode():
        judge = Judge(content, style, size)
        for name in variants:
            file = picture_file(pair, name, size)
            measures = judge.measure(file)
            if (preview := picture_file(pair, name, PREVIEW)).exists() and size > PREVIEW:
                measures["preview"] = preview_distance(preview, file)
            file.with_suffix(".json").write_text(json.dumps(measures), encoding="utf-8")


def preview_distance(preview: Path, large: Path) -> float:
    """The mean absolute difference between a preview and a larger result reduced to its size, both blurred."""
    from scipy.ndimage import gaussian_filter

    with Image.open(preview) as small, Image.open(large) as picture:
        reduced = picture.convert("RGB").resize(small.size, Image.Resampling.LANCZOS)
        values = [np.asarray(image.convert("RGB"), np.float32) / 255 for image in (small, reduced)]
    blurred = [gaussian_filter(value, (BLUR, BLUR, 0)) for value in values]
    return float(np.abs(blurred[0] - blurred[1]).mean())


def draw_sheet(file: Path, pairs: Sequence[Pair], variants: Sequence[str], size: int) -> None:
    """A row for each pair: its inputs and its results, at most 256 pixels wide."""
    width = min(size, PREVIEW)
    names, label = ("content", "style", *variants), 16
    height = width * 3 // 4
    sheet = Image.new("RGB", (len(names) * (width + 4), len(pairs) * (height + label)), "white")
    font, draw = ImageFont.load_default(size=12), ImageDraw.Draw(sheet)
    for row, pair in enumerate(pairs):
        for column, name in enumerate(names):
            left, top = column * (width + 4), row * (height + label)
            draw.text((left + 2, top), f"{pair.name}: {name}" if name == "content" else name, "black", font)
            if (path := picture_file(pair, name, size)).exists():
                with Image.open(path) as picture:
                    thumbnail = picture.convert("RGB")
                thumbnail.thumbnail((width, height), Image.Resampling.LANCZOS)
                sheet.paste(thumbnail, (left, top + label))
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, quality=88, optimize=True)


def write_gallery(folder: Path, pairs: Sequence[Pair], variant: str, size: int) -> None:
    """The results of a variant as CONTENT-STYLE.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        with Image.open(picture_file(pair, variant, size)) as picture:
            picture.convert("RGB").save(folder / f"{pair.name}.jpg", quality=88, optimize=True)


def table(rows: dict[str, dict[str, float]]) -> str:
    """A Markdown table with a row for each picture."""
    measures = (*MEASURES, *(("preview",) if any("preview" in values for values in rows.values()) else ()))
    lines = [f"| picture | {' | '.join(measures)} |", "| --- " * (len(measures) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(format(values.get(measure, float('nan')), '.3g') for measure in measures)} |"
        for name, values in rows.items()
    ]
    return "\n".join(lines)


def ratios(numbers: dict[str, dict[str, dict[str, float]]], baseline: str) -> dict[str, dict[str, float]]:
    """Each variant relative to another on the pairs that have both: geometric means; the number of pairs is "pairs"."""
    variants = dict.fromkeys(name for rows in numbers.values() for name in rows)
    found = {}
    for name in variants:
        both = [(rows[name], rows[baseline]) for rows in numbers.values() if name in rows and baseline in rows]
        if both and name not in ("content", "identity"):
            found[f"{name} ({len(both)})"] = {
                key: float(np.exp(np.mean([np.log(max(a[key], 1e-9) / max(b[key], 1e-9)) for a, b in both])))
                for key in MEASURES
            }
    return found


def main() -> None:
    parser = make_parser("looks.compare", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="longest sides (default 256)")
    parser.add_argument("--variants", nargs="+", default=["default"], help=f"among {', '.join(VARIANTS)}, and peers")
    parser.add_argument("--pairs", nargs="+", help="names of pairs (default all)")
    parser.add_argument("--report-only", action="store_true", help="make no pictures")
    parser.add_argument("--baseline", default="default", help="the variant for ratios")
    parser.add_argument("--record", type=Path, metavar="FILE.json", help="write all measures")
    parser.add_argument("--sheet", type=Path, metavar="FILE.jpg", help="draw a sheet of the last size")
    parser.add_argument("--gallery", type=Path, metavar="FOLDER", help="write the first variant's pictures as JPEG")
    arguments = parser.parse_args()
    pairs, record = available_pairs(arguments.pairs), {}
    jaxstyle.enable_cache()
    for size in arguments.sizes:
        (RUNS / f"{size}").mkdir(parents=True, exist_ok=True)
        for variant in arguments.variants:
            for pair in pairs:
                write_inputs(pair, size)
                if variant in VARIANTS and not arguments.report_only:
                    stylize(pair, variant, size)
        numbers = {pair.name: measure(pair, ("content", *arguments.variants), size) for pair in pairs}
        record[f"{size}"] = numbers
        for name, rows in numbers.items():
            print(f"\n{size} px, {name}\n\n{table(rows)}")
        print(f"\n{size} px, relative to {arguments.baseline}\n\n{table(ratios(numbers, arguments.baseline))}")
    if arguments.record:
        write_record(arguments.record, {"machine": machine("torch"), "variants": VARIANTS, "measures": record})
    if arguments.sheet:
        draw_sheet(arguments.sheet, pairs, arguments.variants, arguments.sizes[-1])
    if arguments.gallery:
        write_gallery(arguments.gallery, pairs, arguments.variants[0], arguments.sizes[-1])


if __name__ == "__main__":
    main()
