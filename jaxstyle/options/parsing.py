"""Parse option values: weighted names, layers, numbers and initial pictures."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from jaxstyle.config import INITS, PARTITIONS, Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images import exists, join_path

MAX_SIZE = "max"  # the size that stands for the largest that fits the memory
NAMED_INITS = tuple(init for init in INITS if init != "picture")


def parse_size(text: str | int) -> int | str:
    """Parse a number of pixels, or `MAX_SIZE`; ValueError for another text."""
    if text == MAX_SIZE:
        return MAX_SIZE
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number of pixels, or {MAX_SIZE}") from None


def check_size(size: int | str) -> int:
    """The size if it is a number; ConfigError for `MAX_SIZE`, which must have been replaced by a number before."""
    if isinstance(size, str):
        raise ConfigError(f"size is {size!r}; expected a number of pixels: {MAX_SIZE} is for stylize, texture and grid")
    return size


def parse_weighted(option: str, text: str) -> Weighted:
    """Parse `relu4_1,relu5_1=0.5` to `(("relu4_1", 1.0), ("relu5_1", 0.5))`, and "" to `()`.

    Raises:
        ConfigError: naming the option, if a weight is no number or a name is missing or repeated.
    """
    return _check_weighted(option, map(_split_weight, _items(text)))


def parse_layers(option: str, text: str) -> Weighted | str:
    """Parse weighted layers, or return one of `PARTITIONS`; ConfigError as `parse_weighted`, and for an empty text."""
    if not text.strip():  # as from a shell variable that is not set; a weight of 0 leaves out a term of the loss
        raise ConfigError(f"{option} is empty; expected layers, or one of {', '.join(PARTITIONS)}")
    return text.strip() if text.strip() in PARTITIONS else parse_weighted(option, text)


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Parse `0.7,0.3` to `(0.7, 0.3)`, and "" to `()`; ConfigError, naming the option, if one is no number."""
    return tuple(_number(option, item) for item in _items(text))


def parse_scales(option: str, text: str) -> float | tuple[float, ...]:
    """Parse `2` to 2.0, and `1,2` to `(1.0, 2.0)`; ConfigError as `parse_numbers`, and for an empty text."""
    scales = parse_numbers(option, text)
    if not scales:
        raise ConfigError(f"{option} is empty; expected a factor for all styles, or one for each")
    return scales[0] if len(scales) == 1 else scales


def parse_init(option: str, text: str, *, folder: Path = Path()) -> tuple[Weighted, Path | None]:
    """Parse `photo.jpg=0.7,noise=0.3` to `(("picture", 0.7), ("noise", 0.3))` and the path of the picture, if any.

    The name of a file that exists may have commas and equals signs.

    Raises:
        ConfigError: as `parse_weighted`, for an empty text, several pictures, or a name that is no file in `folder`.
    """
    shares = _check_weighted(option, _split_mixture(text, folder))
    files = [name for name, _ in shares if name not in NAMED_INITS]
    known = ", ".join(NAMED_INITS)
    if not shares or len(files) > 1:
        raise ConfigError(f"{option} has {text!r}; expected some of {known} and at most one picture file")
    path = join_path(folder, files[0]) if files else None
    if path and not _exists(folder, files[0]):
        raise ConfigError(f"{option} has {files[0]!r}, which is no file; expected one of {known}, or a picture file")
    return tuple(("picture" if name in files else name, share) for name, share in shares), path


def format_weighted(weighted: Weighted) -> str:
    """The text that `parse_weighted` parses to these names and weights."""
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in weighted)


def _split_mixture(text: str, folder: Path) -> Iterator[tuple[str, str]]:
    """The names and weights in a mixture; the longest text that names a file, with or without a weight, is one name."""
    pieces = text.split(",") if text.strip() else []
    while pieces:
        for count in range(len(pieces), 0, -1):
            item = ",".join(pieces[:count]).strip()
            name, weight = _split_weight(item)
            if item not in NAMED_INITS and _exists(folder, item):
                name, weight = item, "1"
            if count == 1 or (name not in NAMED_INITS and _exists(folder, name)):
                yield name, weight
                pieces = pieces[count:]
                break


def _exists(folder: Path, name: str) -> bool:
    return bool(name) and exists(join_path(folder, name))


def _split_weight(item: str) -> tuple[str, str]:
    """`relu5_1=0.5` as `("relu5_1", "0.5")`; without a weight, it is 1."""
    name, equals, weight = map(str.strip, item.rpartition("="))
    return (name, weight) if equals else (item.strip(), "1")


def _check_weighted(option: str, items: Iterable[tuple[str, str]]) -> Weighted:
    """Names with their weights as numbers; ConfigError, naming the option, as `parse_weighted`."""
    weighted: dict[str, float] = {}
    for name, weight in items:
        if not name:
            found = f"={weight}" if weight != "1" else ""
            raise ConfigError(f"{option} has {found!r}; expected NAME or NAME=WEIGHT")
        if name in weighted:
            raise ConfigError(f"{option} names {name!r} twice; expected each name once")
        weighted[name] = _number(option, weight)
    return tuple(weighted.items())


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")] if text.strip() else []


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{option} has {text!r}; expected a number there")
    return number
