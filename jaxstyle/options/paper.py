"""The size in pixels of a picture to print, from that of the paper."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from jaxstyle.errors import ConfigError, MemoryLimitError, PictureError
from jaxstyle.images import FORMATS, MAX_PIXELS, MIN_SIDE
from jaxstyle.optimization import MemoryNeed, Workload, check_memory, largest_size, memory_error, size_to_retry
from jaxstyle.options.stylization import Options

PRINT_DPI = 300  # pixels per inch that print shops expect
_PER_INCH = {"cm": 2.54, "mm": 25.4, "in": 1.0}
_SHEETS = {"a5": (148, 210), "a4": (210, 297), "a3": (297, 420), "a2": (420, 594)}  # in mm, ISO 216
_NUMBER, _UNIT = r"([0-9]*[.,]?[0-9]+|[0-9]+[.,]|inf|infinity)", r"(cm|mm|inch|in|\")?"
_FORM = re.compile(rf"{_NUMBER} ?{_UNIT} ?[x\u00d7] ?{_NUMBER} ?{_UNIT}")
_EXPECTED = "expected the sides of the paper, such as 60x40cm, 300x200mm or 10x8in, or A5, A4, A3 or A2"
_MARGIN = 0.01  # of the paper, which print shops cut off anyway


@dataclass(frozen=True)
class Paper:
    """The size of a sheet of paper, in a unit: "cm", "mm" or "in"."""

    width: float
    height: float
    unit: str

    def shape(self, dpi: int) -> tuple[int, int]:
        """The height and width in pixels."""
        return self.pixels(self.height, dpi), self.pixels(self.width, dpi)

    def pixels(self, length: float, dpi: int) -> int:
        """A length in the unit of the paper as a number of pixels."""
        return round(length / _PER_INCH[self.unit] * dpi)


def parse_paper(text: str) -> Paper:
    """Parse `60x40cm`, or `A4`; ConfigError for another form, and for a side of 0 or infinity."""
    name, found = text.strip().lower(), f"--print is {text!r}"
    if name in _SHEETS:
        return Paper(*_SHEETS[name], "mm")
    fields = _FORM.fullmatch(name)
    if not fields or fields[2] not in (None, fields[4]):
        raise ConfigError(f"{found}; {_EXPECTED}")
    if not fields[4]:
        raise ConfigError(f"{found}, without a unit (cm, mm or in); {_EXPECTED}")
    sides = [float(fields[index].replace(",", ".")) for index in (1, 3)]
    for side in sides:
        if not 0 < side < math.inf:
            raise ConfigError(f"{found}, with a side of {'infinity' if side else 0}; {_EXPECTED}")
    return Paper(sides[0], sides[1], "in" if fields[4] in ("inch", '"') else fields[4])


def for_print(options: Options) -> tuple[Options, int]:
    """The options with a resolution, and it; ConfigError if it is none."""
    options.file_settings()
    dpi = options.dpi or PRINT_DPI
    return replace(options, dpi=dpi), dpi


def fit_paper(options: Options, paper: Paper, height: int, width: int) -> tuple[Options, list[str]]:
    """The options with the largest size at which a content of this shape fits the paper, turned if that is better.

    Returns:
        The options, and a warning if the content does not fill the paper.

    Raises:
        ConfigError: as `for_print`.
    """
    options, dpi = for_print(options)
    shorter, longer = sorted((paper.width, paper.height))
    aspect = min(height, width) / max(height, width)
    covered = min(longer, shorter / aspect)
    options = replace(options, size=paper.pixels(covered, dpi))
    if min(covered / longer, covered * aspect / shorter) >= 1 - _MARGIN:
        return options, []
    found = f"the content covers {covered:.3g} x {covered * aspect:.3g} of {longer:g} x {shorter:g} {paper.unit}"
    return options, [f"{found}; crop it to the proportions of the paper to fill it"]


def check_print_shape(shape: tuple[int, int], output: Path) -> None:
    """Raise PictureError if a result of this height and width, for a paper, is too small or too large."""
    height, width = shape
    found = f"at this --dpi, the result would have {width} x {height} pixels"
    if min(shape) < MIN_SIDE:
        expected = f"expected at least {MIN_SIDE} on the shorter side"
        raise PictureError(f"{found}; {expected}: use a higher --dpi, or larger paper")
    suffix = output.suffix.lower()
    if suffix in FORMATS and max(shape) > FORMATS[suffix].max_side:
        expected = f"{suffix} has at most {FORMATS[suffix].max_side} on a side"
        raise PictureError(f"{found}, and {expected}; use .tiff, a lower --dpi, or smaller paper")
    if height * width > MAX_PIXELS:
        raise PictureError(f"{found}; expected at most {MAX_PIXELS} in all: use a lower --dpi, or smaller paper")


def check_print_memory(need: MemoryNeed, paper: Paper, dpi: int) -> MemoryNeed:
    """As `check_memory`, with the resolution and the paper that fit in place of the size."""
    size = need.workload.config.size
    fitting = 0 if need.fits else largest_size(need.requested, need.available.bytes)
    if not dpi * fitting // size:
        return check_memory(need)
    found = f"at --dpi {dpi}, the result has {size} pixels on its longest side and needs {need}"
    raise MemoryLimitError(f"{found}; {_advice(paper, dpi, fitting / size)}")


def print_memory_error(workload: Workload, paper: Paper, dpi: int) -> MemoryLimitError:
    """As `memory_error`, with the resolution and the paper that should fit in place of the size."""
    size, fitting = workload.config.size, size_to_retry(workload)
    if not dpi * fitting // size:
        return memory_error(workload)
    found = f"at --dpi {dpi}, there is not enough memory for {size} pixels on the longest side"
    return MemoryLimitError(f"{found}; {_advice(paper, dpi, fitting / size)}")


def _advice(paper: Paper, dpi: int, scale: float) -> str:
    """What to use for a result whose sides are multiplied by `scale`, which is less than 1."""
    parts_per_unit = 1 if paper.unit == "mm" else 10
    width, height = (math.floor(scale * side * parts_per_unit) / parts_per_unit for side in (paper.width, paper.height))
    smaller = f"--print {width:g}x{height:g}{paper.unit} or smaller" if width and height else "smaller paper"
    return f"use --dpi {math.floor(dpi * scale)} or less, or {smaller}"
