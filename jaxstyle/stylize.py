"""Stylize one picture: the main path, from arrays to an array, coarse to fine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxstyle.arguments import check_callback, check_seed, check_type
from jaxstyle.compilation import compile_in_background
from jaxstyle.config import DEFAULTS, StyleConfig, check_config
from jaxstyle.errors import DivergedError
from jaxstyle.images import resize_longest
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import (
    Pair,
    Progress,
    Targets,
    Terms,
    as_style_list,
    check_pair,
    check_styles,
    check_without_content,
    divergence_error,
    enlarge,
    first_rows,
    has_diverged,
    make_masks,
    make_targets,
    network_at,
    optimize_level,
    pair_by_tiles,
    pair_initial_picture,
    pair_picture,
    prepare_for_one,
    schedule,
    solver,
    split_over_devices,
    start_level,
    style_sizes,
    style_statistics,
)
from jaxstyle.styles import Style, make_style, select_layers
from jaxstyle.weights import network_or_default


@dataclass(frozen=True, eq=False)
class Stylized:
    """The result of a stylization.

    Attributes:
        image: `[H, W, 3]` float32 in [0, 1].
        history: the loss and its terms at every step, in order through all sizes, as NumPy arrays `[steps]`.
        sizes: the longest side in pixels at each of those steps, `[steps]`.
        config: the settings that were used.
        error: why the optimization ended early with the last good image; None for every result of `stylize`.
    """

    image: np.ndarray
    history: Terms
    sizes: np.ndarray
    config: StyleConfig
    error: DivergedError | None = None


def stylize(
    content: np.ndarray,
    style: np.ndarray | Style | Sequence[np.ndarray | Style],
    *,
    network: Network | None = None,
    config: StyleConfig = DEFAULTS,
    seed: int = 0,
    initial_picture: np.ndarray | None = None,
    content_mask: np.ndarray | None = None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None = None,
    strength_mask: np.ndarray | None = None,
    callback: Callable[[Progress], None] | None = None,
    resume: Progress | None = None,
) -> Stylized:
    """Stylize a content picture with a style picture (Gatys et al., arXiv 1508.06576).

    Args:
        content: `[H, W, 3]` RGB in [0, 1]; the result has its aspect ratio. With alpha, `[H, W, 4]`, only the visible
            pixels have an effect on the style of the result, which has no alpha itself.
        style: one picture `[h, w, 3]` or measured `Style`, or several, which are blended. With alpha, `[h, w, 4]`, only
            the visible pixels count.
        network: the recognition network; the embedded VGG-19 by default.
        config: what to compare and how to optimize.
        seed: of the noise, if `config.init` has any.
        initial_picture: a picture `[h, w, 3]` to start from, with the content's aspect ratio, if `config.init` has
            "picture".
        content_mask: the regions of the content; each takes its style from the same region of `style_mask`. A mask is
            `[H, W]` in [0, 1] for one region and the rest, or `[K, H, W]` for K regions, of any size with the
            picture's aspect ratio.
        style_mask: the regions of the style; for several styles, a list with a mask for each. A region that a style
            lacks takes the whole style.
        strength_mask: where and how strongly to paint, `[H, W]` from 0 to 1 with the content's aspect ratio. Where it
            is 0, the result is the content; only where it is above 0 does the result count for the style.
        callback: called with a `Progress` at the start of each size and after every few steps; an exception from it
            ends the run.
        resume: a `Progress` that the callback got in a run with the same arguments, to continue from. The result is
            the same as that of an uninterrupted run.

    Raises:
        PictureError: if a picture or mask has the wrong shape, values out of range, or is too small; if a mask or the
            initial picture has other proportions than its picture, by more than 2 %.
        ConfigError: if the settings do not fit the network, a measured style, or the number of styles; for one mask
            without the other; for regions of a measured style; for an argument of another type.
        DivergedError: if the optimization diverges; the callback has seen the pictures before.
    """
    network = network_or_default(network)
    check_config(config)
    check_seed(seed)
    check_callback(callback)
    if resume is not None:
        check_type("resume", resume, Progress, "a Progress that a callback got")
    config = resolve_layers(config, network.architecture)
    network = prepare_for_one(network, config)
    pair = Pair(content, tuple(as_style_list(style)), config, seed, initial_picture, strength_mask)
    pair = pair_by_tiles(network, check_pair(network, pair))
    content, config, finish = pair.content, pair.config, partial(pair_picture, pair)
    masks = make_masks(network, config, content, pair.styles, content_mask, style_mask)

    def on_progress(progress: Progress) -> None:
        if has_diverged(progress, config.total_weight):
            raise divergence_error(progress)
        if callback:
            cropped = progress.finish
            progress = replace(progress, finish=lambda picture: finish(cropped(picture)))
            _ = progress.picture  # now, so that it can be kept: the state is donated to the next call
            callback(progress)

    levels, progress = schedule(config, *content.shape[:2]), None
    first = resume.level if resume else 0
    makers = [partial(_targets, network, config, content, pair.styles, masks, size) for size, _ in levels[first:]]
    # Larger sizes are measured and compiled while smaller ones are optimized.
    with compile_in_background(makers, partial(_compile, network, config)) as futures:
        for level, (targets_future, compiled) in enumerate(futures, first):
            targets = targets_future.result()
            bands, height = targets.objective.bands, targets.content.shape[0]
            if resume:  # with a copy of the state, which the solver donates
                progress = replace(resume, state=solver.restore(resume.state, height, bands))
                resume = None  # its state takes memory
            elif progress is None:
                picture = pair_initial_picture(pair, targets)
                progress = start_level(levels, level, solver.start(picture, bands, optimizer=config.optimizer))
            else:
                picture = enlarge(progress.picture, resize_longest(content[..., :3], progress.size), targets.content)
                state = solver.start(picture, bands, optimizer=config.optimizer)
                progress = start_level(levels, level, state, progress.history)
            progress = replace(progress, finish=partial(first_rows, height))
            sized, objective = network_at(network, progress.size), jax.device_put(targets.objective)
            run = partial(solver.run, bands.replicate(sized) if bands else sized, objective, optimizer=config.optimizer)
            compiled.result()
            progress = optimize_level(progress, run, on_progress, by_tiles=objective.tile_size is not None)
    assert progress is not None
    return Stylized(finish(progress.picture), progress.history, np.repeat(*np.transpose(levels)), config)


def _targets(network: Network, config: StyleConfig, *arguments: Any) -> Targets:
    """`make_targets`, on several devices if the picture is split over them."""
    targets = make_targets(network, config, *arguments)
    return replace(targets, objective=split_over_devices(network, config, targets.objective, targets.content.shape[0]))


def _compile(network: Network, config: StyleConfig, targets: Targets) -> None:
    """Compile the step program of a size."""
    network = network_at(network, max(targets.content.shape[:2]))
    bands, shape = targets.objective.bands, targets.content.shape
    rows = shape[0] if bands is None else bands.count * bands.rows
    picture = jax.ShapeDtypeStruct((rows, *shape[1:]), np.float32)
    state = solver.init.jitted.eval_shape(picture, optimizer=config.optimizer)  # which traces each shape only once
    if bands:
        network, state = bands.shapes(network, bands.sharding), bands.shapes(state, bands.state_sharding)
    solver.run.compile(network, targets.objective, state, 0, optimizer=config.optimizer)


def measure_style(
    style: np.ndarray | Style | Sequence[np.ndarray | Style],
    *,
    network: Network | None = None,
    config: StyleConfig = DEFAULTS,
) -> Style:
    """Measure a style picture `[H, W, 3]`, or a blend of several, to use in its place in any number of runs.

    It is measured at every size that a run with these settings may go through, whatever the content's aspect ratio.
    With alpha, `[H, W, 4]`, only the visible pixels count.

    Raises:
        PictureError: if it is no picture, or too small.
        ConfigError: if the settings do not fit the network, a style measured before, or the number of styles, or ask
            for regions, which depend on a content.
    """
    network = network_or_default(network)
    check_config(config)
    config = resolve_layers(config, network.architecture)
    check_without_content(config)
    styles = check_styles(as_style_list(style), network, config)
    blends = [style_statistics(network, config, styles, size) for size, _ in schedule(config, 1, 1)]
    selected = [select_layers(statistics, config.style_names) for statistics in blends]
    return make_style(network, style_sizes(config), selected, config.style_representation)
