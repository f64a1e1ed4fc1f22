"""The optimization of a group of pairs, coarse to fine, as `stylize` does it for one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from jaxstyle.batch.buckets import Group
from jaxstyle.batch.pair import MeasurementCache, Pair, pair_initial_picture, pair_targets
from jaxstyle.batch.vmapped import BatchSolver
from jaxstyle.errors import DivergedError
from jaxstyle.images import resize_longest, scaled_shape
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    Progress,
    Targets,
    divergence_error,
    enlarge,
    finished_picture,
    has_diverged,
    network_at,
    optimize_level,
    pad_picture,
    schedule,
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
) -> list[Stylized]:
    """Stylize the pairs of a group.

    Args:
        network: from `prepare_network`.
        group: from `plan_groups`.
        pairs: those of the group, in its order, from `check_pair`.
        callback: as that of `stylize`; arrays have a leading axis if the batch size is above 1.
        resume: as that of `stylize`, with the same leading axis.
        cache: measurements of pictures that other groups share.
    """
    cache = cache or MeasurementCache()
    if group.batch_size > 1 and any(pair.content.shape[-1] == 4 for pair in pairs):  # the same arrays for all
        pairs = [replace(pair, content=_with_alpha(pair.content)) for pair in pairs]
    try:
        return _optimize_group(network, group, pairs, callback, resume, cache)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) or group.batch_size <= len(jax.local_devices()):
            raise
    # The predicted memory was too low: start again with two groups of half the size.
    half = group.batch_size // 2
    results = []
    for first in range(0, len(pairs), half):
        indices = slice(first, first + half)
        half_group = replace(group, pairs=group.pairs[indices], batch_size=half)
        results += stylize_group(network, half_group, pairs[indices], callback=callback, cache=cache)
    return results


def _optimize_group(
    network: Network,
    group: Group,
    pairs: Sequence[Pair],
    callback: Callable[[Progress], None] | None,
    resume: Progress | None,
    cache: MeasurementCache,
) -> list[Stylized]:
    batch, optimizer = BatchSolver(group.batch_size), pairs[0].config.optimizer
    levels = schedule(pairs[0].config, *pairs[0].content.shape[:2])
    replicated = batch.replicate(network)
    errors: dict[int, DivergedError] = {}
    progress = last = replace(resume, state=batch.put(resume.state)) if resume else None

    def on_progress(progress: Progress) -> None:
        nonlocal last
        total_weights = np.resize([pair.config.total_weight for pair in pairs], np.shape(progress.state.loss))
        for index in np.flatnonzero(has_diverged(progress, total_weights))[: len(pairs)].tolist():
            errors.setdefault(index, divergence_error(progress, index))
        if len(errors) == len(pairs):
            raise errors[0]
        last = progress
        if callback:
            callback(progress)

    with suppress(DivergedError):
        for level in range(resume.level if resume else 0, len(levels)):
            size, padded_shape = levels[level][0], group.padded_shapes[level]
            targets = [pair_targets(network, pair, size, padded_shape, cache) for pair in pairs]
            if progress is None or progress.level < level:
                pictures = (
                    _enlarged(progress, pairs, targets) if progress else map(pair_initial_picture, pairs, targets)
                )
                padded = [pad_picture(picture, padded_shape.padding) for picture in pictures]
                state = batch.init(padded, optimizer=optimizer)
                progress = start_level(levels, level, state, progress.history if progress else None)
            objectives = batch.stack([target.objective for target in targets])
            run = partial(batch.run, network_at(replicated, size), objectives, optimizer=optimizer)
            progress = optimize_level(progress, run, on_progress)
    assert last is not None
    return _results(last, pairs, levels, errors)


def _with_alpha(content: np.ndarray) -> np.ndarray:
    """A picture `[H, W, 4]`, opaque if it had no alpha."""
    return np.dstack([content, np.ones_like(content[..., 0])]) if content.shape[-1] == 3 else content


def _enlarged(progress: Progress, pairs: Sequence[Pair], targets: Sequence[Targets]) -> list[np.ndarray]:
    """The pictures of the level before, at the next size."""
    contents = [resize_longest(pair.content[..., :3], progress.size) for pair in pairs]
    return list(map(enlarge, _pictures(progress, pairs), contents, [target.content for target in targets]))


def _results(
    last: Progress, pairs: Sequence[Pair], levels: Sequence[tuple[int, int]], errors: dict[int, DivergedError]
) -> list[Stylized]:
    sizes = np.repeat(*np.transpose(levels))[: last.history.total.shape[-1]]
    histories = [
        jax.tree.map(lambda values, index=index: np.atleast_2d(values)[index], last.history)
        for index in range(len(pairs))
    ]
    return [
        Stylized(_finished(picture, pair), history, sizes, pair.config, errors.get(index))
        for index, (picture, history, pair) in enumerate(zip(_pictures(last, pairs), histories, pairs, strict=True))
    ]


def _finished(picture: np.ndarray, pair: Pair) -> np.ndarray:
    return (
        picture if pair.original is None else finished_picture(pair.config, picture, pair.original, pair.strength_mask)
    )


def _pictures(progress: Progress, pairs: Sequence[Pair]) -> list[np.ndarray]:
    """The pictures of a batch without their padding."""
    stacked = progress.picture if progress.picture.ndim == 4 else progress.picture[None]
    shapes = [scaled_shape(pair.content.shape[0], pair.content.shape[1], progress.size) for pair in pairs]
    return [picture[:height, :width] for picture, (height, width) in zip(stacked, shapes, strict=False)]
