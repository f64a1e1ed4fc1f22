"""The size in pixels of a picture to print."""

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.options import Options, check_print_shape, fit_paper, for_print, parse_paper


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("60x40cm", (4724, 7087)),
        ("600 x 400 mm", (4724, 7087)),
        ("10x8in", (2400, 3000)),
        ("8.5x11IN", (3300, 2550)),
        ("8,5x11,0in", (3300, 2550)),
        ("60\N{MULTIPLICATION SIGN}40 cm", (4724, 7087)),
        ('10"x8"', (2400, 3000)),
        ("10 x 8 inch", (2400, 3000)),
        ("A4", (3508, 2480)),
        ("a2", (7016, 4961)),
    ],
)
def test_paper(text, shape):
    assert parse_paper(text).shape(300) == shape


@pytest.mark.parametrize("text", ["", "A0", "cm", "60cm", "10cmx8in", "-6x4cm", "6x4x3cm", "1.2.3x4cm", "60x40px"])
def test_texts_that_are_no_paper(text):
    with pytest.raises(ConfigError, match="^--print is .*; expected the sides of the paper, such as 60x40cm"):
        parse_paper(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("60x40", "without a unit (cm, mm or in)"),
        ("0x40cm", "with a side of 0;"),
        ("40xinfcm", "with a side of infinity;"),
        (f"{'9' * 400}x40cm", "with a side of infinity;"),
    ],
)
def test_errors_name_what_is_wrong(text, found):
    with pytest.raises(ConfigError, match=re.escape(f", {found}"[:-1])):
        parse_paper(text)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((15, 400), "400 x 15 pixels; expected at least 16 on the shorter side: use a higher --dpi, or larger"),
        ((8000, 16384), ".webp has at most 16383 on a side; use .tiff, a lower --dpi, or smaller paper"),
        ((16383, 16383), None),
    ],
)
def test_shapes_for_print(shape, found):
    with pytest.raises(PictureError, match=re.escape(found)) if found else nullcontext():
        check_print_shape(shape, Path("out.webp"))
    with pytest.raises(PictureError, match="expected at most 268435456 in all: use a lower --dpi, or smaller"):
        check_print_shape((16385, 16384), Path("out.tiff"))


@pytest.mark.parametrize(
    ("shape", "paper", "size", "warning"),
    [
        ((2000, 3000), "60x40cm", 7087, None),
        ((3000, 2000), "60x40cm", 7087, None),  # turned
        ((2000, 3000), "40x60cm", 7087, None),
        ((1990, 3000), "60x40cm", 7087, None),  # within 1 %
        ((3000, 4000), "60x40cm", 6299, "covers 53.3 x 40 of 60 x 40 cm; crop it"),
        ((1000, 3000), "60x40cm", 7087, "covers 60 x 20 of 60 x 40 cm; crop it"),
        ((50, 50), "8x10in", 2400, "covers 8 x 8 of 10 x 8 in"),
    ],
)
def test_the_largest_size_that_fits(shape, paper, size, warning):
    options, warnings = fit_paper(Options(), parse_paper(paper), *shape)
    assert options == Options(size=size, dpi=300)
    assert [warning in text for text in warnings] == ([True] if warning else [])


def test_another_resolution():
    options, _ = fit_paper(Options(dpi=100), parse_paper("10x8in"), 80, 100)
    assert options == Options(size=1000, dpi=100)


def test_no_resolution():
    with pytest.raises(ConfigError, match="^dpi is 0"):
        for_print(Options(dpi=0))
