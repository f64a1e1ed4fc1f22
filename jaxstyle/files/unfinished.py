"""An unfinished stylization: its checkpoint beside the result, from which the same command goes on."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxstyle.environment import device, versions
from jaxstyle.errors import JaxStyleError
from jaxstyle.files.checkpoints import Checkpoints
from jaxstyle.images import path_in_errors, write_atomically
from jaxstyle.networks import Network
from jaxstyle.optimization import Pair, Progress
from jaxstyle.styles import Masks

_RECORD, _STATE = "run.json", "state"


@dataclass(frozen=True)
class Unfinished:
    """The checkpoint of a stylization in a folder beside its result.

    Attributes:
        output: the path of the result.
        identity: a digest of everything that the result depends on, from `run_identity`.
        tile_size: the size of the tiles by which the picture is computed, in pixels a side; None for none.
        settings: names and values, such as of the settings, that say how another stylization differs.
    """

    output: Path
    identity: str
    tile_size: int | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the checkpoint."""
        return self.output.with_name(f"{self.output.name}.checkpoint")

    def find(self) -> "Unfinished | None":
        """The same stylization as it was begun, perhaps with other tiles; None if there is no checkpoint of it."""
        record = self._record()
        if record.get("identity") != self.identity:
            return None
        return replace(self, tile_size=record["tile_size"])

    def difference(self) -> str | None:
        """How the stylization whose checkpoint is there differs from this one; None if there is no such checkpoint."""
        record = self._record()
        if record.get("identity") in (None, self.identity):
            return None
        before, settings = record.get("settings", {}), json.loads(json.dumps(dict(self.settings)))
        names = (name for name in settings if name in before and before[name] != settings[name])
        return next(names, "pictures, versions or devices").replace("_", "-")

    def load(self, optimizer: str) -> Progress | None:
        """The progress at the checkpoint; None if it cannot be read."""
        return Checkpoints(self.folder).load(_STATE, optimizer=optimizer)

    def save(self, progress: Progress) -> None:
        """Save a checkpoint in place of the one before, or of that of another stylization with the same output.

        Raises:
            JaxStyleError: if it cannot be written.
        """
        is_first = not self.find()
        if is_first:
            self.drop()
            with path_in_errors(self.folder, "written", JaxStyleError) as folder:
                folder.mkdir()
        record = {"identity": self.identity, "tile_size": self.tile_size, "settings": dict(self.settings)}
        try:
            Checkpoints(self.folder).save(_STATE, progress)
            self._write(self._record() | record)
        except JaxStyleError:
            if is_first:
                self.drop()
            raise

    def note_picture(self) -> None:
        """Remember the file at `output` as a picture of this stylization, which going on may replace."""
        self._write(self._record() | {"picture": _digest(self.output)})

    def has_written_picture(self) -> bool:
        """Whether the file at `output` is still the one that was noted."""
        return os.path.isfile(self.output) and self._record().get("picture") == _digest(self.output)

    def drop(self) -> None:
        """Delete the checkpoint."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _record(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, RecursionError):
            record = json.loads((self.folder / _RECORD).read_bytes())
            return record if isinstance(record, dict) else {}
        return {}

    def _write(self, record: dict[str, Any]) -> None:
        with path_in_errors(self.folder, "written", JaxStyleError) as folder:
            write_atomically(folder / _RECORD, json.dumps(record).encode())


def run_identity(network: Network, pair: Pair, masks: Masks | None) -> str:
    """A digest of everything that the bytes of a result depend on, but for tiles."""
    config = replace(pair.config, tile_size=None)
    model = network.digest, network.architecture, network.pooling, network.precision
    digest = hashlib.sha256(repr((config, pair.seed, model, versions(), device())).encode())
    pictures = pair.content, pair.styles, pair.initial_picture, pair.strength_mask
    for leaf in jax.tree.leaves((pictures, (masks.content, masks.styles) if masks else None)):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with path_in_errors(file, "read", JaxStyleError) as path, path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
