"""The record of a job: `results.jsonl` beside the results, with one line for each pair that is done or has failed.

In an object store, where nothing can be appended, it is a folder `records` with an object for each of these lines.

A pair has a key, a digest of everything that its result depends on: the bytes of its files, the settings and the
network. The versions of jaxstyle and JAX are not part of it, so that an update does not discard a long job; each line
says with which versions its result was made. For the same reason, a setting that came with a later version is part of
the key only if its value makes another picture than the versions before it.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jaxstyle.errors import JaxStyleError
from jaxstyle.images import RemotePath, is_folder, path_in_errors
from jaxstyle.jobs.record_objects import OBJECTS, RecordObjects, iterate_objects, parse_record
from jaxstyle.jobs.shares import Share

# Settings that came after the first keys, and the values that earlier versions worked with. They never change, whatever
# the defaults become. A new setting belongs here.
VALUES_BEFORE: dict[str, float | str | None] = {
    "strength": 1.0,
    "rotate_style": 0.0,
    "grain_weight": 0.0,
    "tile_size": None,
    "bits": 8,
    "dpi": None,
    "profile": "srgb",
}
STATE_FOLDER = ".jaxstyle"  # the folder among the results for what only an unfinished job needs


def pair_key(content: str, styles: Sequence[str], others: Sequence[str | None], settings: str) -> str:
    """The key of a pair, from the digests of its files, and its settings and network from `format_settings`.

    The other files are the initial picture and the strength mask, with None for one that there is not.
    """
    initial_picture, strength_mask = others
    files = json.dumps([content, list(styles), initial_picture])
    mask = f", {json.dumps([strength_mask])[1:]}" if strength_mask else "]"  # came later, as `VALUES_BEFORE`
    return hashlib.sha256(f"{files[:-1]}, {settings[1:-1]}{mask}".encode()).hexdigest()


def format_settings(settings: Mapping[str, Any], network: Mapping[str, Any]) -> str:
    """What a pair's key depends on besides its files, as text: the settings, and the network without its name."""
    known = {
        name: value for name, value in settings.items() if name not in VALUES_BEFORE or value != VALUES_BEFORE[name]
    }
    return json.dumps([known, {**network, "name": None}], sort_keys=True)


def has_job(folder: Path) -> bool:
    """Whether a job ever worked in the folder."""
    return is_folder(folder / STATE_FOLDER) or (isinstance(folder, RemotePath) and is_folder(folder / OBJECTS))


def iterate_records(folder: Path) -> Iterator[dict[str, Any]]:
    """All records of all processes that ever worked in the folder; see `read_records`."""
    if isinstance(folder, RemotePath):
        yield from iterate_objects(folder / OBJECTS)
        return
    with path_in_errors(folder, "read", JaxStyleError):
        files = sorted(folder.glob("results*.jsonl"))
    for file in files:
        latest = ""
        with path_in_errors(file, "read", JaxStyleError) as path, path.open("rb") as lines:
            for record in map(parse_record, lines):
                if record:
                    latest = max(latest, str(record["ended"]))
                    yield record | {"ended": latest}


def read_records(folder: Path, *, fields: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """The latest record of each result by its name, from all processes that ever worked in the folder.

    Lines that are incomplete or damaged are ignored. A line counts as later than the lines before it in its file,
    although the clock may have been set back.

    Args:
        folder: the folder of the results.
        fields: what to keep of each record; by default everything, which takes several kilobytes.
    """
    latest: dict[str, str] = {}
    records: dict[str, dict[str, Any]] = {}
    for record in iterate_records(folder):
        output, ended = record["output"], record["ended"]
        if ended >= latest.get(output, ""):
            latest[output] = ended
            records[output] = record if fields is None else {name: record[name] for name in fields}
    return records


def open_records(folder: Path, share: Share) -> "Records | RecordObjects":
    """The records of a share, to add to.

    Raises:
        JaxStyleError: if a process works on this share, or on another split of the job, as far as locks can tell.
    """
    return RecordObjects(folder) if isinstance(folder, RemotePath) else Records(folder, share)


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
    if isinstance(folder, RemotePath) or not _lock_file(folder, share).exists():
        return False
    try:
        with FileLock(state / "lock", timeout=10), FileLock(_lock_file(folder, share), timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def _lock_file(folder: Path, share: Share) -> Path:
    return folder / STATE_FOLDER / f"{share.name}.lock"


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
