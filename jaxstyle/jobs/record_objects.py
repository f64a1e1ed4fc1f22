"""The record of a job in an object store, where nothing can be appended: an object for each line of it.

`records/OUTPUT/NUMBER.json` is written once, under the next number of its result that is free; the store decides which
of several writers gets a number. A request for each of 100,000 objects takes minutes: `records/merged.jsonl.gz` has
copies of those that were read before.
"""

import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from jaxstyle.errors import JaxStyleError
from jaxstyle.images import RemotePath, path_in_errors

OBJECTS = "records"  # their folder among the results
_MERGED = "merged.jsonl.gz"
_FEW = 200  # objects that are read one by one, and not merged
_THREADS = 32  # to read objects


class RecordObjects:
    """The records in a store, to add to.

    A store has no locks: a share that runs twice is computed twice, and the last result and record of a pair count.
    """

    is_locked = False

    def __init__(self, folder: RemotePath):
        self.path = folder / OBJECTS

    def add(self, record: Mapping[str, Any]) -> None:
        """Write a record with the current time; JaxStyleError if that fails."""
        data = json.dumps({**record, "ended": datetime.now(UTC).isoformat()}).encode()
        folder = self.path / record["output"]
        with path_in_errors(folder, "written", JaxStyleError):
            numbers: list[int] = []
            with suppress(FileNotFoundError):
                numbers = [_number(file.name) for file in folder.iterdir()]
            for number in itertools.count(max(numbers, default=0) + 1):
                file = folder / f"{number}.json"
                try:
                    file.create(data)
                except FileExistsError:
                    if file.read_bytes() != data:  # else the answer to an earlier try was lost
                        continue
                break

    def close(self) -> None:
        """Do nothing."""


def iterate_objects(folder: RemotePath) -> Iterator[dict[str, Any]]:
    """The records in the objects of a folder; those about one result in the order of their numbers."""
    with path_in_errors(folder, "read", JaxStyleError):
        names = {str(file.relative_to(folder)) for file in folder.find()}
        merged = (folder / _MERGED).read_bytes() if _MERGED in names else b""
    latest: dict[str, str] = {}

    def in_order(record: dict[str, Any]) -> dict[str, Any]:
        """The record with a time that is not before those of the records before it."""
        ended = latest[record["output"]] = max(latest.get(record["output"], ""), str(record["ended"]))
        return record | {"ended": ended}

    known: set[str] = set()
    try:
        with gzip.open(io.BytesIO(merged)) as copies:
            for name, record in map(json.loads, copies):
                known.add(name)
                if name in names and record:
                    yield in_order(record)
    except (OSError, EOFError, zlib.error, ValueError):
        merged = b""  # it is damaged; the others are read from their objects
    new = sorted(filter(_number, names - known), key=lambda name: (str(PurePosixPath(name).parent), _number(name)))
    lines: list[str] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        for name, record in zip(new, threads.map(_read, [folder / name for name in new]), strict=True):
            lines.append(json.dumps([name, record]) + "\n")
            if record:
                yield in_order(record)
    if len(lines) > _FEW:
        with suppress(OSError):
            (folder / _MERGED).write_bytes(merged + gzip.compress("".join(lines).encode()))


def _read(file: RemotePath) -> dict[str, Any] | None:
    with path_in_errors(file, "read", JaxStyleError):
        return parse_record(file.read_bytes())


def parse_record(line: bytes) -> dict[str, Any] | None:
    """The record in a line; None if it is incomplete or damaged."""
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict) and {"output", "key", "error", "ended"} <= record.keys():
            return record
    return None


def _number(name: str) -> int:
    """The number of an object of records, from 1; 0 if it is none."""
    path = PurePosixPath(name)
    return int(path.stem) if path.suffix == ".json" and path.stem.isdecimal() else 0
