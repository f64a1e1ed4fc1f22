"""The files of many pairs, read ahead in threads, each once for as long as it is remembered."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from jaxstyle.cli.inputs import Choice, read_network, read_opaque, read_styles
from jaxstyle.cli.job.manifest import Task
from jaxstyle.cli.run import Job
from jaxstyle.cli.settings import Settings, about
from jaxstyle.config import StyleConfig
from jaxstyle.errors import JaxStyleError
from jaxstyle.files import naming
from jaxstyle.images import Picture, check_writable, read_picture
from jaxstyle.networks import Network
from jaxstyle.pairs import Pair, check_pair
from jaxstyle.styles import Style
from jaxstyle.stylize import prepared

_REMEMBERED = 64  # pictures of each kind
Value = TypeVar("Value")


class Memo(Generic[Value]):
    """A function's last few values, each computed once even if several threads ask for it; errors are values too."""

    def __init__(self, function: Callable[..., Value], most: int = _REMEMBERED):
        self._function, self._most = function, most
        self._known: dict[Hashable, Future[Value]] = {}
        self._lock = threading.Lock()

    def __call__(self, *arguments: Hashable) -> Value:
        """The value for these arguments."""
        with self._lock:
            known = self._known.pop(arguments, None)
            future = known or Future()
            self._known[arguments] = future  # at the end, as the last that was used
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        if known is None:
            try:
                future.set_result(self._function(*arguments))
            except BaseException as error:
                future.set_exception(error)
        return future.result()


class Networks:
    """The networks that pairs ask for, each loaded and prepared once."""

    def __init__(self) -> None:
        self._known: dict[Choice, Network] = {}

    def __call__(self, settings: Settings) -> Network:
        """The network, ready for use."""
        if settings.choice not in self._known:
            self._known[settings.choice] = prepared(read_network(*settings.choice))
        return self._known[settings.choice]


@dataclass(frozen=True, eq=False)
class Inputs:
    """A pair with all that has to be read for it: to compute, and to write."""

    pair: Pair
    job: Job


class Reader:
    """Reads the files of pairs, and checks all that can be known before computing.

    The same file with the same settings is the same array, by which pairs that share it are recognised.
    """

    def __init__(self, networks: Callable[[Settings], Network], folder: Path, device: dict[str, Any]):
        self._networks, self._folder, self.device = networks, folder, device
        self._content = Memo(_read_content)
        self._opaque = Memo(read_opaque)
        self._style: dict[int, Memo[tuple[np.ndarray | Style, list[dict[str, Any]]]]] = {}

    def __call__(self, task: Task) -> Inputs:
        """The inputs of a pair; JaxStyleError if one cannot be read or used, or the result could not be written."""
        network = self._networks(task.settings)
        settings = task.settings.of(network)
        config, background = settings.config, settings.background
        content = self._content(task.content, config.size, background)
        # Only what the style is read by, so that other settings do not make it another one.
        reading = StyleConfig(size=config.size, style_scale=config.style_scale, style_layers=config.style_layers)
        read = self._style.setdefault(id(network), Memo(partial(_read_style, network)))
        styles, saved = zip(*(read(style, reading, background) for style in task.styles), strict=True)
        start = self._opaque(settings.start, config.size, background) if settings.start else None
        job = Job(
            content=content,
            styles=list(styles),
            start=start,
            network=network,
            config=config,
            seed=settings.seed,
            output=self._folder / task.output,
            overwrite=True,
            save_every=None,
            about=about(
                task.content,
                task.styles,
                settings,
                network,
                saved=[one for each in saved for one in each],
                device=self.device,
            ),
        )
        with naming(job.output.parent, "written", JaxStyleError) as parent:
            parent.mkdir(parents=True, exist_ok=True)
        check_writable(job.output, overwrite=True, alpha=content.alpha is not None)
        pair = Pair(content.rgb, styles, config, settings.seed, start)
        return Inputs(check_pair(network, pair), job)


def _read_content(file: Path, size: int, background: str | None) -> Picture:
    picture = read_picture(file, size=size)
    return picture if background is None else Picture(picture.over(background))


def _read_style(
    network: Network, file: Path, config: StyleConfig, background: str | None
) -> tuple[np.ndarray | Style, list[dict[str, Any]]]:
    (style,), saved = read_styles([file], network, config, background)
    return style, saved
