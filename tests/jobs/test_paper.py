"""The size in pixels of a picture to print."""

import pytest

from jaxstyle.errors import ConfigError
from jaxstyle.jobs import Options, fit_paper, for_print, parse_paper


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("60x40cm", (4724, 7087)),
        ("600 x 400 mm", (4724, 7087)),
        ("10x8in", (2400, 3000)),
        ("8.5x11IN", (3300, 2550)),
    ],
)
def test_paper(text, shape):
    assert parse_paper(text).shape(300) == shape


@pytest.mark.parametrize("text", ["", "60x40", "cm", "60cm", "0x40cm", "-6x4cm", "6x4x3cm", "1.2.3x4cm", "60x40px"])
def test_texts_that_are_no_paper(text):
    with pytest.raises(ConfigError, match="^--print is .*; expected the sides of the paper, such as 60x40cm"):
        parse_paper(text)


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


def test_contradictions():
    for size in (600, "max"):
        with pytest.raises(ConfigError, match=f"^there is --size {size} and --print"):
            for_print(Options(size=size))
    with pytest.raises(ConfigError, match="^dpi is 0"):
        for_print(Options(dpi=0))
