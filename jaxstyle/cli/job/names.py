"""Names for the results of many pairs: `CONTENT--STYLE.png`, the same on every run, and never one name for two.

Names that differ only in case or in how Unicode composes them count as one, because some file systems keep no two such.
"""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

_LONGEST = 200  # bytes of a name without its suffix, of the 255 that file systems have


def name_results(contents: Sequence[Path], styles: Sequence[Sequence[Path]], given: Sequence[str | None]) -> list[str]:
    """The result's name for each content with the styles beside it: the one that is given, or else one made of both.

    A file is called by its stem, by more of its path where the stem would not tell it from another. What is still the
    same, such as a pair that comes twice, is numbered from 2 on in order. Names that are given must differ.
    """
    content_labels = _labels(contents)
    style_labels = _labels([style for each in styles for style in each])
    taken = {folded(str(path)) for name in given if name for path in (PurePath(name), *PurePath(name).parents)}

    def made(content: Path, each: Sequence[Path]) -> str:
        plain = _short(f"{content_labels[content]}--{'+'.join(style_labels[style] for style in each)}")
        name, number = f"{plain}.png", 2
        while folded(name) in taken:
            name, number = f"{plain}-{number}.png", number + 1
        taken.add(folded(name))
        return name

    return [
        made(content, each) if name is None else name
        for content, each, name in zip(contents, styles, given, strict=True)
    ]


def folded(name: str) -> str:
    """The name as the least discerning file system keeps it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """For each file the shortest of `cat`, `cat.jpg`, `pets_cat.jpg`, ... that no other file could have."""
    parts = {file: Path(os.path.abspath(file)).parts[1:] for file in files}
    labels: dict[tuple[str, ...], str] = {}
    depth, left = 0, set(parts.values())
    while left:
        candidates = {each: "_".join(each[-depth:]) if depth else Path(each[-1]).stem for each in set(parts.values())}
        counts = Counter(map(folded, candidates.values()))
        found = {each for each in left if counts[folded(candidates[each])] == 1 or depth >= len(each)}
        labels |= {each: candidates[each] for each in found}
        left -= found
        depth += 1
    return {file: labels[each] for file, each in parts.items()}


def _short(name: str) -> str:
    """The name, with a digest in the place of its end if it is too long."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return f"{data[: _LONGEST - 9].decode('utf-8', 'ignore')}-{digest}"
