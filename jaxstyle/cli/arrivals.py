"""`--watch`: wait until pictures of a job have arrived, changed or vanished."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jaxstyle.errors import ConfigError
from jaxstyle.jobs import Task

_PAUSE = 2.0  # seconds between two looks at the folders; files that are being copied change meanwhile


@dataclass(frozen=True)
class PictureState:
    """The pairs of a job, and the size and time of each of their files."""

    tasks: list[Task]
    files: dict[Path, tuple[int, int] | None]

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Self:
        """The state of these pairs now."""
        files = dict.fromkeys(file for task in tasks for file in task.files)
        return cls(list(tasks), {file: _size_and_time(file) for file in files})


def wait_for_change(find_tasks: Callable[[], list[Task]], known: PictureState) -> PictureState:
    """Wait until there are other pairs or files, and these stay the same from one look to the next."""
    previous = known
    while True:
        began = time.monotonic()
        with suppress(ConfigError):  # such as a manifest that is being written
            found = PictureState.of(find_tasks())
            if found == previous != known:
                return found
            previous = found
        time.sleep(max(_PAUSE, 10 * (time.monotonic() - began)))


def _size_and_time(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(os.path.expanduser(file))
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
