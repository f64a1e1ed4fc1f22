"""The record of a job: `results.jsonl` beside the results, with one line for each pair that is done or has failed.

A pair has a key, a digest of everything that its result depends on: the bytes of its files, the settings and the
network. The versions of jaxstyle and JAX are not part of it, so that an update does not discard a long job; each line
says with which versions its result was made.
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
from jaxstyle.images import path_in_errors

STATE_FOLDER = ".jaxstyle"  # the folder among the results for what only an unfinished job needs
T = TypeVar("T")
_MISSING = "missing"  # instead of the digest of a file that cannot be read


@dataclass(frozen=True)
class Share:
    """The part of a job that one process computes: number `index`, from 0, of `count` parts."""

    index: int = 0
    count: int = 1

    def select(self, items: Sequence[T]) -> Sequence[T]:
        """The items of this share."""
        return items[self.index :: self.count]


def file_digests(files: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of each file, or a placeholder for files that cannot be read.

    Not the modification time, which copying changes; reading a file is fast compared with anything else done to it.
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
    content: str,
    styles: Sequence[str],
    initial_picture: str | None,
    settings: Mapping[str, Any],
    network: Mapping[str, Any],
) -> str:
    """The key of a pair, from the digests of its files, the settings, and the network without its name."""
    identity = json.dumps([content, list(styles), initial_picture, settings, {**network, "name": None}], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The latest record of each result by its name, from all processes that ever worked in the folder.

    Lines that are incomplete or damaged are ignored.
    """
    records: list[dict[str, Any]] = []
    for file in sorted(folder.glob("results*.jsonl")):
        with path_in_errors(file, "read", JaxStyleError) as path:
            for line in path.read_bytes().split(b"\n"):
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and {"output", "key", "error", "ended"} <= record.keys():
                        records.append(record)
    return {record["output"]: record for record in sorted(records, key=lambda record: str(record["ended"]))}


class Records:
    """The record file of one process, open for appending; it locks the folder against other jobs."""

    def __init__(self, folder: Path, share: Share):
        name = f"results-{share.index}.jsonl" if share.count > 1 else "results.jsonl"
        self.path = folder / name
        with path_in_errors(folder, "written", JaxStyleError):
            (folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
            self._lock = (folder / STATE_FOLDER / "lock").open("ab")
            self._file = self.path.open("a+b", buffering=0)
        try:
            # The processes of one job share the folder; each has its own file.
            _lock(self._lock, fcntl.LOCK_SH if share.count > 1 else fcntl.LOCK_EX, folder)
            _lock(self._file, fcntl.LOCK_EX, folder)
            self._repair()
        except BaseException:
            self.close()
            raise

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record with the current time; JaxStyleError, and no incomplete line, if that fails."""
        line = json.dumps({**record, "ended": datetime.now(UTC).isoformat()}) + "\n"
        with path_in_errors(self.path, "written", JaxStyleError):
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
        """Close the file and unlock the folder."""
        self._file.close()
        self._lock.close()

    def _repair(self) -> None:
        """Remove an incomplete last line, which a killed process leaves behind."""
        self._file.seek(0)
        data = self._file.read()
        if not data.endswith(b"\n"):
            self._file.truncate(data.rfind(b"\n") + 1)


def _lock(file: BinaryIO | Any, kind: int, folder: Path) -> None:
    """Take a lock, which the system releases when the process ends in any way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JaxStyleError(
            f"another job is running in {folder}; wait until it has ended, or choose another folder"
        ) from None
    except OSError:  # some network file systems have no locks
        return
