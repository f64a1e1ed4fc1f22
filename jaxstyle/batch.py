"""Many pairs: the optimisation of `stylize`, for as many pairs at once as the device likes.

On GPUs and TPUs the pairs of a group are the lanes of one program. A CPU is busy with one pair, so there the pairs go
through one after another, in a few threads, because small pictures leave cores idle. Either way a pair gives what it
gives alone, whatever its neighbours.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.buckets import Frame, Group, plan
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, DivergedError
from jaxstyle.lanes import Lanes
from jaxstyle.memory import lanes_that_fit
from jaxstyle.networks import Network, with_layers
from jaxstyle.objective import Objective, content_targets, make_objective
from jaxstyle.pyramid import at_scale, check_picture, enlarge, schedule, shape_at
from jaxstyle.starts import starting_picture
from jaxstyle.styles import Style, StyleStatistics
from jaxstyle.stylize import (
    DEFAULTS,
    Progress,
    Stylized,
    as_styles,
    begin,
    check_content,
    check_style,
    diverged,
    is_lost,
    optimise,
    prepared,
    statistics_at,
)
from jaxstyle.weights import load_network

_MOST = 64  # pairs on a device at once
Levels = Sequence[tuple[int, int]]  # of `schedule`
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Pair:
    """What `stylize` is given, but for the network: see there."""

    content: np.ndarray
    styles: tuple[np.ndarray | Style, ...]
    config: StyleConfig = DEFAULTS
    seed: int = 0
    start: np.ndarray | None = None


def stylize_batch(
    contents: Sequence[np.ndarray],
    styles: Sequence[np.ndarray | Style | Sequence[np.ndarray | Style]],
    *,
    network: Network | None = None,
    config: StyleConfig | Sequence[StyleConfig] = DEFAULTS,
    seeds: Sequence[int] | None = None,
    starts: Sequence[np.ndarray | None] | None = None,
    batch_size: int | None = None,
    callback: Callable[[tuple[int, ...], Progress], None] | None = None,
) -> list[Stylized]:
    """Stylise many pairs, each content with the style beside it.

    A picture that comes several times, as the same array, is measured once. A pair whose optimisation is lost has an
    `error` and its last good image, and disturbs no other.

    Args:
        contents: pictures `[H, W, 3]` in [0, 1], of any sizes.
        styles: for each content a picture `[h, w, 3]`, a measured `Style`, or several to blend.
        network: the recognition network; the embedded VGG-19 if there is none.
        config: of all pairs, or one for each.
        seeds: one for each; 0 without.
        starts: for each a picture to start from, or None.
        batch_size: pairs in one program, spread over the local devices. By default what fits a GPU or TPU, and 1 on
            CPU. With 1, pairs are computed one after another, and each is byte for byte what `stylize` makes of it,
            unless there are so many shapes that `buckets.plan` merges some.
        callback: called as that of `stylize`, with the indices of the pairs that the progress is of; from several
            threads where there are several. In a batch, arrays have a leading axis.

    Returns:
        One result for each pair, in order.

    Raises:
        PictureError, ConfigError: as `stylize`, or if there are not as many of anything as contents; nothing has been
            computed then.
    """
    count = len(contents)
    network = prepared(network or load_network())
    configs = [config] * count if isinstance(config, StyleConfig) else list(config)
    configs = [with_layers(each, network.architecture) for each in configs]
    given = {"styles": styles, "configs": configs, "seeds": seeds or [0] * count, "starts": starts or [None] * count}
    for name, values in given.items():
        if len(values) != count:
            raise ConfigError(f"there are {count} contents and {len(values)} {name}; expected one for each")
    pairs = [
        check_pair(network, Pair(content, tuple(as_styles(styles)), config, seed, start))
        for content, styles, config, seed, start in zip(contents, *given.values(), strict=True)
    ]
    lanes = batch_size or min((default_batch_size(network, config) for config in set(configs)), default=1)
    shapes = [pair.content.shape[:2] for pair in pairs]
    groups = plan(shapes, configs, lanes=lanes, devices=len(jax.local_devices()))
    shared = Shared()

    def run(group: Group) -> list[Stylized]:
        look = partial(callback, group.pairs) if callback else None
        return stylize_group(network, group, [pairs[index] for index in group.pairs], look=look, shared=shared)

    results: dict[int, Stylized] = {}
    threads = ThreadPoolExecutor(workers(network, configs, lanes))
    try:
        for group, done in zip(groups, threads.map(run, groups), strict=True):
            results |= zip(group.pairs, done, strict=True)
    finally:
        threads.shutdown(cancel_futures=True)
    return [results[index] for index in range(count)]


def default_batch_size(network: Network, config: StyleConfig) -> int:
    """How many pairs one program takes by default: what fits all local devices, or 1 on CPU.

    On 2 CPU cores, pairs one after another in two threads are faster than batches; `scripts/bench_batch` measures it.
    """
    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        return 1
    return len(devices) * lanes_that_fit(network, config, most=_MOST)


def workers(network: Network, configs: Sequence[StyleConfig], lanes: int) -> int:
    """How many groups to compute at the same time, in threads: on CPU one for each core, as far as memory goes."""
    if jax.local_devices()[0].platform != "cpu" or lanes > 1:
        return 1
    return min((lanes_that_fit(network, config, most=cores()) for config in set(configs)), default=1)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_pair(network: Network, pair: Pair) -> Pair:
    """The pair as it is computed; PictureError or ConfigError if it cannot be."""
    return replace(
        pair,
        content=check_content(pair.content, pair.config),
        styles=tuple(check_style(style, network, pair.config) for style in pair.styles),
        start=None if pair.start is None else check_picture(pair.start),
    )


class Shared:
    """What pairs have in common, computed once: statistics of styles and targets of contents, the last few of them.

    Pictures are recognised by identity. Threads may use one together; at worst something is computed twice.
    """

    def __init__(self, most: int = 64):
        self._most = most
        self._known: OrderedDict[Any, tuple[object, Any]] = OrderedDict()

    def of(self, pictures: tuple[object, ...], *what: Any, make: Callable[[], Result]) -> Result:
        """What `make` makes of the pictures, if `what` says all that it depends on besides."""
        key = (*map(id, pictures), *what)
        if known := self._known.get(key):
            return known[1]
        made = make()
        self._known[key] = pictures, made  # with the pictures, whose ids would otherwise be given to others
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return made


def stylize_group(
    network: Network,
    group: Group,
    pairs: Sequence[Pair],
    *,
    look: Callable[[Progress], None] | None = None,
    resume: Progress | None = None,
    shared: Shared | None = None,
) -> list[Stylized]:
    """Stylise the pairs of a group.

    Args:
        network: a prepared one.
        group: how, from `buckets.plan`.
        pairs: those of the group, in its order, checked by `check_pair`.
        look, resume: as `callback` and `resume` of `stylize`; arrays have a leading axis if there are several lanes.
        shared: what is known of pictures that came before.
    """
    shared = shared or Shared()
    try:
        return _optimise_group(network, group, pairs, look, resume, shared)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) or group.lanes <= len(jax.local_devices()):
            raise
    # The memory was predicted wrongly: the same in two halves, from the start.
    half = group.lanes // 2
    parts = [slice(first, first + half) for first in range(0, len(pairs), half)]
    halves = [(replace(group, pairs=group.pairs[part], lanes=half), pairs[part]) for part in parts]
    return [done for part, own in halves for done in stylize_group(network, part, own, look=look, shared=shared)]


def _optimise_group(
    network: Network,
    group: Group,
    pairs: Sequence[Pair],
    look: Callable[[Progress], None] | None,
    resume: Progress | None,
    shared: Shared,
) -> list[Stylized]:
    """The way of `stylize` from coarse to fine, for several pictures, whose optimisations are stacked."""
    lanes, optimizer = Lanes(group.lanes), pairs[0].config.optimizer
    levels = schedule(pairs[0].config, *pairs[0].content.shape[:2])
    everywhere = lanes.replicate(network)
    errors: dict[int, DivergedError] = {}
    progress = last = replace(resume, state=lanes.put(resume.state)) if resume else None

    def watch(progress: Progress) -> None:
        nonlocal last
        for lane in np.flatnonzero(is_lost(progress))[: len(pairs)].tolist():
            errors.setdefault(lane, diverged(progress, lane))
        if len(errors) == len(pairs):
            raise errors[0]
        last = progress
        if look:
            look(progress)

    with suppress(DivergedError):
        for level in range(resume.level if resume else 0, len(levels)):
            size, frame = levels[level][0], group.frames[level]
            targets = [at_scale(pair.content, size) for pair in pairs]
            wanted = [_statistics(network, pair, size, shared) for pair in pairs]
            if progress is None or progress.level < level:
                pictures = _enlarged(progress, pairs, targets) if progress else _first(pairs, targets, wanted)
                state = lanes.init([_pad(picture, frame) for picture in pictures], optimizer=optimizer)
                progress = begin(levels, level, state, progress.history if progress else None)
            objectives = [
                _objective(network, pair, target, statistics, frame, shared)
                for pair, target, statistics in zip(pairs, targets, wanted, strict=True)
            ]
            advance = partial(lanes.run, everywhere, lanes.stack(objectives), optimizer=optimizer)
            progress = optimise(progress, advance, watch)
    assert last is not None
    return _results(last, pairs, levels, errors)


def _first(pairs: Sequence[Pair], targets: Sequence[np.ndarray], wanted: Sequence[StyleStatistics]) -> list[np.ndarray]:
    return [
        starting_picture(pair.config.init, target, statistics, style=pair.styles[0], picture=pair.start, seed=pair.seed)
        for pair, target, statistics in zip(pairs, targets, wanted, strict=True)
    ]


def _enlarged(progress: Progress, pairs: Sequence[Pair], targets: Sequence[np.ndarray]) -> list[np.ndarray]:
    before = [at_scale(pair.content, progress.size) for pair in pairs]
    return list(map(enlarge, _pictures(progress, pairs), before, targets))


def _results(last: Progress, pairs: Sequence[Pair], levels: Levels, errors: dict[int, DivergedError]) -> list[Stylized]:
    sizes = np.repeat(*np.transpose(levels))[: last.history.total.shape[-1]]
    histories = [
        jax.tree.map(lambda values, lane=lane: np.atleast_2d(values)[lane], last.history) for lane in range(len(pairs))
    ]
    return [
        Stylized(picture, history, sizes, pair.config, errors.get(lane))
        for lane, (picture, history, pair) in enumerate(zip(_pictures(last, pairs), histories, pairs, strict=True))
    ]


def _statistics(network: Network, pair: Pair, size: int, shared: Shared) -> StyleStatistics:
    what = "style", size, pair.config.style_scale, pair.config.style_layers, pair.config.style_blend
    return shared.of(pair.styles, *what, make=lambda: statistics_at(network, pair.config, pair.styles, size))


def _objective(
    network: Network, pair: Pair, target: np.ndarray, wanted: StyleStatistics, frame: Frame, shared: Shared
) -> Objective:
    layers = pair.config.content_names
    extent = np.array(target.shape[:2]) if frame.is_padded else None
    contents = shared.of(
        (pair.content,),
        "content",
        target.shape,
        frame,
        layers,
        make=lambda: content_targets(network, _pad(target, frame), layers, extent=extent),
    )
    return make_objective(pair.config, contents, wanted, extent=extent)


def _pad(picture: np.ndarray, frame: Frame) -> np.ndarray:
    height, width, _ = picture.shape
    return np.pad(picture, ((0, frame.height - height), (0, frame.width - width), (0, 0)))


def _pictures(progress: Progress, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """The pictures of the lanes without their padding."""
    stacked = progress.picture if progress.picture.ndim == 4 else progress.picture[None]
    shapes = [shape_at(pair.content.shape[0], pair.content.shape[1], progress.size) for pair in pairs]
    return [picture[:height, :width] for picture, (height, width) in zip(stacked, shapes, strict=False)]
