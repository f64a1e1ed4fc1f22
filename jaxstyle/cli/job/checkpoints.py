"""Optimisations kept half-way, by orbax: all that the solver remembers, to go on from bit for bit."""

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle import solver
from jaxstyle.errors import JaxStyleError
from jaxstyle.files import naming
from jaxstyle.objective import Terms
from jaxstyle.stylize import Progress


def snapshot(progress: Progress) -> Progress:
    """A copy on the host, for the solver takes its state back with the next step."""
    return replace(progress, state=jax.tree.map(np.array, progress.state))


class Checkpoints:
    """The last checkpoint of each of several optimisations, by name, in a folder of its own."""

    def __init__(self, folder: Path):
        self._folder = folder

    def save(self, name: str, progress: Progress) -> None:
        """Keep a `snapshot` of after the first step in place of the one before; killed half-way, that one is left.

        Raises:
            JaxStyleError: if it cannot be written.
        """
        folder = self._folder / name
        with naming(folder, "written", JaxStyleError):
            folder.mkdir(parents=True, exist_ok=True)
        numbers = [progress.size, progress.level, progress.levels, progress.step, progress.steps]
        tree = {
            "numbers": np.array(numbers),
            "history": _listed(jax.tree.leaves(progress.history)),
            "state": _listed(jax.tree.leaves(progress.state)),
        }
        try:
            with _manager(folder) as manager:
                import orbax.checkpoint as ocp

                # Higher for each, the first of a size included; orbax leaves out what does not seem to be new.
                number = progress.history.total.shape[-1] + progress.level
                manager.save(number, args=ocp.args.StandardSave(tree))
        except Exception as error:  # of many kinds, when a disk is full
            reason = " ".join(str(error).split())[:200]
            raise JaxStyleError(f"{folder}: no checkpoint can be written ({reason}); check the disk") from error

    def load(self, name: str, *, optimizer: str) -> Progress | None:
        """What was saved, or None if there is nothing, or nothing that can be read."""
        folder = self._folder / name
        if not folder.is_dir():
            return None
        for unfinished in folder.glob("*tmp*"):  # of which orbax would otherwise warn
            shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(Exception):  # whatever is wrong with it, the optimisation can begin anew
            with _manager(folder) as manager:
                import orbax.checkpoint as ocp

                tree = manager.restore(manager.latest_step(), args=ocp.args.StandardRestore())
            return _progress(tree, optimizer)
        return None

    def drop(self, name: str) -> None:
        """Forget an optimisation."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other optimisations."""
        if self._folder.is_dir():
            for folder in self._folder.iterdir():
                if folder.name not in names:
                    shutil.rmtree(folder, ignore_errors=True)


def _manager(folder: Path) -> Any:
    # Imported when it is needed, which takes a second. Each process keeps its own, and none waits for another.
    import orbax.checkpoint as ocp

    process = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, create=False, enable_async_checkpointing=False, multiprocessing_options=alone
    )
    return ocp.CheckpointManager(folder.absolute(), options=options)


def _listed(leaves: list[Any]) -> dict[str, np.ndarray]:
    return {f"{number:03}": np.asarray(leaf) for number, leaf in enumerate(leaves)}


def _progress(tree: dict[str, Any], optimizer: str) -> Progress:
    size, level, levels, step, steps = map(int, tree["numbers"])
    state = jax.tree.unflatten(_structure(optimizer), [tree["state"][name] for name in sorted(tree["state"])])
    history = Terms(*(tree["history"][name] for name in sorted(tree["history"])))
    terms = jax.tree.map(lambda values: values[..., -1], history) if step else None
    return Progress(size, level, levels, step, steps, terms, np.clip(state.picture, 0, 1), history, state)


def _structure(optimizer: str) -> Any:
    """That of a solver's state, which is the same for pictures of all shapes."""
    picture = jax.ShapeDtypeStruct((1, 1, 3), jnp.float32)
    return jax.tree.structure(jax.eval_shape(partial(solver.init, optimizer=optimizer), picture))
