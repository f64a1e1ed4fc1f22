"""Files in object stores, by URL: the one module that knows of URLs; everything else deals with paths.

A store is reached through fsspec, by whatever package it names for the protocol: s3fs for `s3://`, gcsfs for `gs://`.
(`etils.epath` knows four protocols, and can neither create an object by condition nor tell one version of it from
another.) Objects are read and written whole, by calls that are repeated after passing errors.
"""

import errno
import glob
import hashlib
import io
import logging
import os
import random
import re
import stat
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PosixPath
from typing import Any, Self

from jaxstyle.errors import ConfigError

PathLike = str | os.PathLike[str]

# pathlib turns the two slashes of a URL into one. Protocols have two letters or more: `c:/` is a drive.
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/(/?)", re.IGNORECASE)
_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds between tries; fsspec's packages try a few times by themselves
_PERMANENT = FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError
_PASSING_NUMBERS = {None, errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ENOBUFS, getattr(errno, "EREMOTEIO", errno.EIO)}
# Errors of HTTP libraries that are no OSErrors, by name, because none of these libraries has to be installed.
_PASSING_NAMES = re.compile("Connect|Timeout|Incomplete|Payload|Transport|SSL|Proxy")
_PASSING_CODES = {408, 429, *range(500, 600)}  # of HTTP
_SILENT = logging.NullHandler()  # otherwise Python prints what a library logs, with tracebacks
_REASONS = {
    FileNotFoundError: (errno.ENOENT, "there is no such object"),
    PermissionError: (errno.EACCES, "the store refuses access"),
    FileExistsError: (errno.EEXIST, "the object exists"),
}


def as_path(path: PathLike) -> Path:
    """The path with ~ expanded, or a `RemotePath` for a URL; also for one that `pathlib` has left one slash.

    Raises:
        ConfigError: for a URL of an unknown protocol, or whose package is not installed.
    """
    if isinstance(path, RemotePath):
        return path
    text = os.path.expanduser(path)
    match = _URL.match(text)
    if not match:
        return Path(text)
    if match[1] in ("file", "local"):
        return Path("/", text[match.end() :])
    if not match[2] and not _is_known(match[1]):  # a folder whose name ends in a colon
        return Path(text)
    remote = RemotePath(text)
    remote.file_system()
    return remote


def join_path(folder: Path, name: str) -> Path:
    """The path of a name in a folder; the name may also be an absolute path or a URL."""
    path = as_path(name)
    if isinstance(path, RemotePath) or path.is_absolute():
        return path
    return RemotePath(os.path.normpath(folder / path)) if isinstance(folder, RemotePath) else folder / path  # no `..`


class RemotePath(PosixPath):
    """An object in a store, or a prefix of objects as a folder, with those methods of a path that jaxstyle calls.

    Its text is the URL. All methods raise OSError with a reason; those that read or write try again for a minute.
    """

    def __str__(self) -> str:
        return re.sub(":/+", "://", super().__str__(), count=1)

    def __fspath__(self) -> str:
        return str(self)

    def is_absolute(self) -> bool:
        """True."""
        return True

    def file_system(self) -> Any:
        """The fsspec file system; ConfigError if there is none."""
        return _file_system(self.parts[0].removesuffix(":"), str(self))

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """The bytes of the object, to read."""
        if mode != "rb":
            raise OSError(errno.EINVAL, f"objects cannot be opened as {mode!r}")
        return io.BytesIO(self.read_bytes())

    def read_bytes(self) -> bytes:
        """The bytes of the object."""
        return self._call("cat_file")

    def write_bytes(self, data: Any) -> int:
        """Write the object, whole or not at all."""
        self._call("pipe_file", data)
        return len(data)

    def create(self, data: bytes) -> None:
        """Write the object if there is none, which stores decide for one of several writers; else FileExistsError."""
        self._call("pipe_file", data, mode="create")

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            self._call("rm_file")
        except FileNotFoundError:
            if not missing_ok:
                raise

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: stores have no folders."""

    def identity(self) -> list[int | str]:
        """The size and the digest of what the store knows of this version of the object."""
        found = self._call("info")
        return [found["size"], hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()]

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """The kind and size; everything else is 0."""
        found = self._call("info")
        kind = stat.S_IFDIR if found["type"] == "directory" else stat.S_IFREG
        return os.stat_result((kind, 0, 0, 0, 0, 0, found["size"] or 0, 0, 0, 0))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is such an object, or one in such a folder."""
        return self._kind() != 0

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there are objects in such a folder."""
        return self._kind() == stat.S_IFDIR

    def _kind(self) -> int:
        try:
            return stat.S_IFMT(self.stat().st_mode)
        except FileNotFoundError:
            return 0

    def check_bucket(self) -> None:
        """OSError, with a reason, if the bucket does not exist; of one that may not be looked at, nothing is known."""
        bucket = type(self)(*self.parts[:2])
        with suppress(PermissionError):
            try:
                bucket.stat()
            except FileNotFoundError:
                raise OSError(errno.ENOENT, f"{bucket} does not exist") from None

    def entries(self) -> list[tuple[Self, bool]]:
        """What is directly in the folder, and whether it is a folder."""
        entries = [(self._of(found["name"]), found["type"] == "directory") for found in self._call("ls", detail=True)]
        return [(path, is_folder) for path, is_folder in entries if path.parent == self]

    def iterdir(self) -> Generator[Self, None, None]:
        """What is directly in the folder."""
        return (path for path, _ in self.entries())

    def find(self) -> list[Self]:
        """All objects in the folder and in those in it; none if there is no such folder."""
        return [self._of(name) for name in self._call("find")]

    def matches(self) -> list[Self]:
        """The objects that a pattern matches. (Without the glob of fsspec, which takes errors for empty folders.)"""
        count = next((index for index, name in enumerate(self.parts) if glob.has_magic(name)), len(self.parts))
        paths = type(self)(*self.parts[:count])._below(self.parts[count:])
        return [path for path in paths if count < len(self.parts) or path.exists()]

    def _below(self, patterns: Sequence[str]) -> Generator[Self, None, None]:
        """The objects that these patterns, each for a name, match within the folder."""
        if not patterns:
            yield self
            return
        if patterns[0] == "**" and patterns[1:]:
            yield from self._below(patterns[1:])
        with suppress(FileNotFoundError):
            for path, is_folder in self.entries():
                if patterns[0] == "**":
                    if is_folder:
                        yield from path._below(patterns)
                    elif not patterns[1:]:
                        yield path
                elif fnmatchcase(path.name, patterns[0]) and is_folder == bool(patterns[1:]):
                    yield from path._below(patterns[1:])

    def _of(self, name: str) -> Self:
        """The path of an object that fsspec names, with or without the protocol."""
        return type(self)(f"{self.parts[0]}//{name.split('://')[-1].lstrip('/')}")

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system with this URL."""
        return _with_retries(lambda: getattr(self.file_system(), method)(str(self), *arguments, **options))


def _with_retries(call: Callable[[], Any]) -> Any:
    """The result of a call, which is repeated after passing errors; OSError, with a reason, if they do not pass."""
    for wait in (*_WAITS, None):
        try:
            return call()
        except ConfigError:
            raise
        except Exception as error:  # of many libraries
            if wait is None or not _is_passing(error):
                raise _with_reason(error) from error
            time.sleep(wait * random.uniform(0.5, 1))  # many machines should not try again at the same moment
    raise AssertionError


def _is_passing(error: Exception) -> bool:
    if not isinstance(error, OSError):
        return bool(_PASSING_NAMES.search(type(error).__name__)) or getattr(error, "code", None) in _PASSING_CODES
    is_transient = isinstance(error, ConnectionError | TimeoutError) or error.errno in _PASSING_NUMBERS
    return is_transient and not isinstance(error, _PERMANENT) and not _is_refusal(error)


def _is_refusal(error: Exception) -> bool:
    """Whether access is refused, for which gcsfs has no kind of error."""
    return isinstance(error, PermissionError) or (isinstance(error, OSError) and str(error).startswith("Forbidden"))


def _with_reason(error: Exception) -> OSError:
    """The error as an OSError of the same kind, whose `strerror` is the reason."""
    for kind, (number, reason) in _REASONS.items():
        if isinstance(error, kind) or (kind is PermissionError and _is_refusal(error)):
            return OSError(number, reason)
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
    return OSError(errno.EIO, reason or type(error).__name__)


@lru_cache
def _is_known(protocol: str) -> bool:
    try:
        import fsspec
    except ImportError:
        return False
    return protocol in fsspec.available_protocols()


@lru_cache
def _file_system_of(protocol: str) -> Any:
    # One for all threads: fsspec would make one, with connections, for each. Its listings would become outdated.
    import fsspec

    implementation = fsspec.get_filesystem_class(protocol)
    for package in ("fsspec", implementation.__module__.partition(".")[0], "google"):
        logging.getLogger(package).addHandler(_SILENT)
    return implementation(use_listings_cache=False)


def _file_system(protocol: str, url: str) -> Any:
    try:
        return _file_system_of(protocol)
    except ImportError as error:
        advice = 'pip install "jaxstyle[remote]"'
        raise ConfigError(f"{url}: a package for {protocol}:// is not installed ({error}); run: {advice}") from error
    except Exception as error:
        expected = "expected s3://, gs:// or another store that fsspec knows"
        raise ConfigError(f"{url}: {protocol}:// cannot be used ({error}); {expected}") from error
