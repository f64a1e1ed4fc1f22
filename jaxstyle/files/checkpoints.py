"""Checkpoints of optimizations, by orbax: the whole state of the solver, from which a run resumes bit for bit."""

import io
import shutil
import tarfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxStyleError
from jaxstyle.images import RemotePath, path_in_errors
from jaxstyle.optimization import Progress, Terms, solver


def snapshot(progress: Progress) -> Progress:
    """A copy on the host, because the solver donates its state to the next step."""
    return replace(progress, state=jax.tree.map(np.array, progress.state))


class Checkpoints:
    """The last checkpoint of each of several optimizations, by name, in one folder."""

    def __init__(self, folder: Path):
        self._folder = folder

    def save(self, name: str, progress: Progress) -> None:
        """Save a `snapshot` in place of the previous one, which stays if the process is killed meanwhile.

        Raises:
            JaxStyleError: if it cannot be written.
        """
        folder = self._folder / name
        with path_in_errors(folder, "written", JaxStyleError):
            folder.mkdir(parents=True, exist_ok=True)
        numbers = [progress.size, progress.level, progress.levels, progress.step, progress.steps]
        tree = {
            "numbers": np.array(numbers),
            "history": _numbered(jax.tree.leaves(progress.history)),
            "state": _numbered(jax.tree.leaves(progress.state)),
        }
        try:
            with _manager(folder) as manager:
                import orbax.checkpoint as ocp

                # Must increase with every checkpoint, or orbax skips it.
                number = progress.history.total.shape[-1] + progress.level
                manager.save(number, args=ocp.args.StandardSave(tree))
        except Exception as error:  # of many types, when a disk is full
            reason = " ".join(str(error).split())[:200]
            raise JaxStyleError(f"{folder}: checkpoint cannot be written ({reason}); check the disk") from error

    def load(self, name: str, *, optimizer: str) -> Progress | None:
        """The saved progress; None if there is none, or none that can be read."""
        folder = self._folder / name
        if not folder.is_dir():
            return None
        for unfinished in folder.glob("*tmp*"):  # of which orbax would otherwise warn
            shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(Exception):  # a damaged checkpoint: the optimization starts again
            with _manager(folder) as manager:
                import orbax.checkpoint as ocp

                tree = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore())
            return _progress(tree, optimizer)
        return None

    def drop(self, name: str) -> None:
        """Delete the checkpoint of an optimization."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def drop_all(self, condition: Callable[[str], bool]) -> None:
        """Delete all checkpoints whose names meet a condition."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if condition(folder.name):
                    self.drop(folder.name)


class CheckpointObjects:
    """As `Checkpoints`, in an object store: an object for each, an archive of the folder that orbax would write."""

    def __init__(self, folder: RemotePath):
        self._folder = folder

    def save(self, name: str, progress: Progress) -> None:
        """Save a `snapshot` in place of the previous one; JaxStyleError if it cannot be written."""
        archive = io.BytesIO()
        with TemporaryDirectory() as scratch:
            Checkpoints(Path(scratch)).save(name, progress)
            with tarfile.open(fileobj=archive, mode="w") as writer:
                writer.add(Path(scratch, name), name)
        with path_in_errors(self._object(name), "written", JaxStyleError) as file:
            file.write_bytes(archive.getvalue())

    def load(self, name: str, *, optimizer: str) -> Progress | None:
        """The saved progress; None if there is none, or none that can be read."""
        with TemporaryDirectory() as scratch:
            with suppress(OSError, tarfile.TarError):
                archive = io.BytesIO(self._object(name).read_bytes())
                with tarfile.open(fileobj=archive) as reader:
                    reader.extractall(scratch, filter="data")
            return Checkpoints(Path(scratch)).load(name, optimizer=optimizer)

    def drop(self, name: str) -> None:
        """Delete the checkpoint of an optimization."""
        with suppress(OSError):
            self._object(name).unlink(missing_ok=True)

    def drop_all(self, condition: Callable[[str], bool]) -> None:
        """Delete all checkpoints whose names meet a condition."""
        with suppress(OSError):
            for file in self._folder.iterdir():
                if condition(file.stem):
                    self.drop(file.stem)

    def _object(self, name: str) -> RemotePath:
        return self._folder / f"{name}.tar"


def open_checkpoints(folder: Path) -> Checkpoints | CheckpointObjects:
    """The checkpoints in a folder, or in one of a store."""
    return CheckpointObjects(folder) if isinstance(folder, RemotePath) else Checkpoints(folder)


class GroupCheckpoints:
    """The checkpoints of one optimization, which a pool of threads writes one after another."""

    def __init__(self, checkpoints: Checkpoints | CheckpointObjects, name: str, writers: ThreadPoolExecutor):
        self._checkpoints, self._name, self._writers = checkpoints, name, writers
        self._saved_at = time.monotonic()
        self._saving: Future[None] | None = None

    def load(self, optimizer: str) -> Progress | None:
        """The progress to resume from, if there is any."""
        return self._checkpoints.load(self._name, optimizer=optimizer)

    def save_if_due(self, progress: Progress, seconds: float) -> None:
        """Begin to save, if the last checkpoint is on disk and this long ago; raise its error if it is not."""
        if time.monotonic() - self._saved_at < seconds or (self._saving and not self._saving.done()):
            return
        if self._saving:
            self._saving.result()
        self._saved_at = time.monotonic()
        self._saving = self._writers.submit(self._checkpoints.save, self._name, snapshot(progress))

    def save(self, progress: Progress) -> None:
        """Save now, after what is being saved; raise the errors of both."""
        if self._saving:
            self._saving.result()
        self._checkpoints.save(self._name, progress)

    def drop(self, writes: Sequence[Future[None]]) -> None:
        """Delete the checkpoint, once these results are written and nothing is saved any more."""
        for future in (*writes, *([self._saving] if self._saving else [])):
            future.result()
        self._checkpoints.drop(self._name)


def _manager(folder: Path) -> Any:
    # Imported here, because that takes a second. Each process has its own manager and waits for no other.
    import orbax.checkpoint as ocp

    process = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, create=False, enable_async_checkpointing=False, multiprocessing_options=alone
    )
    return ocp.CheckpointManager(folder.absolute(), options=options)


def _numbered(leaves: list[Any]) -> dict[str, np.ndarray]:
    return {f"{number:03}": np.asarray(leaf) for number, leaf in enumerate(leaves)}


def _progress(tree: dict[str, Any], optimizer: str) -> Progress:
    size, level, levels, step, steps = map(int, tree["numbers"])
    state = jax.tree.unflatten(_structure(optimizer), [tree["state"][name] for name in sorted(tree["state"])])
    history = Terms(*(tree["history"][name] for name in sorted(tree["history"])))
    terms = jax.tree.map(lambda values: values[..., -1], history) if step else None
    return Progress(size, level, levels, step, steps, terms, history, state)


def _structure(optimizer: str) -> Any:
    """The tree structure of a solver's state, which is the same for all shapes."""
    picture = jax.ShapeDtypeStruct((1, 1, 3), jnp.float32)
    return jax.tree.structure(jax.eval_shape(partial(solver.init, optimizer=optimizer), picture))
