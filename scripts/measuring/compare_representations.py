"""Compare the style representations: pictures, measures, seconds and memory.

    python -m scripts.measuring.compare_representations CONTENT STYLE [CONTENT STYLE...] [--steps 20] [--only NAME...]

Stylizes every pair with every representation at 256 pixels, with the default settings but for the steps. Contents are
cropped to 4:3, so that all share compiled programs. Results are cached in build/compare_representations. Writes
numbers.json and a sheet of pictures for each pair to docs/representations, and prints tables. The measures are those of
`scripts.judges.judge`, if PyTorch is installed. `--cost` measures one loss with its gradient instead: seconds, as the
median of rounds in which the representations take turns, and the compiler's account of its memory.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import jaxstyle
from jaxstyle.images import resize
from jaxstyle.styles import REPRESENTATIONS, STYLE_LAYERS
from scripts.arguments import make_parser
from scripts.measuring.pairs import ROOT
from scripts.measuring.records import machine, median_seconds

RUNS, DOCS = ROOT / "build" / "compare_representations", ROOT / "docs" / "representations"
SIZE, SHAPE, COLUMNS, LABEL = 256, (192, 256), 3, 16
MEASURES = ("content", "cfsd", "style", "unseen", "shifts", "color", "luma", "chroma", "border")

Pair = tuple[Path, Path]


def read_content(path: Path) -> np.ndarray:
    """A photograph, cropped to 4:3 and resized."""
    content = jaxstyle.read_image(path)
    height, width = content.shape[:2]
    rows, columns = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = (height - rows) // 2, (width - columns) // 2
    return resize(content[top : top + rows, left : left + columns], *SHAPE)


def run(pair: Pair, names: Sequence[str], steps: int) -> None:
    """Make the pictures of a pair that are not cached."""
    content, style = read_content(pair[0]), jaxstyle.read_image(pair[1], size=SIZE)
    for name, picture in (("content", content), ("style", style)):
        jaxstyle.write_image(picture_file(pair, name), picture, overwrite=True)
    for name in names:
        if not picture_file(pair, name).exists():
            config = jaxstyle.StyleConfig(size=SIZE, steps=steps, style_representation=name)
            result = jaxstyle.stylize(content, style, config=config)
            jaxstyle.write_image(picture_file(pair, name), result.image)
            print(pair_name(pair), name, float(result.history.style[-1]), flush=True)


def pair_name(pair: Pair) -> str:
    """The names of both pictures."""
    return f"{pair[0].stem}-{pair[1].stem}"


def picture_file(pair: Pair, name: str) -> Path:
    """The file of a result, or of the "content" or "style" at the size of the results."""
    return RUNS / f"{pair_name(pair)} {name}.png"


def measure(pair: Pair, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The judge's measures of the content and of each result, cached; empty without PyTorch."""
    files = {name: picture_file(pair, name) for name in ("content", *names)}
    missing = {name: file for name, file in files.items() if not file.with_suffix(".json").exists()}
    if missing:
        try:
            import torch

            from scripts.judges.judge import Judge
        except ImportError:
            return {}
        with torch.inference_mode():
            judge = Judge(picture_file(pair, "content"), picture_file(pair, "style"), SIZE)
            for file in missing.values():
                file.with_suffix(".json").write_text(json.dumps(judge.measure(file)), encoding="utf-8")
    return {name: json.loads(file.with_suffix(".json").read_text(encoding="utf-8")) for name, file in files.items()}


def draw_sheet(pair: Pair, names: Sequence[str]) -> Image.Image:
    """The inputs and the results of a pair, not resized, with their names."""
    height, width = SHAPE[0] + LABEL, SHAPE[1] + 4
    entries = ("content", "style", *names)
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(entries) // COLUMNS) * height), "white")
    font, draw = ImageFont.load_default(size=12), ImageDraw.Draw(sheet)
    for index, name in enumerate(entries):
        left, top = index % COLUMNS * width, index // COLUMNS * height
        with Image.open(picture_file(pair, name)) as picture:
            picture.thumbnail((SHAPE[1], SHAPE[0]))
            sheet.paste(picture, (left, top + LABEL))
        draw.text((left + 2, top), name, "black", font)
    return sheet


def evaluation(name: str, content: np.ndarray, style: np.ndarray) -> tuple[Callable[[], object], float]:
    """A function that computes a style loss and its gradient, and the memory in bytes that it takes besides inputs."""
    network = jaxstyle.load_network().prepare(STYLE_LAYERS[-1:])
    targets = jaxstyle.style_targets(network.direct(), jax.device_put(style), STYLE_LAYERS, representation=name)

    def loss(picture: jax.Array, network: jaxstyle.Network, targets: Mapping[str, jax.Array]) -> jax.Array:
        return jaxstyle.style_loss(network.features(picture, STYLE_LAYERS), targets, representation=name)

    arguments: tuple[Any, ...] = (jax.device_put(content), network, targets)
    compiled: Any = jax.jit(jax.value_and_grad(loss)).lower(*arguments).compile()
    return lambda: jax.block_until_ready(compiled(*arguments)), compiled.memory_analysis().temp_size_in_bytes


def costs(pair: Pair, names: Sequence[str], rounds: int = 3) -> dict[str, dict[str, float]]:
    """Seconds and memory of one loss with its gradient, relative to gram."""
    content, style = read_content(pair[0]), jaxstyle.read_image(pair[1], size=SIZE)
    evaluations = {name: evaluation(name, content, style) for name in names}
    seconds = median_seconds({name: run for name, (run, _) in evaluations.items()}, rounds)
    memory = {name: size for name, (_, size) in evaluations.items()}
    return {
        name: {"seconds": seconds[name] / seconds["gram"], "memory": memory[name] / memory["gram"]} for name in names
    }


def table(rows: Mapping[str, Mapping[str, float]], measures: Sequence[str], format_: str = ".2f") -> str:
    """A Markdown table with a row for each representation."""
    lines = [f"| representation | {' | '.join(measures)} |", "| --- " * (len(measures) + 1) + "|"]
    for name, values in rows.items():
        lines.append(f"| {name} | {' | '.join(format(values[measure], format_) for measure in measures)} |")
    return "\n".join(lines)


def mean_ratios(numbers: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Each measure relative to gram's on the same pairs: geometric means of the ratios."""
    names = [name for name in next(iter(numbers.values())) if name != "content"]

    def mean(name: str, measure: str) -> float:
        ratios = [pair[name][measure] / pair["gram"][measure] for pair in numbers.values()]
        return float(np.exp(np.mean(np.log(ratios))))

    return {name: {measure: mean(name, measure) for measure in MEASURES} for name in names}


def main() -> None:
    parser = make_parser("measuring.compare_representations", __doc__)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="CONTENT STYLE")
    parser.add_argument("--steps", type=int, default=20, help="steps at full size (default 20)")
    parser.add_argument("--only", nargs="+", choices=tuple(REPRESENTATIONS), default=tuple(REPRESENTATIONS))
    parser.add_argument("--cost", action="store_true", help="measure seconds and memory of the first pair instead")
    arguments = parser.parse_args()
    pairs = list(zip(arguments.pictures[::2], arguments.pictures[1::2], strict=True))
    names = tuple(arguments.only)
    jaxstyle.enable_cache()
    for folder in (RUNS, DOCS):
        folder.mkdir(parents=True, exist_ok=True)
    if arguments.cost:
        cost = costs(pairs[0], names)
        record: dict[str, Any] = {"machine": machine(), "size": SIZE, "costs": cost}
        (DOCS / "costs.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(table(cost, ("seconds", "memory")))
        return
    for pair in pairs:
        run(pair, names, arguments.steps)
        draw_sheet(pair, names).save(DOCS / f"{pair_name(pair)}.jpg", quality=88, optimize=True)
    numbers = {pair_name(pair): measure(pair, names) for pair in pairs}
    if all(numbers.values()):
        record = {"machine": machine(), "size": SIZE, "steps": arguments.steps, "measures": numbers}
        (DOCS / "numbers.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(*(f"{pair}\n\n{table(rows, MEASURES, '.3g')}\n" for pair, rows in numbers.items()), sep="\n")
        print(table(mean_ratios(numbers), MEASURES))


if __name__ == "__main__":
    main()
