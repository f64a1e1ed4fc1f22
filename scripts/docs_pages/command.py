"""The reference of the command, generated from the typer application."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from scripts.docs_pages.parameters import (
    arguments_of,
    find_command,
    format_notes,
    format_signature,
    group_options,
    options_of,
    plain,
    table,
)

_INTRODUCTION = """\
# Command line

Generated from the command: the same text as `jaxstyle COMMAND --help`. [Options](../options.md) has the options of a
stylization at a glance.
"""


def command_page() -> str:
    """The page with every command."""
    return _INTRODUCTION + "".join(_sections(find_command(), "jaxstyle", level=2))


def _sections(command: Any, name: str, *, level: int) -> Iterator[str]:
    """The section of a command, and of each command below it."""
    yield f"\n{'#' * level} {name}\n\n{_description(command, name)}"
    for child_name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _sections(child, f"{name} {child_name}", level=min(level + 1, 3))


def _description(command: Any, name: str) -> str:
    usage = typer.Context(command, info_name=name).command_path
    pieces = " ".join(command.collect_usage_pieces(typer.Context(command, info_name=name)))
    blocks = [plain(inspect.cleandoc(command.help or "")), f"```text\n{usage} {pieces}\n```"]
    arguments = arguments_of(command)
    if arguments:
        blocks.append(_table("argument", arguments))
    for heading, options in group_options(options_of(command)).items():
        blocks += [*([f"**{heading}**"] if heading else []), _table("option", options)]
    return "\n\n".join(block.strip() for block in [*blocks, *_examples(command.epilog)] if block) + "\n"


def _table(head: str, parameters: list[Any]) -> str:
    rows = ([format_signature(parameter), _text(parameter)] for parameter in parameters)
    return table([head, "what it does"], rows)


def _text(parameter: Any) -> str:
    notes = format_notes(parameter)
    return plain(parameter.help or "") + (f" *{plain(f'[{notes}]')}*" if notes else "")


def _examples(epilog: str | None) -> list[str]:
    """The examples of a command, where lines that begin with `jaxstyle` are commands."""
    blocks = re.findall(r"(?:^jaxstyle .*\n?)+|(?:^(?!jaxstyle ).+\n?)+", epilog or "", flags=re.MULTILINE)
    texts = [f"```sh\n{block.strip()}\n```" if block.startswith("jaxstyle ") else plain(block) for block in blocks]
    return ["**Examples**", *texts] if texts else []
