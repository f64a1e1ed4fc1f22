"""The record of a job: `results.jsonl` beside the results, with one line for each pair that is done or has failed.

A pair has a key, a digest of everything that its result depends on: the bytes of its files, the settings and the
network. The versions of jaxstyle and JAX are not part of it, so that an update does not discard a long job; each line
says with which versions its result was made.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jaxstyle.errors import JaxStyleError
from jaxstyle.images import path_in_errors
from jaxstyle.jobs.shares import Share

STATE_FOLDER = ".jaxstyle"  # the folder among the results for what only an unfinished job needs
_MISSING = "missing"  # instead of the digest of a file that cannot be read


def file_digests(files: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of each file, or a placeholder for files that cannot be read.

    Not the modification time, which copying changes; reading a file is fast compared with anything else done to it.
    """
    distinct = list(dict.fromkeys(files))
    with ThreadPoolExecutor() as threads:
        return dict(zip(distinct, threads.map(_digest, distinct), strict=True))


def _digest(path: Path) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _MISSING


def pair_key(
    content: str,
    styles: Sequence[str],
    others: Sequence[str | None],
    settings: Mapping[str, Any],
    network: Mapping[str, Any],
) -> str:
    """The key of a pair, from the digests of its files, the settings, and the network without its name.

    The other files are the initial picture and the strength mask, with None for one that there is not.
    """
    identity = json.dumps([content, list(styles), list(others), settings, {**network, "name": None}], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The latest record of each result by its name, from all processes that ever worked in the folder.

    Lines that are incomplete or damaged are ignored. A line counts as later than the lines before it in its file,
    although the clock may have been set back.
    """
    records: list[dict[str, Any]] = []
    with path_in_errors(folder, "read", JaxStyleError):
        files = sorted(folder.glob("results*.jsonl"))
    for file in files:
        latest = ""
        with path_in_errors(file, "read", JaxStyleError) as path:
            for line in path.read_bytes().split(b"\n"):
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict) and {"output", "key", "error", "ended"} <= record.keys():
                        latest = max(latest, str(record["ended"]))
                        records.append(record | {"ended": latest})
    return {record["output"]: record for record in sorted(records, key=lambda record: record["ended"])}


class Records:
    """The record file of one share, open for appending; it locks the share, and the folder against other jobs.

    The file is created with its first record, so that a job that is refused leaves nothing behind. Where the file
    system has no locks, a share that runs twice is computed twice, and the last result and record of a pair count.
    """

    def __init__(self, folder: Path, share: Share):
        name = f"results-{share.index}.jsonl" if share.count > 1 else "results.jsonl"
        self.path = folder / name
        self._created = [path for path in (folder / STATE_FOLDER, folder) if not os.path.exists(path)]
        self._lock: FileLock | None = None
        with path_in_errors(folder, "written", JaxStyleError):
            (folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        try:
            self._lock = _lock(folder, share)
            if self.is_locked and self.path.exists():
                self._repair()
        except BaseException:
            self.close()
            raise

    @property
    def is_locked(self) -> bool:
        """Whether no other process can work on this share, or on another split of the job."""
        return self._lock is not None

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record with the current time; JaxStyleError, and no incomplete line, if that fails."""
        line = json.dumps({**record, "ended": datetime.now(UTC).isoformat()}) + "\n"
        with path_in_errors(self.path, "written", JaxStyleError), self.path.open("ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                data = memoryview(line.encode())
                while data:
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise

    def close(self) -> None:
        """Unlock the folder, and remove it if it is new and nothing was written."""
        if self._lock:
            self._lock.release()
        if not self.path.exists():
            # filelock deletes the files of locks on some systems only.
            for file in ("lock", Path(self._lock.lock_file).name if self._lock else "lock"):
                with suppress(OSError):
                    (self.path.parent / STATE_FOLDER / file).unlink()
            for folder in self._created:
                with suppress(OSError):  # it is not empty
                    folder.rmdir()

    def _repair(self) -> None:
        """Remove an incomplete last line, which a killed process leaves behind."""
        with path_in_errors(self.path, "written", JaxStyleError), self.path.open("r+b") as file:
            data = file.read()
            if not data.endswith(b"\n"):
                file.truncate(data.rfind(b"\n") + 1)


def is_running(folder: Path, share: Share) -> bool:
    """Whether a process works on this share at the moment, as far as locks can tell."""
    state = folder / STATE_FOLDER
    if not _lock_file(folder, share).exists():
        return False
    try:
        with FileLock(state / "lock", timeout=10), FileLock(_lock_file(folder, share), timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def _lock_file(folder: Path, share: Share) -> Path:
    return folder / STATE_FOLDER / f"{share.index}-of-{share.count}.lock"


def _lock(folder: Path, share: Share) -> FileLock | None:
    """Lock the folder for a share of a job; the system releases the lock when the process ends in any way.

    Raises:
        JaxStyleError: if a process works on this share, or on another split of the job.
    """
    state = folder / STATE_FOLDER
    lock = FileLock(_lock_file(folder, share), timeout=0, thread_local=False)
    try:
        with FileLock(state / "lock", timeout=10):  # processes that start look at the others one at a time
            for other in state.glob("*-of-*.lock"):
                if not other.name.endswith(f"-of-{share.count}.lock"):
                    with FileLock(other, timeout=0):
                        pass
            lock.acquire()
    except Timeout:
        running = "another job is running" if share.count == 1 else f"share {share}, or another job, is running"
        raise JaxStyleError(f"{running} in {folder}; wait until it has ended, or choose another folder") from None
    except (OSError, NotImplementedError):  # some network file systems have no locks
        return None
    return lock
