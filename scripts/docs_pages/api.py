"""The reference of the package: a page for its public names, and one for each of its packages.

The pages name the objects; mkdocstrings puts their signatures and docstrings in.
"""

import importlib
from pathlib import Path

import jaxstyle

WITHOUT_PAGE = ("cli", "embedded")
"""Packages without a page: the command has its own reference, and the weights are no Python."""


def components() -> list[str]:
    """The packages inside jaxstyle that have a page."""
    folder = Path(jaxstyle.__file__).parent
    names = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    return [name for name in names if name not in WITHOUT_PAGE]


def api_pages() -> dict[str, str]:
    """The pages by their names in `reference/`."""
    pages = {"jaxstyle.md": _page("jaxstyle", jaxstyle.__all__, "")}
    for component in components():
        name = f"jaxstyle.{component}"
        exported = importlib.import_module(name).__all__
        public = [member for member in exported if member in jaxstyle.__all__]
        links = ", ".join(f"[`{member}`][jaxstyle.{member}]" for member in public)
        note = f"Described with the [public names](jaxstyle.md): {links}.\n" if public else ""
        pages[f"{component}.md"] = _page(name, [member for member in exported if member not in public], note)
    return pages


def _page(name: str, members: list[str], note: str) -> str:
    listed = "".join(f"        - {member}\n" for member in members)
    return f"# {name}\n\n::: {name}\n    options:\n      members:\n{listed}\n{note}"
