"""Names for the results of many pairs: `CONTENT--STYLE.png`, the same on every run, and unique.

Names that differ only in case or in Unicode composition count as equal, because some file systems do not tell them
apart.
"""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

_DIGITS = re.compile(r"([0-9]+)")
_MAX_BYTES = 200  # bytes of a name without its suffix, of the 255 that file systems have


def name_results(contents: Sequence[Path], styles: Sequence[Sequence[Path]], given: Sequence[str | None]) -> list[str]:
    """The name of each result: the given one, or one made of the names of its content and styles.

    A file is named by its stem, and by more of its path if another file has the same stem. Names that are still equal,
    such as those of a pair that occurs twice, are numbered from 2 in order. Given names must be different.
    """
    content_labels = _labels(contents)
    style_labels = _labels([style for pair_styles in styles for style in pair_styles])
    taken = {normalize_name(str(path)) for name in given if name for path in (PurePath(name), *PurePath(name).parents)}

    def new_name(content: Path, pair_styles: Sequence[Path]) -> str:
        plain = _shorten(f"{content_labels[content]}--{'+'.join(style_labels[style] for style in pair_styles)}")
        name, number = f"{plain}.png", 2
        while normalize_name(name) in taken:
            name, number = f"{plain}-{number}.png", number + 1
        taken.add(normalize_name(name))
        return name

    return [
        new_name(content, pair_styles) if name is None else name
        for content, pair_styles, name in zip(contents, styles, given, strict=True)
    ]


def natural_order(path: PurePath) -> tuple[list[str | int], str]:
    """A key to sort paths as people number them: numbers by their value, so that `c2` comes before `c10`."""
    texts = _DIGITS.split(normalize_name(str(path)))
    return [int(text) if index % 2 else text for index, text in enumerate(texts)], str(path)


def normalize_name(name: str) -> str:
    """The name without case and Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """For each file the shortest of `cat`, `cat.jpg`, `pets_cat.jpg`, ... that is unique."""
    paths = {file: Path(os.path.abspath(file)).parts[1:] for file in files}
    labels: dict[tuple[str, ...], str] = {}
    depth, unlabeled = 0, set(paths.values())
    while unlabeled:
        candidates = {path: "_".join(path[-depth:]) if depth else Path(path[-1]).stem for path in set(paths.values())}
        counts = Counter(map(normalize_name, candidates.values()))
        unique = {path for path in unlabeled if counts[normalize_name(candidates[path])] == 1 or depth >= len(path)}
        labels |= {path: candidates[path] for path in unique}
        unlabeled -= unique
        depth += 1
    return {file: labels[path] for file, path in paths.items()}


def _shorten(name: str) -> str:
    """The name, with its end replaced by a digest if it is too long."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _MAX_BYTES:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return f"{data[: _MAX_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"
