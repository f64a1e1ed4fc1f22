"""The folder of pages that the site generator reads."""

from pathlib import Path

from scripts.docs_pages.api import api_pages
from scripts.docs_pages.command import command_page
from scripts.docs_pages.links import PROGRAMS, rewrite_links, site_path


def write_pages(folder: Path) -> None:
    """Write every page and picture of the site, and remove what no page needs any more.

    Files that are up to date stay untouched. The current folder is the repository.

    Raises:
        LinkError: a page links to a file that does not exist.
    """
    pages = repository_pages() | {Path("reference", name): text.encode() for name, text in api_pages().items()}
    pages[Path("reference/command.md")] = command_page().encode()
    for path, content in pages.items():
        file = folder / path
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder) not in pages:
            file.unlink()


def repository_pages() -> dict[Path, bytes]:
    """The pages of docs/ and all files that they link to, directly or through other pages, by their place on the site.

    Raises:
        LinkError: a page links to a file that does not exist.
    """
    pages: dict[Path, bytes] = {}
    files = [Path("docs/site.css"), *sorted(Path("docs").rglob("*.md"))]
    while files:
        file = files.pop()
        if site_path(file) not in pages:
            pages[site_path(file)], linked = _convert(file)
            files += linked
    return pages


def _convert(file: Path) -> tuple[bytes, list[Path]]:
    """A file or folder of the repository as it is on the site, and the files that it links to."""
    if file.is_dir():
        children = sorted(path for path in file.iterdir() if path.is_file())
        listing = "".join(f"- [{path.name}]({path.name})\n" for path in children)
        text, linked = rewrite_links(f"# {file}\n\n{listing}", file / "index.md")
        return text.encode(), linked
    if file.suffix in PROGRAMS:
        return f"# {file}\n\n````{PROGRAMS[file.suffix]}\n{file.read_text(encoding='utf-8')}````\n".encode(), []
    if file.suffix != ".md":
        return file.read_bytes(), []
    text, linked = rewrite_links(file.read_text(encoding="utf-8"), file)
    return text.encode(), linked
