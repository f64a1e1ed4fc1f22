"""The inputs of a job's pairs: networks and files, each read once for as long as it is remembered."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import jax
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import JaxStyleError
from jaxstyle.files import (
    ResultWriter,
    as_array,
    read_content,
    read_initial_picture,
    read_network,
    read_strength_mask,
    read_styles,
    result_record,
)
from jaxstyle.images import SRGB, Picture, path_in_errors
from jaxstyle.jobs.tasks import Task
from jaxstyle.networks import Network
from jaxstyle.optimization import Pair, check_pair, prepare_network
from jaxstyle.options import Settings
from jaxstyle.styles import Style

_MAX_PICTURES, _MAX_BYTES = 64, 2**28  # of each kind, in memory
_MAX_STYLE_BYTES = 2**30  # every content comes with the same styles, whose measurements last as long as the pictures
Value = TypeVar("Value")


class Memo(Generic[Value]):
    """A function that remembers its last results, each computed once even if several threads ask for it.

    Errors are remembered too. The last result is remembered whatever its size.
    """

    def __init__(
        self, function: Callable[..., Value], *, max_results: int = _MAX_PICTURES, max_bytes: int = _MAX_BYTES
    ):
        self._function, self._max_results, self._max_bytes = function, max_results, max_bytes
        self._results: dict[Hashable, Future[Value]] = {}
        self._bytes: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def __call__(self, *arguments: Hashable) -> Value:
        """The function's result for these arguments."""
        with self._lock:
            known = self._results.pop(arguments, None)
            future = known or Future()
            self._results[arguments] = future  # at the end: the order is that of last use
            self._forget()
        if known is None:
            try:
                result = self._function(*arguments)
                future.set_result(result)
            except BaseException as error:
                future.set_exception(error)
            else:
                with self._lock:
                    if arguments in self._results:
                        leaves = jax.tree.leaves(result)
                        self._bytes[arguments] = sum(getattr(leaf, "nbytes", 0) for leaf in leaves)
                        self._forget()
        return future.result()

    def _forget(self) -> None:
        """Forget what was not used for longest, until the others are within the limits."""
        while len(self._results) > 1 and (
            len(self._results) > self._max_results or sum(self._bytes.values()) > self._max_bytes
        ):
            oldest = next(iter(self._results))
            del self._results[oldest]
            self._bytes.pop(oldest, None)


class NetworkCache:
    """The networks of a job's settings, each loaded and prepared once."""

    def __init__(self) -> None:
        self._networks: dict[Any, Network] = {}
        self._shapes: dict[Any, Network] = {}
        self._prepared: dict[Any, Network] = {}
        self._lock = threading.Lock()

    def __call__(self, settings: Settings) -> Network:
        """The network for these settings."""
        key = settings.network_key
        if key not in self._networks:
            self._networks[key] = read_network(*key)
        return self._networks[key]

    def shapes(self, settings: Settings) -> Network:
        """The prepared network with the shapes of its arrays in their place."""
        key = settings.network_key
        if key not in self._shapes:
            self._shapes[key] = jax.eval_shape(prepare_network, self(settings))
        return self._shapes[key]

    def prepared(self, settings: Settings) -> Network:
        """The network for these settings, prepared. The first call compiles a program."""
        with self._lock:
            key = settings.network_key
            if key not in self._prepared:
                self._prepared[key] = prepare_network(self(settings))
            return self._prepared[key]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that was read for a pair: the network, the pair, and the writer of its result."""

    network: Network
    pair: Pair
    writer: ResultWriter


class InputReader:
    """Reads the files of pairs, and checks what can be checked before computing.

    The same file with the same settings gives the same array, so that `MeasurementCache` recognizes it.
    """

    def __init__(self, networks: Callable[[Settings], Network], folder: Path, device: dict[str, Any]):
        self._networks, self._folder, self.device = networks, folder, device
        self._read_content = Memo(_read_content)
        self._read_initial_picture = Memo(read_initial_picture)
        self._read_strength_mask = Memo(read_strength_mask)
        self._read_style: dict[int, Memo[tuple[np.ndarray | Style, list[dict[str, Any]]]]] = {}

    def __call__(self, task: Task) -> Inputs:
        """Read the inputs of a pair.

        Raises:
            JaxStyleError: if one of them cannot be read or used, or the result cannot be written.
        """
        network = self._networks(task.settings)
        settings = task.settings.resolve(network)
        config, background = settings.config, settings.background
        picture, content = self._read_content(task.content, config.size, background, settings.file.profile)
        profile = picture.profile or SRGB
        # Only the settings that reading a style depends on, so that other settings do not read it again.
        style_configs = [
            StyleConfig(
                size=config.size,
                style_scale=settings_of_style.style_scale,
                rotate_style=config.rotate_style,
                style_layers=config.style_layers,
            )
            for settings_of_style in config.of_each_style(len(task.styles))
        ]
        read_style = self._read_style.setdefault(
            id(network), Memo(partial(_read_style, network), max_bytes=_MAX_STYLE_BYTES)
        )
        reads = zip(task.styles, style_configs, strict=True)
        styles, saved = zip(
            *(read_style(style, style_config, background, profile) for style, style_config in reads), strict=True
        )
        initial = settings.initial_picture
        initial_picture = (
            self._read_initial_picture(initial, config.size, background, task.content, profile) if initial else None
        )
        mask = settings.strength_mask
        strength_mask = self._read_strength_mask(mask, config.size, task.content) if mask else None
        record = result_record(
            task.content,
            task.styles,
            settings,
            network,
            saved_styles=[record for records in saved for record in records],
            device=self.device,
        )
        writer = ResultWriter(picture, record, settings.file, overwrite=True)
        output = self._folder / task.output
        with path_in_errors(output.parent, "written", JaxStyleError) as parent:
            parent.mkdir(parents=True, exist_ok=True)
        writer.check(output)
        pair = Pair(content, styles, config, settings.seed, initial_picture, strength_mask)
        return Inputs(network, check_pair(network, pair), writer)


def _read_content(file: Path, size: int, background: str | None, profile: str) -> tuple[Picture, np.ndarray]:
    """A content as the writer of results needs it, and as a pair has it."""
    picture = read_content(file, size, background, profile)
    return picture, as_array(picture)


def _read_style(
    network: Network, file: Path, config: StyleConfig, background: str | None, profile: str | bytes
) -> tuple[np.ndarray | Style, list[dict[str, Any]]]:
    (style,), records = read_styles([file], network, config, background, profile=profile)
    return style, records
