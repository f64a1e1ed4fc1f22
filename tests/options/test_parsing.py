"""The values of options: layers with weights, shares, initial pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import CONTENT

from jaxstyle.errors import ConfigError
from jaxstyle.options import parse_numbers
from jaxstyle.options.parsing import format_weighted, parse_init, parse_weighted

names = st.text("abcrelu_123", min_size=1, max_size=8)
weights = st.one_of(st.integers(0, 10_000), st.integers(1, 999).map(lambda thousandths: thousandths / 1000))


@given(st.lists(st.tuples(names, weights.map(float)), unique_by=lambda pair: pair[0], max_size=5).map(tuple))
def test_formatted_pairs_are_parsed_to_the_same(pairs):
    assert parse_weighted("--layers", format_weighted(pairs)) == pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("relu1_1", (("relu1_1", 1.0),)),
        (" relu1_1 = 0.5 , relu2_1", (("relu1_1", 0.5), ("relu2_1", 1.0))),
        ("a=b.jpg=2e-1", (("a=b.jpg", 0.2),)),
        ("relu1_1=-1", (("relu1_1", -1.0),)),  # StyleConfig raises the error
    ],
)
def test_weighted(text, expected):
    assert parse_weighted("--layers", text) == expected


@pytest.mark.parametrize("text", ["a=", "a=x", "=1", "a,,b", "a,", "a,a=2", "a=nan", "a=inf"])
def test_weighted_raises(text):
    with pytest.raises(ConfigError, match=r"^--layers (has|names) .*; expected "):
        parse_weighted("--layers", text)


def test_numbers():
    assert parse_numbers("--blend", "") == () and parse_numbers("--blend", "1, .25,3e0") == (1.0, 0.25, 3.0)
    for text in ("x", "1,,2", "nan"):
        with pytest.raises(ConfigError, match=r"^--blend has .*; expected a number there$"):
            parse_numbers("--blend", text)


def test_initial_pictures(tmp_path):
    file = tmp_path / "initial.png"
    file.touch()
    assert parse_init("--init", "content") == ((("content", 1.0),), None)
    assert parse_init("--init", "style=2,noise") == ((("style", 2.0), ("noise", 1.0)), None)
    assert parse_init("--init", f"noise=0.3,{file}=0.7") == ((("noise", 0.3), ("picture", 0.7)), file)
    for name in ("my,photo.jpg", "a=b.jpg", "noise=0.5", "a,noise=1,b.jpg"):
        file = tmp_path / name
        file.touch()
        assert parse_init("--init", f"{file}") == ((("picture", 1.0),), file)
        mixture = ("picture", 0.7), ("noise", 0.3)
        assert parse_init("--init", f"{name}=0.7, noise=0.3", folder=tmp_path) == (mixture, file)
        assert parse_init("--init", f"noise=0.3,{file}=0.7") == (mixture[::-1], file)
    for text in ("", "nois", f"{file},{CONTENT}", "picture"):
        with pytest.raises(ConfigError, match=r"^--init has .*; expected "):
            parse_init("--init", text)
