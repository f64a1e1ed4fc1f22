"""The digests and shapes of a job's files, each read once and remembered in the folder of the results."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jaxstyle.batch import Shape
from jaxstyle.errors import JaxStyleError
from jaxstyle.files import is_saved_style
from jaxstyle.images import RemotePath, as_path, file_identity, path_in_errors, read_shape, write_atomically
from jaxstyle.jobs.records import STATE_FOLDER

_MISSING = "missing"  # instead of the digest of a file that cannot be read
_THREADS = 32  # most of the time is spent waiting for a disk or a network
_NEW = 2 * 10**9  # nanoseconds; a file that has just been written can change again without changing its times


@dataclass(frozen=True)
class FileFacts:
    """What a plan needs to know of a file.

    Attributes:
        digest: the SHA-256 of its bytes, or a placeholder if it cannot be read.
        shape: the height and width of a picture; None if it is none, or damaged.
    """

    digest: str
    shape: Shape | None


class KnownFiles:
    """Looks at each file once, and remembers what it found for as long as the file's size and times stay the same."""

    def __init__(self, folder: Path):
        self._path = folder / STATE_FOLDER / "pictures.json"
        self._facts: dict[Path, FileFacts] = {}
        self._known: dict[str, list] = {}
        self._is_new = False
        with suppress(OSError, ValueError, RecursionError):
            known = json.loads(self._path.read_bytes())
            self._known = known if isinstance(known, dict) else {}

    def __getitem__(self, file: Path) -> FileFacts:
        """The facts of a file; those of many files are found faster by `find` before."""
        facts = self._facts.get(file)
        if facts is None:
            facts = self._facts[file] = self._look_up(file)
        return facts

    def find(self, files: Iterable[Path]) -> None:
        """Look at files in several threads."""
        unknown = [file for file in dict.fromkeys(files) if file not in self._facts]
        with ThreadPoolExecutor(_THREADS) as threads:
            self._facts.update(zip(unknown, threads.map(self._look_up, unknown), strict=True))

    def save(self) -> None:
        """Remember the facts for the next run, if the folder of the results has a job."""
        if self._is_new and (isinstance(self._path, RemotePath) or self._path.parent.is_dir()):
            with path_in_errors(self._path, "written", JaxStyleError):
                write_atomically(self._path, json.dumps(self._known).encode())
            self._is_new = False

    def _look_up(self, file: Path) -> FileFacts:
        path = as_path(file)
        name = str(path) if isinstance(path, RemotePath) else os.path.abspath(path)
        identity = file_identity(path)
        with suppress(TypeError, ValueError, KeyError):
            *known_identity, digest, height, width = self._known[name]
            if known_identity == identity:
                return FileFacts(str(digest), (int(height), int(width)) if height else None)
        facts = _read(file)
        is_sound = facts.digest != _MISSING and (facts.shape is not None or is_saved_style(file))
        if is_sound and identity == file_identity(path) and _is_settled(identity):
            self._known[name] = [*identity, facts.digest, *(facts.shape or (0, 0))]
            self._is_new = True
        return facts


def _is_settled(identity: list[int | str]) -> bool:
    """Whether the times in the identity of a file are past; stores have digests, which are texts."""
    return all(time.time_ns() - changed > _NEW for changed in identity[1:] if isinstance(changed, int))


def _read(file: Path) -> FileFacts:
    try:
        with as_path(file).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        digest = _MISSING
    if is_saved_style(file):
        return FileFacts(digest, None)
    try:
        return FileFacts(digest, read_shape(file))
    except JaxStyleError:
        return FileFacts(digest, None)
