"""Lines with names of files, and the wording of errors: options with dashes, and the choice that was probably meant."""

import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from jaxstyle.errors import ConfigError, escape_unprintable

_FILES = (
    *("-o", "--output", "--weights", "--contact-sheet", "--proof"),
    *("--content-mask", "--style-mask", "--strength-mask"),
)
_TRANSIENT = ("memory:/",)  # stores that end with the process, which only a Python program can fill and read


def print_path(path: Path) -> None:
    """Print the path of a result on stdout: exactly, for programs, but without unprintable characters on a terminal."""
    typer.echo(escape_unprintable(str(path)) if sys.stdout.isatty() else path, color=True)  # with color, as it is


def print_note(text: str) -> None:
    """Print a line on stderr; names of files in it may have any characters."""
    typer.echo(escape_unprintable(f"jaxstyle: {text}"), err=True)


def print_warnings(*warnings: str) -> None:
    """Print each warning on stderr, once, as a line."""
    for warning in dict.fromkeys(warnings):
        print_note(f"warning: {warning}")


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an empty name of a file, a folder that is no folder, `-o out.png/`, and `memory://`."""
    for previous, argument in zip(("", *arguments), arguments, strict=False):
        if not argument and (previous in _FILES or not previous.startswith("-")):
            place = f"{previous} is empty" if previous in _FILES else "an argument is empty"
            raise ConfigError(f"{place}, perhaps from a shell variable that is not set; expected the name of a file")
        if previous in ("-o", "--output") and argument.endswith(("/", "\\")) and arguments[0] != "batch":
            raise ConfigError(f"{previous} is {argument!r}, the name of a folder; expected that of a file")
        if argument.rpartition("=")[2].lower().startswith(_TRANSIENT):
            found = f"{argument!r} would be lost when the command ends"
            raise ConfigError(f"{found}; expected files, or a store that keeps them, such as s3:// or gs://")


def reword(message: str, options: Sequence[str]) -> str:
    """An error message with `--style-scale` for `style_scale`, and with the nearest known choice.

    Options are renamed at the beginning, after a saved style and after "but", not in lines of manifests.

    Args:
        message: the message of an error.
        options: the names of options, as in Python.
    """
    for name in options:
        place = rf"(^|\.safetensors: |, but ){name}(?= is | has )"
        message = re.sub(place, rf"\1--{name.replace('_', '-')}", message)
    choice = re.search(r"'([^']*)'[^;]*; expected (?:one|some) of ([^;]+)$", message)
    choices = re.findall(r"(?:^|, (?:or )?)([^ ,]+)(?=,|$)", choice[2]) if choice else []  # not "a file"
    nearest = difflib.get_close_matches(choice[1], choices, n=1) if choice else []
    return f"{message}; did you mean {nearest[0]}?" if nearest else message
