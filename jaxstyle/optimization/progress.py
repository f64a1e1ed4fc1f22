"""The optimization at one size: steps in compiled calls, a callback between them, and the check for divergence."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxstyle.compilation import stage
from jaxstyle.errors import DivergedError
from jaxstyle.optimization import solver
from jaxstyle.optimization.objective import Terms

# Rejected steps in a row after which the optimization counts as diverged: the trust radius is then below 1e-5.
_MAX_FAILURES = 8
_ROUNDING = 1e-4  # of a loss, relative to it or to the sum of the weights
_PIXELS_PER_CALL = {"cpu": 10 * 512**2}  # together, of all steps of a call
_SOLVED = 1e-3  # a loss relative to the sum of the weights, which it is otherwise near, with nothing left to optimize


def as_it_is(picture: np.ndarray) -> np.ndarray:
    """The picture itself."""
    return picture


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a stylization, as its callback gets it.

    Attributes:
        size: the current longest side in pixels.
        level: the index of that size, from 0.
        levels: the number of sizes.
        step: the number of steps taken at this size. In a batch, the program may still be compiling at step 0.
        steps: the number of steps to take at this size.
        terms: the loss and its terms at the last step; None at step 0.
        history: the terms of every step so far, as in `Stylized`.
        state: the state of the solver, which is donated to the next call: copy it to keep it.
        finish: makes the picture to show from the one that is optimized.
    """

    size: int
    level: int
    levels: int
    step: int
    steps: int
    terms: Terms | None
    history: Terms
    state: solver.State
    finish: Callable[[np.ndarray], np.ndarray] = as_it_is

    @property
    def is_last(self) -> bool:
        """Whether all steps at all sizes are taken."""
        return self.step == self.steps and self.level + 1 == self.levels

    @cached_property
    def picture(self) -> np.ndarray:
        """The current picture, `[h, w, 3]` in [0, 1].

        It is copied from the device when it is first read, which must be before the state is donated: in the callback.
        """
        return self.finish(np.clip(np.asarray(self.state.picture), 0, 1))

    def __str__(self) -> str:
        """One line, so that `print` can be a callback."""
        loss = "no loss yet" if self.terms is None else f"loss {np.mean(self.terms.total):.4g}"
        return f"{self.size} px ({self.level + 1}/{self.levels}): step {self.step} of {self.steps}, {loss}"


def start_level(
    levels: Sequence[tuple[int, int]], level: int, state: solver.State, history: Terms | None = None
) -> Progress:
    """The progress before the first step of a level, with the history of the levels before it."""
    size, steps = levels[level]
    if history is None:
        empty: Any = np.zeros((*state.loss.shape, 0), np.float32)
        history = Terms(*[empty] * len(fields(Terms)))
    return Progress(size, level, len(levels), 0, steps, None, history, state)


def optimize_level(
    progress: Progress,
    run: Callable[[solver.State, int], tuple[solver.State, Terms]],
    callback: Callable[[Progress], None],
    *,
    by_tiles: bool = False,
) -> Progress:
    """Take the remaining steps at the current size, a few per compiled call: one by tiles, and on a CPU the fewer, the
    larger the pictures, so that a run can be followed and stopped.

    Args:
        progress: from `start_level`, or where an interrupted run is resumed.
        run: takes a state and a number of steps; returns the new state and the terms of each step.
        callback: called before the first step and after each compiled call.
        by_tiles: whether the picture is computed by tiles.
    """
    steps_per_call = 1 if by_tiles else _steps_per_call(progress.state.picture.size // 3)
    callback(progress)
    while progress.step < progress.steps:
        count = min(steps_per_call, progress.steps - progress.step)
        with stage("steps"):
            state, terms = run(progress.state, count)
            terms = jax.tree.map(lambda values, count=count: np.asarray(values)[..., :count], terms)
        progress = replace(
            progress,
            step=progress.step + count,
            terms=jax.tree.map(lambda values: values[..., -1], terms),
            history=jax.tree.map(lambda *values: np.concatenate(values, -1), progress.history, terms),
            state=state,
        )
        callback(progress)
    return progress


def _steps_per_call(pixels: int) -> int:
    """The steps in a compiled call, for pictures with this many pixels together: a divisor of the most, so that what
    happens after every ten steps does so at every size.
    """
    most = _PIXELS_PER_CALL.get(jax.default_backend(), math.inf) / pixels
    return next((steps for steps in (solver.STEPS_PER_CALL, 5, 2) if steps <= most), 1)


def has_diverged(progress: Progress, total_weight: ArrayLike) -> np.ndarray:
    """Whether the last steps were all rejected, or the loss was never finite; one value for each picture of a batch.

    At a minimum, such as a flat picture with a flat style, the first steps overshoot and later ones are rejected for
    rounding: the loss of the picture is then about 0, or the last rejected loss.

    Args:
        progress: of one picture or a batch.
        total_weight: the sum of the weights of the loss, for each picture or for all.
    """
    if progress.terms is None:
        return np.zeros(np.shape(progress.state.loss), bool)
    failures = np.asarray(progress.state.failures) >= min(_MAX_FAILURES, max(1, progress.steps - 1))
    loss, last = np.asarray(progress.state.loss), np.asarray(progress.terms.total)
    with np.errstate(invalid="ignore"):
        is_solved = loss <= _SOLVED * np.asarray(total_weight)
        is_minimum = is_solved | (np.abs(last - loss) <= _ROUNDING * np.maximum(total_weight, loss))
    return (failures & ~is_minimum) | ~np.isfinite(loss)


def divergence_error(progress: Progress, index: int = 0) -> DivergedError:
    """The error for an optimization that `has_diverged`; `index` is its place in a batch."""
    loss = np.atleast_1d(progress.state.loss)[index]
    found = f"last good loss: {loss:.4g}" if np.isfinite(loss) else "no loss was finite"
    if np.isfinite(loss) and progress.steps <= _MAX_FAILURES:
        return DivergedError(
            f"no step at {progress.size} px lowered the loss in {progress.steps} steps ({found}); take more steps, or "
            "lower the weights"
        )
    return DivergedError(
        f"the optimization diverged at {progress.size} px within {progress.step} steps ({found}); "
        "lower the weights, or try another optimizer"
    )
