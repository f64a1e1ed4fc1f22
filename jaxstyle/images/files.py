"""Files of any kind, also in stores: error messages with the path in front, and atomic writing."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from jaxstyle.errors import JaxStyleError, escape_unprintable
from jaxstyle.images.remote import PathLike, RemotePath, as_path

unfinished: set[Path] = set()  # temporary files that are being written, for a command that is interrupted


@contextmanager
def path_in_errors(path: PathLike, participle: str, *error_classes: type[JaxStyleError]) -> Iterator[Path]:
    """Yield the path by `as_path`, and put it in front of the message of an error that the block raises.

    Args:
        path: the file.
        participle: what the block does with the file, for the message: "read" or "written".
        error_classes: classes whose errors are raised again with the path in front. The first is raised in place of an
            OSError. The message is one printable line.
    """
    file = as_path(path)
    shown, place = (file, "store") if isinstance(file, RemotePath) else (path, "disk")

    def line(message: str) -> str:
        return escape_unprintable(" ".join(f"{os.fspath(shown)}: {message}".split()))

    try:
        yield file
    except OSError as error:
        reason = _missing_bucket(file, error) or error.strerror
        message = f"cannot be {participle} ({reason}); check the name, the permissions and the {place}"
        raise error_classes[0](line(message)) from error
    except error_classes as error:
        error_class = next(kind for kind in error_classes if isinstance(error, kind))
        raise error_class(line(str(error))) from error


def _missing_bucket(file: Path, error: OSError) -> str | None:
    """That the bucket of an object does not exist, if that may be why there is no such object."""
    if isinstance(file, RemotePath) and len(file.parts) > 2 and isinstance(error, FileNotFoundError):
        try:
            file.check_bucket()
        except OSError as reason:
            return reason.strerror
    return None


def exists(path: PathLike) -> bool:
    """Whether there is such a file or folder; JaxStyleError if a store does not say."""
    file = as_path(path)
    if isinstance(file, RemotePath):
        with path_in_errors(file, "read", JaxStyleError):
            return file.exists()
    return os.path.exists(file)  # Path.exists raises an error for names that are too long


def is_folder(path: PathLike) -> bool:
    """Whether there is such a folder; JaxStyleError if a store does not say."""
    with path_in_errors(path, "read", JaxStyleError) as folder:
        return folder.is_dir() if isinstance(folder, RemotePath) else os.path.isdir(folder)


def is_same_file(path: PathLike, other: PathLike) -> bool:
    """Whether two paths lead to the same file, which exists."""
    one, two = as_path(path), as_path(other)
    if isinstance(one, RemotePath) or isinstance(two, RemotePath):
        return one == two
    return os.path.exists(one) and os.path.exists(two) and os.path.samefile(one, two)


def list_folder(folder: Path) -> list[tuple[Path, bool]]:
    """What is in a folder, and whether it is a folder; OSError if it cannot be listed."""
    if isinstance(folder, RemotePath):
        return [*folder.entries()]
    return [(path, path.is_dir()) for path in folder.iterdir()]


def real_path(path: PathLike) -> Path:
    """The path with symbolic links resolved, which stores do not have."""
    file = as_path(path)
    return file if isinstance(file, RemotePath) else Path(os.path.realpath(file))


def file_identity(path: PathLike) -> list[int | str]:
    """What changes when a file does; empty if there is none that can be read.

    The size, and the times in nanoseconds of the last change of its bytes and of anything else; in a store, the size
    and a digest. JaxStyleError if a store does not answer.
    """
    file = as_path(path)
    if isinstance(file, RemotePath):
        with path_in_errors(file, "read", JaxStyleError), suppress(FileNotFoundError, PermissionError):
            return file.identity()
        return []
    with suppress(OSError):
        found = os.stat(file)
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    return []


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
    target = real_path(path)
    if isinstance(target, RemotePath):
        if overwrite:
            return target
    elif not target.parent.is_dir():
        raise error_class(f"{target.parent} is not a folder; create it, or choose another one")
    with suppress(FileNotFoundError):
        check_regular_file(target, error_class, "expected the name of a file: choose another name")
        if not overwrite:
            raise error_class("exists already; choose another name, or use --overwrite (in Python, overwrite=True)")
    return target


def check_target(path: Path, error_class: type[JaxStyleError], *, overwrite: bool) -> Path:
    """`resolve_target`, before any work: also OSError if the folder cannot be written to."""
    target = resolve_target(path, error_class, overwrite=overwrite)
    if isinstance(target, RemotePath):
        _check_store(target.parent)
    else:
        tempfile.TemporaryFile(dir=target.parent).close()
    return target


def write_atomically(target: Path, data: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it; OSError, and no new file, if that fails."""
    if isinstance(target, RemotePath):
        target.write_bytes(data)
        return
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


@lru_cache
def _check_store(folder: RemotePath) -> None:
    """Write an object and delete it; OSError if the store refuses."""
    probe = folder / f".jaxstyle-{os.urandom(8).hex()}.part"
    probe.write_bytes(b"")
    with suppress(OSError):  # who may write may perhaps not delete
        probe.unlink()
