"""A blind choice between two variants: pictures side by side, at random, with the key in a file of its own.

    python -m scripts.looks.blind make "default" "neural-style" -o DIR [--size 256] [--seed 1]
    (look at DIR/*.png, and write `left`, `right` or `equal` after each name in DIR/choices.txt)
    python -m scripts.looks.blind open DIR

Each picture of DIR shows the content and the style above, and both results below. `open` reads the choices and the key
in DIR/key.json, and counts how often the first variant was chosen.
"""

import json
import random
from pathlib import Path

from PIL import Image

from scripts.arguments import make_parser
from scripts.looks.compare import picture_file
from scripts.looks.pairs import Pair, available_pairs

GAP = 8


def sheet(pair: Pair, left: str, right: str, size: int) -> Image.Image:
    """The content and the style above both results, which are not resized."""
    pictures: list[Image.Image] = []
    for name in ("content", "style", left, right):
        with Image.open(picture_file(pair, name, size)) as file:
            pictures.append(file.convert("RGB"))
    width, height = pictures[2].size
    canvas = Image.new("RGB", (2 * width + GAP, 2 * height + GAP), "white")
    for picture in pictures[:2]:
        picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    for index, picture in enumerate(pictures):
        canvas.paste(picture, (index % 2 * (width + GAP), index // 2 * (height + GAP)))
    return canvas


def make(variants: tuple[str, str], folder: Path, size: int, seed: int) -> None:
    """Write the pictures, the key, and an empty list of choices."""
    folder.mkdir(parents=True)
    chance, key = random.Random(seed), {}
    for pair in available_pairs():
        if all(picture_file(pair, name, size).exists() for name in variants):
            left, right = chance.sample(variants, 2)
            sheet(pair, left, right, size).save(folder / f"{pair.name}.png")
            key[pair.name] = {"left": left, "right": right}
    (folder / "key.json").write_text(json.dumps({"variants": variants, "sides": key}, indent=1), encoding="utf-8")
    (folder / "choices.txt").write_text("".join(f"{name} \n" for name in key), encoding="utf-8")
    print(f"{len(key)} pairs in {folder}")


def open_key(folder: Path) -> None:
    """Print which variant was chosen for each pair, and the counts."""
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    chosen = []
    for line in (folder / "choices.txt").read_text(encoding="utf-8").splitlines():
        name, _, choice = line.partition(" ")
        chosen.append(key["sides"][name].get(choice.strip(), "equal"))
        print(f"{name}: {chosen[-1]}")
    counts = {variant: chosen.count(variant) for variant in (*key["variants"], "equal")}
    print(f"of {len(chosen)}: {counts}")


def main() -> None:
    parser = make_parser("looks.blind", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="make the pictures")
    making.add_argument("variants", nargs=2, metavar="VARIANT")
    making.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    making.add_argument("--size", type=int, default=256, help="longest side (default 256)")
    making.add_argument("--seed", type=int, help="of the sides (default random)")
    commands.add_parser("open", help="count the choices").add_argument("folder", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.command == "open":
        open_key(arguments.folder)
    else:
        seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
        make(tuple(arguments.variants), arguments.output, arguments.size, seed)


if __name__ == "__main__":
    main()
