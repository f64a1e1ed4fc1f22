"""Arguments and options of a command, as Markdown.

Commands and parameters have the type Any: typer brings its own variant of click's classes, older versions use click.
"""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from typer.main import get_command

from jaxstyle.cli.app import app
from jaxstyle.cli.help import parameter_name, parameter_notes


def find_command(*names: str) -> Any:
    """A command of jaxstyle, such as `find_command("gram", "show")`; without names, `jaxstyle` itself."""
    command: Any = get_command(app)
    for name in names:
        command = command.commands[name]
    return command


def arguments_of(command: Any) -> list[Any]:
    """The arguments of a command."""
    return [parameter for parameter in _visible(command) if parameter.param_type_name == "argument"]


def options_of(command: Any) -> list[Any]:
    """The options of a command."""
    return [parameter for parameter in _visible(command) if parameter.param_type_name == "option"]


def group_options(options: Iterable[Any]) -> dict[str, list[Any]]:
    """Options by their headings in `--help`; those without a heading come first, under ""."""
    groups: dict[str, list[Any]] = {"": []}
    for option in options:
        groups.setdefault(option.rich_help_panel or "", []).append(option)
    return {heading: members for heading, members in groups.items() if members}


def format_default(parameter: Any) -> str:
    """The default of a parameter as `--help` shows it; empty if there is none."""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    value = parameter.default
    return code(str(value)) if value or (value == 0 and value is not False) else ""


def format_signature(parameter: Any) -> str:
    """A parameter with its placeholder, such as `-o, --output OUT`."""
    return code(parameter_name(parameter))


def format_notes(parameter: Any) -> str:
    """What `--help` adds to the text in brackets, such as "required"."""
    return parameter_notes(parameter).removeprefix("[").removesuffix("]")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the cells are Markdown without `|`."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |\n" for line in lines)


def code(text: str) -> str:
    """Text shown as code, also in a table, where dialects of Markdown disagree on how to write `|` in code."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def plain(text: str) -> str:
    """Text of a help page as Markdown: only what is between backticks has a meaning."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else _escape(piece) for piece in pieces)


def _escape(text: str) -> str:
    return re.sub(r"([*_<>\[\]\\])", r"\\\1", text).replace("|", "&#124;")


def _visible(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.hidden]
