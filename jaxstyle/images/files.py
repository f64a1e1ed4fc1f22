"""Files of any kind: error messages with the path in front, and atomic writing."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxstyle.errors import JaxStyleError, escape_unprintable

PathLike = str | os.PathLike[str]

unfinished: set[Path] = set()  # temporary files that are being written, for a command that is interrupted


@contextmanager
def path_in_errors(path: PathLike, participle: str, error_class: type[JaxStyleError]) -> Iterator[Path]:
    """Yield the path with ~ expanded, and put it in front of the message of an error that the block raises.

    Args:
        path: the file.
        participle: what the block does with the file, for the message: "read" or "written".
        error_class: the class to raise in place of an OSError. Errors of this class are raised again with the path in
            front. Either message is one printable line.
    """
    try:
        yield Path(os.path.expanduser(path))
    except (OSError, error_class) as error:
        message = str(error)
        if isinstance(error, OSError):
            message = f"cannot be {participle} ({error.strerror}); check the name, the permissions and the disk"
        raise error_class(escape_unprintable(" ".join(f"{os.fspath(path)}: {message}".split()))) from error


def check_regular_file(path: Path, error_class: type[JaxStyleError], expected: str) -> None:
    """Raise `error_class` if the path is not a regular file, or OSError if it does not exist."""
    if not stat.S_ISREG(path.stat().st_mode):
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise error_class(f"is {kind}; {expected}")


def resolve_target(path: Path, error_class: type[JaxStyleError], *, overwrite: bool) -> Path:
    """The file to write, with symbolic links resolved: writing through a link must not replace the link.

    Raises:
        JaxStyleError: of this class, if the folder does not exist, the path exists and is not a regular file, or the
            file exists and must not be overwritten.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise error_class(f"{target.parent} is not a folder; create it, or choose another one")
    with suppress(FileNotFoundError):
        check_regular_file(target, error_class, "expected the name of a file: choose another name")
        if not overwrite:
            raise error_class("exists already; choose another name, or use --overwrite (in Python, overwrite=True)")
    return target


def check_target(path: Path, error_class: type[JaxStyleError], *, overwrite: bool) -> Path:
    """`resolve_target`, before any work: also OSError if the folder cannot be written to."""
    target = resolve_target(path, error_class, overwrite=overwrite)
    tempfile.TemporaryFile(dir=target.parent).close()
    return target


def write_atomically(target: Path, data: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it; OSError, and no new file, if that fails."""
    temporary = target.with_name(f".jaxstyle-{os.urandom(8).hex()}.part")
    unfinished.add(temporary)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        unfinished.discard(temporary)
