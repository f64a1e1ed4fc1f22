"""The size in pixels of a picture to print, from that of the paper."""

import re
from dataclasses import dataclass, replace

from jaxstyle.errors import ConfigError
from jaxstyle.jobs.options import Options

PRINT_DPI = 300  # pixels per inch that print shops expect
_PER_INCH = {"cm": 2.54, "mm": 25.4, "in": 1.0}
_FORM = re.compile(rf"([0-9.]+) ?x ?([0-9.]+) ?({'|'.join(_PER_INCH)})")
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
    """Parse `60x40cm`; ConfigError for another form."""
    found = _FORM.fullmatch(text.strip().lower())
    try:
        paper = Paper(float(found[1]), float(found[2]), found[3]) if found else None
    except ValueError:
        paper = None
    if not paper or not min(paper.width, paper.height):
        raise ConfigError(f"--print is {text!r}; expected the sides of the paper, such as 60x40cm, 300x200mm or 10x8in")
    return paper


def for_print(options: Options) -> tuple[Options, int]:
    """The options with a resolution, and it; ConfigError if they have a size, or a resolution that is none."""
    options.file_settings()
    if options.size != Options().size:
        raise ConfigError(f"there is --size {options.size} and --print, which sets it; give one of them")
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
