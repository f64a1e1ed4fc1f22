"""Many pairs: the optimisation of `stylize`, for as many pairs at once as the device likes.

On GPUs and TPUs the pairs of a group are the lanes of one program. A CPU is busy with one pair, so there the pairs go
through one after another, in a few threads, because small pictures leave cores idle. Either way a pair gives what it
gives alone, whatever its neighbours.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from jaxstyle.aims import Aim, as_styles, padded
from jaxstyle.buckets import Group, plan
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, DivergedError
from jaxstyle.lanes import Lanes
from jaxstyle.memory import lanes_that_fit
from jaxstyle.networks import Network, with_layers
from jaxstyle.pairs import Pair, Shared, aim, check_pair, first_picture
from jaxstyle.pyramid import at_scale, enlarge, schedule, shape_at
from jaxstyle.styles import Style
from jaxstyle.stylize import DEFAULTS, Progress, Stylized, begin, diverged, is_lost, optimise, prepared
from jaxstyle.weights import load_network

_MOST = 64  # pairs on a device at once
Levels = Sequence[tuple[int, int]]  # of `schedule`


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
    network = network or load_network()
    configs = [config] * count if isinstance(config, StyleConfig) else list(config)
    configs = [with_layers(each, network.architecture) for each in configs]
    network = prepared(network, *configs)
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
            aims = [aim(network, pair, size, frame, shared) for pair in pairs]
            if progress is None or progress.level < level:
                pictures = _enlarged(progress, pairs, aims) if progress else list(map(first_picture, pairs, aims))
                state = lanes.init([padded(picture, frame.padding) for picture in pictures], optimizer=optimizer)
                progress = begin(levels, level, state, progress.history if progress else None)
            objectives = lanes.stack([each.objective for each in aims])
            advance = partial(lanes.run, everywhere, objectives, optimizer=optimizer)
            progress = optimise(progress, advance, watch)
    assert last is not None
    return _results(last, pairs, levels, errors)


def _enlarged(progress: Progress, pairs: Sequence[Pair], aims: Sequence[Aim]) -> list[np.ndarray]:
    before = [at_scale(pair.content, progress.size) for pair in pairs]
    return list(map(enlarge, _pictures(progress, pairs), before, [each.content for each in aims]))


def _results(last: Progress, pairs: Sequence[Pair], levels: Levels, errors: dict[int, DivergedError]) -> list[Stylized]:
    sizes = np.repeat(*np.transpose(levels))[: last.history.total.shape[-1]]
    histories = [
        jax.tree.map(lambda values, lane=lane: np.atleast_2d(values)[lane], last.history) for lane in range(len(pairs))
    ]
    return [
        Stylized(picture, history, sizes, pair.config, errors.get(lane))
        for lane, (picture, history, pair) in enumerate(zip(_pictures(last, pairs), histories, pairs, strict=True))
    ]


def _pictures(progress: Progress, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """The pictures of the lanes without their padding."""
    stacked = progress.picture if progress.picture.ndim == 4 else progress.picture[None]
    shapes = [shape_at(pair.content.shape[0], pair.content.shape[1], progress.size) for pair in pairs]
    return [picture[:height, :width] for picture, (height, width) in zip(stacked, shapes, strict=False)]
