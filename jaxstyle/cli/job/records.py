"""What a job has done: `results.jsonl` beside the results, to which one line is added for each pair, done or failed.

A pair is known by its key, a digest of all that its result depends on: the bytes of its files, the settings and the
network. The versions of jaxstyle and JAX are no part of it, so that an update does not undo a long job; each line tells
by which its result was made.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from jaxstyle.errors import JaxStyleError
from jaxstyle.files import naming

HIDDEN = ".jaxstyle"  # the folder, among the results, of what only an unfinished job needs
T = TypeVar("T")
_MISSING = "missing"  # in place of the digest of a file that cannot be read


@dataclass(frozen=True)
class Share:
    """Which of `count` processes that work on a job together this is, from 0."""

    index: int = 0
    count: int = 1

    def of(self, things: Sequence[T]) -> Sequence[T]:
        """Those that are this process's."""
        return things[self.index :: self.count]


def digests(files: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of each file's bytes, or a word for those that cannot be read.

    Of bytes, because times of change do not survive copying, and reading is quick beside anything done with a picture.
    """
    distinct = list(dict.fromkeys(files))
    with ThreadPoolExecutor() as threads:
        return dict(zip(distinct, threads.map(_digest, distinct), strict=True))


def _digest(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _MISSING


def pair_key(
    content: str, styles: Sequence[str], start: str | None, settings: Mapping[str, Any], network: Mapping[str, Any]
) -> str:
    """The key of a pair: of the digests of its files, the settings, and the network, whatever that is called."""
    parts = json.dumps([content, list(styles), start, settings, {**network, "name": None}], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The latest record of each result by its name, from all processes that ever worked in the folder.

    Lines that were cut short or damaged count for nothing.
    """
    records: list[dict[str, Any]] = []
    for file in sorted(folder.glob("results*.jsonl")):
        with naming(file, "read", JaxStyleError) as path:
            for line in path.read_bytes().split(b"\n"):
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and {"output", "key", "error", "ended"} <= record.keys():
                        records.append(record)
    return {record["output"]: record for record in sorted(records, key=lambda record: str(record["ended"]))}


class Records:
    """The record file of one process, open for adding lines; while it is, no other job works in the folder."""

    def __init__(self, folder: Path, share: Share):
        name = f"results-{share.index}.jsonl" if share.count > 1 else "results.jsonl"
        self.path = folder / name
        with naming(folder, "written", JaxStyleError):
            (folder / HIDDEN).mkdir(parents=True, exist_ok=True)
            self._lock = (folder / HIDDEN / "lock").open("ab")
            self._file = self.path.open("a+b", buffering=0)
        try:
            # Processes of one job share the folder; each has a file to itself.
            _lock(self._lock, fcntl.LOCK_SH if share.count > 1 else fcntl.LOCK_EX, folder)
            _lock(self._file, fcntl.LOCK_EX, folder)
            self._repair()
        except BaseException:
            self.close()
            raise

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a line, with the time; JaxStyleError, and no part of it, if that cannot be done."""
        line = json.dumps({**record, "ended": datetime.now(UTC).isoformat()}) + "\n"
        with naming(self.path, "written", JaxStyleError):
            size = os.fstat(self._file.fileno()).st_size
            try:
                data = memoryview(line.encode())
                while data:
                    data = data[self._file.write(data) :]
                os.fsync(self._file.fileno())
            except OSError:
                self._file.truncate(size)
                raise

    def close(self) -> None:
        """Let others work in the folder."""
        self._file.close()
        self._lock.close()

    def _repair(self) -> None:
        """Cut off a last line that a process which was killed did not finish."""
        self._file.seek(0)
        data = self._file.read()
        if not data.endswith(b"\n"):
            self._file.truncate(data.rfind(b"\n") + 1)


def _lock(file: BinaryIO | Any, kind: int, folder: Path) -> None:
    """Take a lock that the system lets go when the process ends, however it does."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JaxStyleError(
            f"{folder} has another job at work in it; wait until that has ended, or choose another folder"
        ) from None
    except OSError:  # some network file systems have no locks
        return
