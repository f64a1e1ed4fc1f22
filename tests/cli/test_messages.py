"""Errors as the command line words them."""

import pytest
import typer

from jaxstyle.cli.messages import check_arguments, reword
from jaxstyle.cli.usage import usage_message
from jaxstyle.errors import ConfigError


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("style_scale is 0; expected a number above 0", "--style-scale is 0; expected a number above 0"),
        ("a.csv: line 2: style_scale is 0", "a.csv: line 2: style_scale is 0"),
        ("a.safetensors: style_scale is 2, and", "a.safetensors: --style-scale is 2, and"),
        ("the pooling was avg, but pooling is max", "the pooling was avg, but --pooling is max"),
        (
            "optimizer is 'lbfg'; expected one of lbfgs, adam",
            "--optimizer is 'lbfg'; expected one of lbfgs, adam; did you mean lbfgs?",
        ),
        ("pooling is 'min'; expected one of max, avg", "--pooling is 'min'; expected one of max, avg"),
        (
            "no weights called 'nofile'; expected one of vgg16, vgg19, or a file",
            "no weights called 'nofile'; expected one of vgg16, vgg19, or a file",
        ),
        ("", ""),
    ],
)
def test_options_and_choices(message: str, expected: str):
    assert reword(message, ("style_scale", "optimizer", "pooling")) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stylize", "", "b.jpg"], "an argument is empty"),
        (["stylize", "a.jpg", "b.jpg", "-o", ""], "-o is empty"),
        (["stylize", "a.jpg", "b.jpg", "-o", "c.png", "--strength-mask", ""], "--strength-mask is empty"),
        (["stylize", "a.jpg", "b.jpg", "-o", "c.png/"], "-o is 'c.png/', the name of a folder"),
        (["batch", "pairs.csv", "-o", "memory://out"], "'memory://out' would be lost when the command ends"),
        (["stylize", "a.jpg", "b.jpg", "--output=memory://c.png"], "would be lost"),
    ],
)
def test_names_that_are_no_files(arguments: list[str], message: str):
    with pytest.raises(ConfigError, match=message):
        check_arguments(arguments)


def test_other_arguments_may_be_empty_or_folders():
    check_arguments(["batch", "--style-blend", "", "-o", "results/"])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("'x' is not a valid int.", "--steps is 'x'; expected a whole number"),
        ("'x' is not a valid integer range.", "--steps is 'x'; expected a whole number"),
        ("'x' is not a valid float.", "--steps is 'x'; expected a number"),
        ("0 is not in the range x>=1.", "--steps is '0'; expected a number from 1 up"),
        ("wide", "--steps is 'wide'; expected another value"),
    ],
)
def test_values_as_older_versions_of_typer_refuse_them(message: str, expected: str):
    assert usage_message(typer.BadParameter(message, param_hint="'--steps'")) == expected
