"""Links between files of the repository, as links between pages of the site.

In the repository, pages of `docs/` link to files anywhere in it. On the site, `docs/` is the top, and a linked file
outside of it lies under `repository/`. A program becomes a page that shows its code, and a folder one that lists it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = {"": "sh", ".sh": "sh", ".py": "python", ".toml": "toml"}
"""The suffixes of files that become a page, with the language to highlight."""

_LINK = re.compile(r"(?P<before>\]\(|\b(?:src|href)=\")(?P<path>[^)\s\"#]+)(?P<anchor>#[^)\s\"]*)?(?=[)\"])")
_EXTERNAL = re.compile(r"[a-z]+:")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")


class LinkError(Exception):
    """A page links to a file that does not exist."""


def site_path(path: Path) -> Path:
    """The place on the site of an existing file or folder; both paths are relative, to the repository and the site."""
    moved = path.relative_to("docs") if path.is_relative_to("docs") else "repository" / path
    if path.is_dir():
        return moved / "index.md"
    return moved.with_name(f"{moved.name}.md") if path.suffix in PROGRAMS else moved


def linked_file(page: Path, link: str) -> Path:
    """The file that a page of the repository links to; the README of a folder that has one.

    Raises:
        LinkError: it does not exist, or is outside the repository.
    """
    path = Path(os.path.normpath(page.parent / link))
    if path.parts[0] == ".." or not path.exists():
        raise LinkError(f"{page} links to {link}, which does not exist; correct the link")
    readme = path / "README.md"
    return readme if readme.exists() else path


def rewrite_links(text: str, page: Path) -> tuple[str, list[Path]]:
    """Point the links of a Markdown page to the places of their files on the site.

    Code blocks stay as they are.

    Args:
        text: the page.
        page: its path in the repository, relative to it and to the current folder.

    Returns:
        The page for the site, and the files that it links to.

    Raises:
        LinkError: a linked file does not exist.
    """
    files: list[Path] = []
    folder = site_path(page).parent

    def rewrite(match: re.Match[str]) -> str:
        if _EXTERNAL.match(match["path"]):
            return match[0]
        file = linked_file(page, match["path"])
        files.append(file)
        return match["before"] + os.path.relpath(site_path(file), folder) + (match["anchor"] or "")

    lines = (line if is_code else _LINK.sub(rewrite, line) for line, is_code in _lines(text))
    return "".join(lines), files


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of a Markdown text, and whether they belong to a code block."""
    fence = ""
    for line in text.splitlines(keepends=True):
        match = _FENCE.match(line)
        yield line, bool(fence or match)
        if match and match[1].startswith(fence):
            fence = "" if fence else match[1]
