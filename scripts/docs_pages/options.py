"""The tables of docs/options.md, generated from the commands and written between its markers.

The page is committed, so that it can be read without the site; `scripts/docs` brings its tables up to date.
"""

import re
from pathlib import Path
from typing import Any

from scripts.docs_pages.parameters import code, find_command, format_default, group_options, options_of, plain, table

PAGE = Path("docs/options.md")
_MARKED = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_tables(page: str) -> str:
    """The page with its tables as the commands are now.

    A table is named by its marker: `<!-- table: stylize -->` has the options of `jaxstyle stylize`, and
    `<!-- table: batch without stylize -->` those of `jaxstyle batch` that `jaxstyle stylize` does not have.

    Raises:
        KeyError: there is no such command.
    """
    return _MARKED.sub(lambda match: match[1] + "\n" + _tables(match["name"]) + "\n" + match[3], page)


def _tables(name: str) -> str:
    command, _, other = name.partition(" without ")
    excluded = {option.name for option in options_of(find_command(other))} if other else set()
    options = [option for option in options_of(find_command(command)) if option.name not in excluded]
    sections = []
    for heading, members in group_options(options).items():
        rows = ([_signature(option), format_default(option), plain(option.help or "")] for option in members)
        sections.append(f"### {heading or 'General'}\n\n" + table(["option", "default", "what it does"], rows))
    return "\n".join(sections)


def _signature(option: Any) -> str:
    """The names of an option and its placeholder, but no type, which versions of typer write differently."""
    return code(", ".join(option.opts) + (f" {option.metavar}" if option.metavar else ""))
