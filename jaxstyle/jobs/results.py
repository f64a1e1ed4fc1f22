"""The results in a folder: which of them exist, and that they replace no other picture."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jaxstyle.errors import ConfigError, JaxStyleError, PictureError
from jaxstyle.images import RemotePath, list_folder, path_in_errors, real_path
from jaxstyle.jobs.records import has_job
from jaxstyle.jobs.tasks import Task


def existing_results(tasks: Sequence[Task], folder: Path) -> set[int]:
    """The pairs whose result exists. The folders are listed, because that is faster than a look at every file."""
    outputs = [os.path.split(task.output) for task in tasks]
    listed = {parent: _files(folder / parent) for parent in {parent for parent, _ in outputs}}
    return {pair for pair, (parent, name) in enumerate(outputs) if name in listed[parent]}


def check_output_folder(tasks: Sequence[Task], folder: Path, *, overwrite: bool, from_folders: bool) -> None:
    """Check that results replace nothing.

    Raises:
        ConfigError: if the folder, or one that it is in, is a file or a store that does not exist; if a result would
            replace a picture to read, or, for pairs `from_folders`, if the folder holds pictures to read.
        PictureError: if a file is there that no job has written, unless `overwrite` is set.
    """
    _check_place(folder)
    if from_folders and str(real_path(folder)) in {os.path.dirname(file) for file in _real_inputs(tasks)}:
        raise ConfigError(f"{folder} has pictures to read in it; choose another folder for the results")
    check_inputs_stay(tasks, folder)
    if overwrite or has_job(folder):
        return
    existing = existing_results(tasks, folder)
    for pair, task in enumerate(tasks):
        if pair in existing or os.path.exists(folder / task.output):
            path = folder / task.output
            raise PictureError(
                f"{path}: exists already, and no job wrote it; choose another folder, or replace it with --overwrite"
            )


def _check_place(folder: Path) -> None:
    """Raise ConfigError if there can be no such folder."""
    if isinstance(folder, RemotePath):
        with path_in_errors(folder, "written", ConfigError):
            folder.check_bucket()
        return
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not os.path.isdir(nearest):
        raise ConfigError(f"{nearest} is a file; expected a folder for the results: choose another name")


def check_inputs_stay(tasks: Sequence[Task], folder: Path) -> None:
    """Raise ConfigError if a result would replace a picture to read."""
    inputs = _real_inputs(tasks)
    parents = {os.path.dirname(task.output) for task in tasks}
    real_parents = {parent: str(real_path(folder / parent)) for parent in parents}
    links = {parent: _links(folder / parent) for parent in parents}
    for task in tasks:
        parent, name = os.path.split(task.output)
        path = f"{real_parents[parent]}{os.sep}{name}"
        if path in inputs or (name in links[parent] and os.path.realpath(path) in inputs):
            raise ConfigError(
                f"{folder / task.output} is one of the pictures to read; choose another name for the result"
            )


def _real_inputs(tasks: Sequence[Task]) -> set[str]:
    files = dict.fromkeys(file for task in tasks for file in task.files)
    return {str(real_path(file)) for file in files}


def _files(folder: Path) -> set[str]:
    """The names of the files in a folder; none if it cannot be listed. JaxStyleError if a store does not answer."""
    if isinstance(folder, RemotePath):
        with path_in_errors(folder, "read", JaxStyleError), suppress(FileNotFoundError):
            return {path.name for path, is_folder in list_folder(folder) if not is_folder}
        return set()
    with suppress(OSError), os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file()}
    return set()


def _links(folder: Path) -> set[str]:
    """The names of the symbolic links in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_symlink()}
    return set()
