"""One picture in the style of another: the main path, from arrays to an array, coarse to fine."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxstyle import solver
from jaxstyle.ahead import ahead
from jaxstyle.aims import Aim, aim_at, as_styles, check_content, check_style, check_whole, masks_of, statistics_at
from jaxstyle.config import StyleConfig
from jaxstyle.errors import DivergedError
from jaxstyle.networks import Network, with_layers
from jaxstyle.objective import Objective, Terms
from jaxstyle.programs import Kept
from jaxstyle.pyramid import at_scale, check_picture, enlarge, schedule, style_sizes
from jaxstyle.starts import starting_picture
from jaxstyle.styles import Style, in_layers, make_style
from jaxstyle.weights import load_network

# Steps in a row that were taken back before the optimisation counts as lost: the radius is then below 1e-5.
_MAX_FAILURES = 8

DEFAULTS = StyleConfig()
_prepare = Kept(Network.prepare, static_argnames=("layers",))


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a stylisation stands, as its callback sees it.

    Attributes:
        size: the present longest side; `level` counts these from 0, and there are `levels`.
        step: steps taken at this size, of `steps`; at 0 the size's program may have yet to be compiled.
        terms: the loss and its parts at the last step, or None at step 0.
        picture: `[h, w, 3]` in [0, 1], as it stands.
        history: the terms of every step so far, as in `Stylized`.
        state: all that the solver remembers. The solver takes it back with the next step: copy it to keep it.
    """

    size: int
    level: int
    levels: int
    step: int
    steps: int
    terms: Terms | None
    picture: np.ndarray
    history: Terms
    state: solver.State


@dataclass(frozen=True, eq=False)
class Stylized:
    """A finished stylisation.

    Attributes:
        image: `[H, W, 3]` float32 in [0, 1].
        history: the terms of every step, in order through all sizes, as NumPy arrays `[steps]`.
        sizes: the longest side at each of those steps, `[steps]`.
        config: the settings that made it.
        error: why the image is only the last good one; None if it is finished, as those of `stylize` always are.
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
    start: np.ndarray | None = None,
    content_mask: np.ndarray | None = None,
    style_mask: np.ndarray | Sequence[np.ndarray] | None = None,
    callback: Callable[[Progress], None] | None = None,
    resume: Progress | None = None,
) -> Stylized:
    """Paint the content in the manner of the style (Gatys et al., arXiv 1508.06576).

    Args:
        content: `[H, W, 3]` RGB in [0, 1]; the result keeps its proportions.
        style: one picture `[h, w, 3]` or measured `Style`, or several, which are blended.
        network: the recognition network; the embedded VGG-19 if there is none.
        config: what to compare and how to optimise.
        seed: of the noise, for starting points that have some.
        start: a picture `[h, w, 3]` to start from, where `config.init` has "picture".
        content_mask, style_mask: which part of the content takes the style of which part of the style: `[H, W]` from 0
            to 1 for one region and the rest, or `[K, H, W]` for K regions, of any height and width; of several styles
            a list of masks, one for each. A region that a style does not have takes the style of the whole.
        callback: called at the start of each size and after every few steps; whatever it raises ends the run.
        resume: where to go on: what the callback of a run with the same arguments saw. The result is the same.

    Raises:
        PictureError: if a picture or mask has the wrong shape, numbers out of range, or is too small.
        ConfigError: if the settings do not fit the network, a measured style, or the number of styles; or if there is
            one mask without the other, or regions of a measured style.
        DivergedError: if the loss went out of bounds for good; the callback has seen the pictures before.
    """
    network = network or load_network()
    config = with_layers(config, network.architecture)
    network = prepared(network, config)
    content = check_content(content, config)
    styles = [check_style(style, network, config) for style in as_styles(style)]
    start = start if start is None else check_picture(start)
    masks = masks_of(network, config, content, styles, content_mask, style_mask)

    def look(progress: Progress) -> None:
        if is_lost(progress):
            raise diverged(progress)
        if callback:
            callback(progress)

    levels, progress = schedule(config, *content.shape[:2]), None
    if resume:  # with a copy, because the solver takes its state
        progress = replace(resume, state=jax.tree.map(lambda part: jax.device_put(np.array(part)), resume.state))
    first = resume.level if resume else 0
    makers = [partial(aim_at, network, config, content, styles, masks, size) for size, _ in levels[first:]]
    with ahead(makers, partial(_compile, network, config)) as sizes:
        for level, (made, compiled) in enumerate(sizes, first):
            aim = made.result()
            if progress is None:
                picture = starting_picture(
                    config.init, aim.content, aim.statistics, style=styles[0], picture=start, seed=seed, mask=aim.mask
                )
                progress = begin(levels, level, solver.init(picture, optimizer=config.optimizer))
            elif progress.level < level:
                picture = enlarge(progress.picture, at_scale(content, progress.size), aim.content)
                progress = begin(levels, level, solver.init(picture, optimizer=config.optimizer), progress.history)
            progress = optimise(progress, partial(_steps, compiled, network, aim.objective, config), look)
    assert progress is not None
    return Stylized(progress.picture, progress.history, np.repeat(*np.transpose(levels)), config)


def _compile(network: Network, config: StyleConfig, aim: Aim) -> None:
    """Have the steps of a size compiled, by taking none."""
    state = solver.init(aim.content, optimizer=config.optimizer)
    solver.run(network, aim.objective, state, 0, optimizer=config.optimizer)


def _steps(
    compiled: Future[None], network: Network, objective: Objective, config: StyleConfig, state: solver.State, count: int
) -> tuple[solver.State, Terms]:
    compiled.result()
    return solver.run(network, objective, state, count, optimizer=config.optimizer)


def begin(levels: Sequence[tuple[int, int]], level: int, state: solver.State, history: Terms | None = None) -> Progress:
    """The moment before the first step of a level, with what happened at the levels before."""
    size, steps = levels[level]
    if history is None:
        nothing: Any = np.zeros((*state.loss.shape, 0), np.float32)
        history = Terms(*[nothing] * 5)
    return Progress(size, level, len(levels), 0, steps, None, np.clip(state.picture, 0, 1), history, state)


def optimise(
    progress: Progress,
    advance: Callable[[solver.State, int], tuple[solver.State, Terms]],
    look: Callable[[Progress], None],
) -> Progress:
    """Take the steps that are left at the present size, and `look` before, between and after their chunks."""
    look(progress)
    while progress.step < progress.steps:
        count = min(solver.CHUNK, progress.steps - progress.step)
        state, terms = advance(progress.state, count)
        chunk = jax.tree.map(lambda values, count=count: np.asarray(values)[..., :count], terms)
        progress = replace(
            progress,
            step=progress.step + count,
            terms=jax.tree.map(lambda values: values[..., -1], chunk),
            picture=np.clip(state.picture, 0, 1),
            history=jax.tree.map(lambda *parts: np.concatenate(parts, -1), progress.history, chunk),
            state=state,
        )
        look(progress)
    return progress


def is_lost(progress: Progress) -> np.ndarray:
    """Whether the last steps were all taken back, or never was there a number."""
    failures = np.asarray(progress.state.failures) >= min(_MAX_FAILURES, max(1, progress.steps - 1))
    return (failures | ~np.isfinite(progress.state.loss)) & (progress.step > 0)


def diverged(progress: Progress, lane: int = 0) -> DivergedError:
    """The error of an optimisation that `is_lost`."""
    loss = np.atleast_1d(progress.state.loss)[lane]
    return DivergedError(
        f"the loss went out of bounds at {progress.size} px after {progress.step} steps and did not come back "
        f"(last good: {loss:.4g}); lower the weights, or try another optimizer"
    )


def prepared(network: Network, *configs: StyleConfig) -> Network:
    """The network with its kernels transformed, on CPU, where that is of use: for these settings, or without any."""
    if network.prepared or jax.default_backend() != "cpu":
        return network
    layers = [layer for config in configs for layer in (*config.content_names, *config.style_names)]
    deepest = network.up_to(layers)[-1:] if layers else None  # by itself, so that fewer settings need a program
    return _prepare(network, deepest)


def measure_style(
    style: np.ndarray | Style | Sequence[np.ndarray | Style],
    *,
    network: Network | None = None,
    config: StyleConfig = DEFAULTS,
) -> Style:
    """Measure a style picture `[H, W, 3]`, or a blend of several, once, for use in its place in any number of runs.

    It is measured at every size that a run with these settings goes through, whatever the content's proportions.

    Raises:
        PictureError: if it is no picture, or too small.
        ConfigError: if the settings do not fit the network, a style measured before, or the number of styles, or ask
            for regions, which are those of a content too.
    """
    network = network or load_network()
    config = with_layers(config, network.architecture)
    check_whole(config)
    styles = [check_style(each, network, config) for each in as_styles(style)]
    blends = [statistics_at(network, config, styles, size) for size, _ in schedule(config, 1, 1)]
    own = [in_layers(part, config.style_names) for part in blends]
    return make_style(network, style_sizes(config), own, config.style_representation)
