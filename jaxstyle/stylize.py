"""One picture in the style of another: the main path, from arrays to an array.

The optimisation goes coarse to fine. At a small size a step is cheap and sees far, so colours and large strokes settle
there; every larger size starts from the enlarged result of the one before, and has only its own detail to find.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jaxstyle import solver
from jaxstyle.config import StyleConfig
from jaxstyle.errors import DivergedError, PictureError
from jaxstyle.images import MIN_SIDE, fit, resize
from jaxstyle.networks import Network
from jaxstyle.objective import Terms, make_objective
from jaxstyle.starts import starting_picture
from jaxstyle.weights import load_network

_SMALLEST = 128  # no size on the way is smaller than this on the longest side, nor than MIN_SHORT on the other
_MIN_SHORT = 2 * MIN_SIDE
_COARSE_STEPS = 1.5  # steps at each smaller size, relative to those at full size
_DETAIL = 0.5  # share of the content's own detail that an enlarged result is given

# Steps in a row that were taken back before the optimisation counts as lost: the radius is then below 1e-5.
_MAX_FAILURES = 8
_LOST = (
    "the loss went out of bounds at {size} px after {step} steps and did not come back (last good: {loss:.4g}); "
    "lower the weights, or try another optimizer"
)

DEFAULTS = StyleConfig()
_prepare = jax.jit(Network.prepare)


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a stylisation stands, as its callback sees it.

    Attributes:
        size: the present longest side; `level` counts these from 0, and there are `levels`.
        step: steps taken at this size, of `steps`; at 0 the size's programs have yet to be compiled.
        terms: the loss and its parts at the last step, or None at step 0.
        picture: `[h, w, 3]` in [0, 1], as it stands.
    """

    size: int
    level: int
    levels: int
    step: int
    steps: int
    terms: Terms | None
    picture: np.ndarray


@dataclass(frozen=True, eq=False)
class Stylized:
    """A finished stylisation.

    Attributes:
        image: `[H, W, 3]` float32 in [0, 1].
        history: the terms of every step, in order through all sizes, as NumPy arrays `[steps]`.
        sizes: the longest side at each of those steps, `[steps]`.
        config: the settings that made it.
    """

    image: np.ndarray
    history: Terms
    sizes: np.ndarray
    config: StyleConfig


def stylize(
    content: np.ndarray,
    style: np.ndarray | Sequence[np.ndarray],
    *,
    network: Network | None = None,
    config: StyleConfig = DEFAULTS,
    seed: int = 0,
    start: np.ndarray | None = None,
    callback: Callable[[Progress], None] | None = None,
) -> Stylized:
    """Paint the content in the manner of the style (Gatys et al., arXiv 1508.06576).

    Args:
        content: `[H, W, 3]` RGB in [0, 1]; the result keeps its proportions.
        style: one picture `[h, w, 3]`, or several, whose styles are blended.
        network: the recognition network; the embedded VGG-19 if there is none.
        config: what to compare and how to optimise.
        seed: of the noise, for starting points that have some.
        start: a picture `[h, w, 3]` to start from, where `config.init` has "picture".
        callback: called at the start of each size and after every few steps; whatever it raises ends the run.

    Raises:
        PictureError: if a picture has the wrong shape, numbers out of range, or is too small.
        ConfigError: if the settings do not fit the network or the number of styles.
        DivergedError: if the loss went out of bounds for good; the callback has seen the pictures before.
    """
    styles = [style] if isinstance(style, np.ndarray | jax.Array) else list(style)
    if not styles:
        raise PictureError("there is no style picture; expected at least one")
    content, *styles = [_checked(picture) for picture in (content, *styles)]
    start = start if start is None else _checked(start)
    _check_scale("content", content, config.size)
    for picture in styles:
        _check_scale("style", picture, config.size * config.style_scale)
    network = _prepare(network or load_network())
    levels = schedule(config, *content.shape[:2])
    picture, before, history = np.zeros(0), np.zeros(0), []
    for level, (size, steps) in enumerate(levels):
        target = _at_scale(content, size)
        scaled = [_at_scale(style, size * config.style_scale) for style in styles]
        if level == 0:
            picture = starting_picture(config.init, target, scaled[0], start, seed=seed)
        else:
            picture = _enlarge(picture, before, target)
        before = target

        objective = make_objective(network, config, target, scaled)
        state, done, terms = solver.init(picture, optimizer=config.optimizer), 0, None
        while True:
            picture = np.clip(state.picture, 0, 1)
            if callback:
                callback(Progress(size, level, len(levels), done, steps, terms, picture))
            if done == steps:
                break
            count = min(solver.CHUNK, steps - done)
            state, chunk = solver.run(network, objective, state, count, optimizer=config.optimizer)
            history.append(jax.tree.map(lambda values, count=count: np.asarray(values)[:count], chunk))
            terms = jax.tree.map(lambda values: float(values[-1]), history[-1])
            done += count
            if state.failures >= min(_MAX_FAILURES, max(1, steps - 1)) or not np.isfinite(state.loss):
                raise DivergedError(_LOST.format(size=size, step=done, loss=state.loss))
    return Stylized(
        image=picture,
        history=jax.tree.map(lambda *chunks: np.concatenate(chunks), *history),
        sizes=np.repeat(*np.transpose(levels)),
        config=config,
    )


def schedule(config: StyleConfig, height: int, width: int) -> tuple[tuple[int, int], ...]:
    """The sizes from coarse to fine and the steps at each, `((longest side, steps), ...)`, for a content's shape."""
    sizes = [config.size]
    while sizes[0] // 2 >= _SMALLEST and min(fit(height, width, sizes[0] // 2)) >= _MIN_SHORT:
        sizes.insert(0, sizes[0] // 2)
    return tuple((size, config.steps if size == config.size else round(_COARSE_STEPS * config.steps)) for size in sizes)


def _checked(picture: np.ndarray) -> np.ndarray:
    picture = np.asarray(picture)
    floats = np.issubdtype(picture.dtype, np.floating)
    if picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size or not floats:
        raise PictureError(f"a picture is {picture.dtype} {list(picture.shape)}; expected floats [H, W, 3] in [0, 1]")
    if not (picture.min() >= 0 and picture.max() <= 1):
        raise PictureError(f"a picture's values go from {picture.min()} to {picture.max()}; expected 0 to 1")
    return picture.astype(np.float32, copy=False)


def _check_scale(name: str, picture: np.ndarray, longest: float) -> None:
    height, width = fit(picture.shape[0], picture.shape[1], max(1, round(longest)))
    if min(height, width) < MIN_SIDE:
        raise PictureError(
            f"the {name} would be {width} x {height} pixels; expected at least {MIN_SIDE} on the shorter side: "
            "make it larger, or choose a picture that is less long"
        )


def _at_scale(picture: np.ndarray, longest: float) -> np.ndarray:
    """The picture with this longest side, or as much more as keeps `MIN_SIDE` on the other."""
    height, width = picture.shape[:2]
    enough = math.ceil(MIN_SIDE * max(height, width) / min(height, width))
    return resize(picture, *fit(height, width, max(round(longest), enough)))


def _enlarge(picture: np.ndarray, content: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A result at the next size, with some of the detail that the content `target` has beyond its smaller self."""
    height, width = target.shape[:2]
    return resize(picture, height, width) + _DETAIL * (target - resize(content, height, width))
