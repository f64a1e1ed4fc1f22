"""What options say, as values: layers, shares, and starting points."""

import math
from pathlib import Path

from jaxstyle.config import PARTITIONS, STARTS, Weighted
from jaxstyle.errors import ConfigError

NAMED_STARTS = tuple(start for start in STARTS if start != "picture")


def weighted(option: str, text: str) -> Weighted:
    """`relu4_1,relu5_1=0.5` as `(("relu4_1", 1.0), ("relu5_1", 0.5))`, and "" as nothing.

    Raises:
        ConfigError: naming the option, if a weight is no number or a name is missing or comes twice.
    """
    pairs: list[tuple[str, float]] = []
    for part in _parts(text):
        name, weight = map(str.strip, part.rsplit("=", 1) if "=" in part else (part, "1"))
        if not name:
            raise ConfigError(f"{option} has {part!r}; expected NAME or NAME=WEIGHT")
        if name in dict(pairs):
            raise ConfigError(f"{option} names {name!r} twice; expected each name once")
        pairs.append((name, _number(option, weight)))
    return tuple(pairs)


def layers(option: str, text: str) -> Weighted | str:
    """As `weighted`, or one of `PARTITIONS`."""
    return text.strip() if text.strip() in PARTITIONS else weighted(option, text)


def numbers(option: str, text: str) -> tuple[float, ...]:
    """`0.7,0.3` as `(0.7, 0.3)`, and "" as nothing; ConfigError, naming the option, if one is no number."""
    return tuple(_number(option, part) for part in _parts(text))


def starts(option: str, text: str, *, folder: Path = Path()) -> tuple[Weighted, Path | None]:
    """`photo.jpg=0.7,noise=0.3` as `(("picture", 0.7), ("noise", 0.3))`, and the picture's file in the folder, if any.

    Raises:
        ConfigError: as `weighted`, for no start at all, more than one picture, or a name that is no file either.
    """
    shares = weighted(option, text)
    files = [name for name, _ in shares if name not in NAMED_STARTS]
    known = ", ".join(NAMED_STARTS)
    if not shares or len(files) > 1:
        raise ConfigError(f"{option} has {text!r}; expected some of {known} and at most one picture file")
    file = folder / Path(files[0]).expanduser() if files else None
    if file and not file.exists():
        raise ConfigError(f"{option} has {files[0]!r}, which is no file; expected one of {known}, or a picture file")
    return tuple(("picture" if name in files else name, share) for name, share in shares), file


def written(pairs: Weighted) -> str:
    """The text of which `weighted` makes these pairs."""
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in pairs)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{option} has {text!r}; expected a number there")
    return number
