"""Names for the results of many pairs: `CONTENT--STYLE.png`, the same on every run, and unique.

Names that differ only in case or in Unicode composition count as equal, because some file systems do not tell them
apart.
"""

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePath

from jaxstyle.errors import ConfigError

_DIGITS = re.compile(r"([0-9]+)")
# Windows writes files of these names, with any suffix, to devices, and drops dots and spaces at the end of names.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]) *(\..*)?|.*[. ]", re.IGNORECASE | re.DOTALL)
_MAX_BYTES = 200  # bytes of a name without its suffix, of the 255 that file systems have


def name_results(contents: Sequence[Path], styles: Sequence[Sequence[Path]], given: Sequence[str | None]) -> list[str]:
    """The name of each result: the given one, or one made of the names of its content and styles.

    A file is named by its stem, and by more of its path if another file has the same stem. Names that are still equal,
    such as those of a pair that occurs twice, are numbered from 2 in order. Names that Windows reserves begin with `_`.
    Given names must be different. Moving the folder that has all files changes no name.
    """
    content_labels = _labels(contents)
    style_labels = _labels([style for pair_styles in styles for style in pair_styles])
    paths = (path for name in given if name for path in (PurePath(name), *PurePath(name).parents))
    taken = {normalize_name(str(path)): 2 for path in paths}

    def new_name(content: Path, pair_styles: Sequence[Path]) -> str:
        plain = _shorten(f"{content_labels[content]}--{'+'.join(style_labels[style] for style in pair_styles)}")
        return _untaken(plain if is_portable(plain) else f"_{plain}", ".png", taken)

    return [
        new_name(content, pair_styles) if name is None else name
        for content, pair_styles, name in zip(contents, styles, given, strict=True)
    ]


def check_outputs(outputs: Sequence[tuple[int, str]]) -> None:
    """Check the names of results that a manifest gives, each after the number of its line.

    Raises:
        ConfigError: if two lines have the same name, or one needs a folder that is the result of another.
    """
    seen: dict[str, int] = {}
    for line, output in outputs:
        other = seen.setdefault(normalize_name(output), line)
        if other != line:
            raise ConfigError(f"line {line}, column output: {output!r} is the output of line {other}; name another")
    for line, output in outputs:
        for parent in PurePath(output).parents:
            if (other := seen.get(normalize_name(str(parent)), line)) != line:
                raise ConfigError(
                    f"line {line}, column output: {output!r} is within {str(parent)!r}, "
                    f"the output of line {other}; give it a folder of another name"
                )


def is_portable(name: str) -> bool:
    """Whether a name of a file or folder means the same on Windows. Names by `name_results` do."""
    return not _RESERVED.fullmatch(name)


def natural_order(path: PurePath) -> tuple[list[str | int], str]:
    """A key to sort paths as people number them: numbers by their value, so that `c2` comes before `c10`."""
    texts = _DIGITS.split(normalize_name(str(path)))
    return [int(text) if index % 2 else text for index, text in enumerate(texts)], str(path)


def normalize_name(name: str) -> str:
    """The name without case and Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _labels(files: Sequence[Path]) -> dict[Path, str]:
    """For each file the shortest of `cat`, `cat.jpg`, `pets_cat.jpg`, ... that no other has.

    Nothing above the folder that all files have in common is used, so that it can be moved. Files that differ only in
    case are one until the end, and then numbered in natural order: `CAT`, `cat-2`.
    """
    absolute = {file: Path(os.path.abspath(file)) for file in dict.fromkeys(files)}
    levels = zip(*(path.parts[:-1] for path in absolute.values()), strict=False)
    common = sum(1 for _ in itertools.takewhile(lambda names: len(set(names)) == 1, levels))
    paths = {file: path.parts[common:] for file, path in absolute.items()}
    labels: dict[tuple[str, ...], str] = {}
    depth, unlabeled = 0, set(paths.values())
    while unlabeled:
        candidates = {path: "_".join(path[-depth:]) if depth else Path(path[-1]).stem for path in set(paths.values())}
        owners: dict[str, set[str]] = {}
        for path, candidate in candidates.items():
            owners.setdefault(normalize_name(candidate), set()).add(normalize_name("/".join(path)))
        unique = {path for path in unlabeled if len(owners[normalize_name(candidates[path])]) == 1}
        unique |= {path for path in unlabeled if depth >= len(path)}
        labels |= {path: candidates[path] for path in unique}
        unlabeled -= unique
        depth += 1
    taken: dict[str, int] = {}
    for path in sorted(labels, key=lambda path: natural_order(PurePath(*path))):
        labels[path] = _untaken(labels[path], "", taken)
    return {file: labels[path] for file, path in paths.items()}


def _untaken(stem: str, suffix: str, taken: dict[str, int]) -> str:
    """The first of `stem`, `stem-2`, ... with the suffix that is not taken; it then is.

    `taken` has for each taken name, normalized, the number with which to go on.
    """
    plain = name = stem + suffix
    while normalize_name(name) in taken:
        name = f"{stem}-{taken[normalize_name(plain)]}{suffix}"
        taken[normalize_name(plain)] += 1
    taken[normalize_name(name)] = 2
    return name


def _shorten(name: str) -> str:
    """The name, with its end replaced by a digest if it is too long."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _MAX_BYTES:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return f"{data[: _MAX_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"
