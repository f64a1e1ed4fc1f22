"""Files of any kind: failures become one line with the path in front, and what is written is whole or not there."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxstyle.errors import JaxStyleError

PathLike = str | os.PathLike[str]


@contextmanager
def path_in_errors(path: PathLike, done: str, kind: type[JaxStyleError]) -> Iterator[Path]:
    """Yield the path with ~ expanded; what goes wrong inside becomes one printable line with the path in front.

    Args:
        path: the file.
        done: what is done to it, "read" or "written".
        kind: the error that is raised for an OSError, and the one to raise inside for anything else.
    """
    try:
        yield Path(os.path.expanduser(path))
    except (OSError, kind) as error:
        found = str(error)
        if isinstance(error, OSError):
            found = f"cannot be {done} ({error.strerror}); expected a file that can: check name, permissions and disk"
        raise kind(escape_unprintable(" ".join(f"{os.fspath(path)}: {found}".split()))) from error


def escape_unprintable(text: str) -> str:
    """The text with all that could move a terminal's cursor, or is otherwise unseen, written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def check_regular_file(path: Path, kind: type[JaxStyleError], expected: str) -> None:
    """Raise `kind`, or OSError if there is nothing, unless the path leads to a regular file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise kind(f"is a folder, a device or a pipe; {expected}")


def resolve_target(path: Path, kind: type[JaxStyleError], *, overwrite: bool) -> Path:
    """The real file to write: replacing a symbolic link would cut it from what it points to.

    Raises:
        JaxStyleError: of this kind, if its folder is missing, or it is there and is no file, or must not be replaced.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise kind(f"{target.parent} is not a folder; expected one to write to: create it or choose another")
    with suppress(FileNotFoundError):
        check_regular_file(target, kind, "expected the name of a file: choose another name")
        if not overwrite:
            raise kind("exists already; expected a new name: choose another or ask for it to be overwritten")
    return target


def write_atomically(target: Path, data: bytes) -> None:
    """The bytes under a temporary name beside the target, then in its place; OSError, and no trace, if that fails."""
    temporary = target.with_name(f".jaxstyle-{os.urandom(8).hex()}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
