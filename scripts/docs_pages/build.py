"""The site, built and served by zensical."""

import subprocess
import sys
import time
from pathlib import Path

from scripts.docs_pages.options import PAGE, fill_tables
from scripts.docs_pages.pages import write_pages

PAGES = Path("build/docs")
"""The folder of pages, `docs_dir` in mkdocs.yml."""
_WATCHED = ("docs", "jaxstyle", "examples", "weights/README.md", "scripts/docs_pages")
_ZENSICAL = (sys.executable, "-m", "zensical")


def write() -> None:
    """Bring the tables of docs/options.md and the folder of pages up to date.

    Raises:
        LinkError: a page links to a file that does not exist.
    """
    text = PAGE.read_text(encoding="utf-8")
    filled = fill_tables(text)
    if filled != text:
        PAGE.write_text(filled, encoding="utf-8")
    write_pages(PAGES)


def build() -> int:
    """Build the site into build/site; the exit code is 1 after any warning."""
    write()
    done = subprocess.run([*_ZENSICAL, "build", "--strict", "--clean"], stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr)
    # Problems in docstrings are only printed, even with --strict.
    return done.returncode or int(done.stderr.strip() != "No issues found")


def serve(port: int) -> int:
    """Serve the site on this machine until Ctrl-C, and keep it up to date with the files that it is made from."""
    write()
    server = subprocess.Popen([*_ZENSICAL, "serve", "--dev-addr", f"127.0.0.1:{port}"])
    written = _newest()
    try:
        while server.poll() is None:
            time.sleep(1)
            if written < (written := _newest()):
                # In a new process, because the modules of this one do not change.
                subprocess.run([sys.executable, "-m", __package__, "--pages"])
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
    return server.returncode if server.returncode > 0 else 0


def _newest() -> float:
    """The time of the last change of a source."""
    paths = (path for top in map(Path, _WATCHED) for path in (top, *top.rglob("*")) if path != PAGE)
    return max(path.stat().st_mtime for path in paths if "__pycache__" not in path.parts)
