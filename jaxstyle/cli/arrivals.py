"""`--watch`: wait until pictures of a job have arrived, changed or vanished."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jaxstyle.errors import JaxStyleError
from jaxstyle.images import file_identity
from jaxstyle.jobs import Task

_PAUSE = 2.0  # seconds between two looks at the folders; files that are being copied change meanwhile


@dataclass(frozen=True)
class PictureState:
    """The pairs of a job, and the size and time of each of their files."""

    tasks: list[Task]
    files: dict[Path, list[int | str]]

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Self:
        """The state of these pairs now."""
        files = dict.fromkeys(file for task in tasks for file in task.files)
        return cls(list(tasks), {file: file_identity(file) for file in files})


def wait_for_change(
    find_tasks: Callable[[], list[Task]], known: PictureState, report: Callable[[str], None]
) -> PictureState:
    """Wait until there are other pairs or files, and these stay the same from one look to the next.

    An error, such as that of a row in a manifest, is reported once when it stays the same: a manifest that is being
    written has one, too.
    """
    previous, error, reported = known, "", ""
    while True:
        began = time.monotonic()
        try:
            found = PictureState.of(find_tasks())
            if found == previous != known and found.tasks:
                return found
            previous, error, reported = found, "", ""
        except JaxStyleError as raised:
            if str(raised) == error != reported:
                report(error)
                reported = error
            error = str(raised)
        time.sleep(max(_PAUSE, 10 * (time.monotonic() - began)))
