"""The optimization of a group of pairs, coarse to fine, as `stylize` does it for one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxstyle.batch.buckets import Group, PaddedShape
from jaxstyle.batch.measurements import MeasurementCache, pair_targets
from jaxstyle.batch.turns import Turn
from jaxstyle.batch.vmapped import BatchSolver
from jaxstyle.compilation import stage
from jaxstyle.errors import DivergedError
from jaxstyle.images import scaled_shape
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    Objective,
    Pair,
    Progress,
    Shape,
    State,
    Targets,
    Terms,
    divergence_error,
    enlarge,
    first_rows,
    has_diverged,
    is_out_of_memory,
    optimize_level,
    pad_picture,
    pair_initial_picture,
    pair_picture,
    schedule,
    split_over_devices,
    start_level,
)
from jaxstyle.stylize import Stylized


def stylize_group(
    network: Network,
    group: Group,
    pairs: Sequence[Pair],
    *,
    callback: Callable[[Progress], None] | None = None,
    resume: Progress | None = None,
    cache: MeasurementCache | None = None,
    turn: Turn | None = None,
) -> list[Stylized]:
    """Stylize the pairs of a group.

    Args:
        network: from `prepare_network`.
        group: from `plan_groups`.
        pairs: those of the group, in its order, from `check_pair`.
        callback: as that of `stylize`; arrays have a leading axis if the batch size is above 1. The picture is copied
            from the device only if the callback reads it, which it can do until it returns.
        resume: as that of `stylize`, with the same leading axis.
        cache: measurements of pictures that other groups share.
        turn: is held while steps are taken, but not while the group is prepared and results are copied to the host.
    """
    cache, turn = cache or MeasurementCache(), turn or Turn()
    if group.batch_size > 1 and any(pair.content.shape[-1] == 4 for pair in pairs):  # the same arrays for all
        pairs = [replace(pair, content=_with_alpha(pair.content)) for pair in pairs]
    try:
        return _stylize_group(network, group, pairs, callback, resume, cache, turn)
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error) or group.batch_size <= len(jax.local_devices()):
            raise
    # The predicted memory was too low: start again with two groups of half the size.
    half = group.batch_size // 2
    results = []
    for first in range(0, len(pairs), half):
        indices = slice(first, first + half)
        half_group = replace(group, pairs=group.pairs[indices], batch_size=half)
        results += stylize_group(network, half_group, pairs[indices], callback=callback, cache=cache, turn=turn)
    return results


@dataclass(frozen=True, eq=False)
class _Level:
    """What the pictures of a group are optimized towards at one size.

    Attributes:
        index: that of the size in the schedule.
        targets: those of each pair, for a batch or not.
        padding: the height and width to which pictures are padded, if they are.
        objective: stacked in a batch.
        contents: in a batch, the contents at this size, padded and stacked.
        extents: in a batch, the height and width of each without the padding.
    """

    index: int
    targets: list[Targets]
    padding: Shape | None
    objective: Objective
    contents: Any = None
    extents: Any = None


def _stylize_group(
    network: Network,
    group: Group,
    pairs: Sequence[Pair],
    callback: Callable[[Progress], None] | None,
    resume: Progress | None,
    cache: MeasurementCache,
    turn: Turn,
) -> list[Stylized]:
    batch = BatchSolver(group.batch_size)
    schedules = schedule(pairs[0].config, *pairs[0].content.shape[:2])
    replicated = batch.replicate(network)
    first = resume.level if resume else 0
    levels = [
        _prepare_level(batch, network, replicated, pairs, index, size, padded_shape, cache)
        for index, (size, padded_shape) in enumerate(zip(dict(schedules), group.padded_shapes, strict=True))
        if index >= first
    ]
    pictures = None if resume else _initial_pictures(batch, pairs, levels[0])
    with turn:
        optimized = _optimize(batch, replicated, pairs, levels, schedules, pictures, resume, callback)
    with stage("copying results back"):
        stacked = np.asarray(optimized.pictures)
    return _results(replace(optimized, pictures=stacked), pairs, schedules)


def _prepare_level(
    batch: BatchSolver,
    network: Network,
    replicated: Network,
    pairs: Sequence[Pair],
    index: int,
    size: int,
    padded_shape: PaddedShape,
    cache: MeasurementCache,
) -> _Level:
    """Measure the targets of a group at one size."""
    is_batch, padding = batch.size > 1, padded_shape.padding
    targets = [pair_targets(network, pair, size, padded_shape, cache, for_batch=is_batch) for pair in pairs]
    with stage("stacking"):
        objective: Any = batch.stack([target.objective for target in targets])
        if not is_batch:
            split = split_over_devices(network, pairs[0].config, objective, targets[0].content.shape[0])
            return _Level(index, targets, padding, split)
        contents: Any = batch.stack([pad_picture(target.content, padding) for target in targets])
        extents: Any = batch.stack([np.array(target.content.shape[:2], np.int32) for target in targets])
    with stage("measuring contents"):
        layers, padded_extents = pairs[0].config.content_names, extents if padding else None
        features = batch.content_targets(replicated.direct(), contents, padded_extents, layers)
    return _Level(index, targets, padding, objective.replace(content=features), contents, extents)


def _initial_pictures(batch: BatchSolver, pairs: Sequence[Pair], level: _Level) -> Any:
    with stage("starting pictures"):
        pictures = map(pair_initial_picture, pairs, level.targets)
        return batch.stack([pad_picture(picture, level.padding) for picture in pictures])


@dataclass(frozen=True, eq=False)
class _Optimized:
    """The pictures of a group after the last step, with a leading axis, their longest side, history and errors."""

    pictures: Any
    size: int
    history: Terms
    errors: dict[int, DivergedError]


def _optimize(
    batch: BatchSolver,
    network: Network,
    pairs: Sequence[Pair],
    levels: Sequence[_Level],
    schedules: Sequence[tuple[int, int]],
    pictures: Any,
    resume: Progress | None,
    callback: Callable[[Progress], None] | None,
) -> _Optimized:
    """Take all steps, from initial pictures or where the run is resumed."""
    optimizer = pairs[0].config.optimizer
    errors: dict[int, DivergedError] = {}
    progress = last = None
    if resume:
        height, _ = levels[0].padding or levels[0].targets[0].content.shape[:2]
        progress = last = replace(resume, state=batch.restore(resume.state, height, levels[0].objective))

    def on_progress(progress: Progress) -> None:
        nonlocal last
        last = progress
        total_weights = np.resize([pair.config.total_weight for pair in pairs], np.shape(progress.state.loss))
        for index in np.flatnonzero(has_diverged(progress, total_weights))[: len(pairs)].tolist():
            errors.setdefault(index, divergence_error(progress, index))
        if len(errors) == len(pairs):
            raise errors[0]
        if callback:
            with stage("reporting"):
                callback(progress)

    with suppress(DivergedError):
        for previous, level in zip([None, *levels], levels, strict=False):
            if progress is None or progress.level < level.index:
                with stage("enlarging"):
                    if progress is None or previous is None:
                        state = batch.init(pictures, level.objective.bands, optimizer=optimizer)
                    else:
                        state = _enlarged(batch, progress, pairs, previous, level)
                history = progress.history if progress else None
                progress = last = start_level(schedules, level.index, state, history)
            on_devices = network
            if bands := level.objective.bands:
                on_devices = bands.replicate(network)
                progress = replace(progress, finish=partial(first_rows, bands.height))
            run = partial(batch.run, on_devices, level.objective, optimizer=optimizer)
            progress = optimize_level(progress, run, on_progress, by_tiles=level.objective.tile_size is not None)
    assert last is not None
    return _Optimized(batch.pictures(last.state), last.size, last.history, errors)


def _with_alpha(content: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 4]`, opaque if it had no alpha."""
    return np.dstack([content, np.ones_like(content[..., 0])]) if content.shape[-1] == 3 else content


def _enlarged(batch: BatchSolver, progress: Progress, pairs: Sequence[Pair], previous: _Level, level: _Level) -> State:
    """The state before the first step at the next size."""
    optimizer = pairs[0].config.optimizer
    if batch.size > 1:
        arguments = previous.contents, level.contents, previous.extents, level.extents
        return batch.enlarge(progress.state, *arguments, optimizer=optimizer)
    content, target = previous.targets[0].content, level.targets[0].content
    height, width = content.shape[:2]
    picture = enlarge(progress.picture[:height, :width], content, target)
    return batch.init(pad_picture(picture, level.padding), level.objective.bands, optimizer=optimizer)


def _results(optimized: _Optimized, pairs: Sequence[Pair], schedules: Sequence[tuple[int, int]]) -> list[Stylized]:
    """The results of a group, without padding."""
    sizes = np.repeat(*np.transpose(schedules))[: optimized.history.total.shape[-1]]
    results = []
    for index, (picture, pair) in enumerate(zip(optimized.pictures, pairs, strict=False)):
        height, width = scaled_shape(pair.content.shape[0], pair.content.shape[1], optimized.size)
        history = jax.tree.map(lambda values, index=index: np.atleast_2d(values)[index], optimized.history)
        image = pair_picture(pair, picture[:height, :width])
        results.append(Stylized(image, history, sizes, pair.config, optimized.errors.get(index)))
    return results
