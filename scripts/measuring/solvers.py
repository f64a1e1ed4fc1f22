"""The solvers that `compare_solvers` compares: jaxstyle's and others, with the same three functions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.networks import Network
from jaxstyle.optimization import Objective, Terms, solver

SCALE = 1e4  # of the loss; the first step of optax's L-BFGS is not longer than the gradient, which is tiny
MEMORY = 20  # pairs of differences in the memory of L-BFGS, as in jaxstyle
ADAM = {"b2": 0.99}
LEARNING_RATE = 0.03  # of Adam, as in jaxstyle
INITIAL_LEARNING_RATE = 0.1  # of Adam with a decreasing learning rate
DECAY = 0.9  # of the exponential moving average of pictures


@dataclass(frozen=True)
class Solver:
    """A solver.

    Attributes:
        init: returns the first state, from the network, the objective, a picture, the last state of the size before or
            None, and the expected number of steps.
        step: returns the next state, from the network, the objective and a state.
        picture: returns the picture of a state.
    """

    init: Callable[[Network, Objective, jax.Array, Any, int], Any]
    step: Callable[[Network, Objective, Any], Any]
    picture: Callable[[Any], jax.Array]


def jaxstyle_solver(optimizer: str) -> Solver:
    """The solver of jaxstyle."""
    return Solver(
        lambda network, objective, picture, previous, steps: solver.init(picture, optimizer=optimizer),
        lambda network, objective, state: solver.step(network, objective, state, optimizer=optimizer)[0],
        lambda state: state.picture,
    )


@jax.jit
def _gradient(network: Network, objective: Objective, picture: jax.Array) -> jax.Array:
    return jax.grad(lambda picture: objective.terms(network, picture).total)(picture)


def _init_with_memory(network: Network, objective: Objective, picture: jax.Array, previous: Any, steps: int) -> Any:
    """A state with the enlarged memory of a smaller size: the updates, and the differences of the gradients.

    The gradients are scaled down, because they are spread over more pixels. The state is such that the last update of
    the memory appears to have led to `picture`.
    """
    state = solver.init(picture, optimizer="lbfgs")
    if previous is None:
        return state
    memory, scale = previous.optimizer, previous.picture.size / picture.size

    def resized(pictures: jax.Array) -> jax.Array:
        return jax.image.resize(pictures, (*pictures.shape[:-3], *picture.shape), "linear")

    updates, differences = resized(memory.moves), scale * resized(memory.changes)
    last = (memory.count - 2) % MEMORY
    products = jnp.sum(updates * differences, (1, 2, 3))
    memory = replace(
        memory,
        count=memory.count - 1,
        moves=updates,
        changes=differences,
        weights=jnp.where(products > 0, 1 / products, 0),
    )
    gradient = _gradient(network, objective, picture) - differences[last] / SCALE
    return replace(state, optimizer=memory, picture=picture - updates[last], gradient=gradient)


def enlarged_memory() -> Solver:
    """jaxstyle's L-BFGS, with its memory enlarged from each size to the next."""
    lbfgs = jaxstyle_solver("lbfgs")
    return Solver(_init_with_memory, lbfgs.step, lbfgs.picture)


@flax.struct.dataclass
class Whitened:
    """An objective for whitened pictures, whose frequencies are scaled by f; amplitudes of photographs fall as 1/f."""

    objective: Objective

    def terms(self, network: Network, white: jax.Array) -> Terms:
        return self.objective.terms(network, _scale_frequencies(white, 1))


def _scale_frequencies(picture: jax.Array, power: int) -> jax.Array:
    """Multiply each frequency f of a picture `[H, W, 3]` by (1/f)^power, relative to the mean of 1/f.

    A power of -1 is the inverse of a power of 1.
    """
    height, width = picture.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = 1 / np.maximum(frequency, 1 / max(height, width))
    amplitude = jnp.asarray((amplitude / amplitude.mean()) ** power, jnp.float32)[..., None]
    return jnp.fft.irfft2(jnp.fft.rfft2(picture, axes=(0, 1)) * amplitude, (height, width), axes=(0, 1))


def whitened() -> Solver:
    """jaxstyle's L-BFGS on whitened pictures, which is L-BFGS preconditioned by 1/f^2."""
    lbfgs = jaxstyle_solver("lbfgs")
    return Solver(
        lambda network, objective, picture, previous, steps: lbfgs.init(
            network, objective, _scale_frequencies(picture, -1), previous, steps
        ),
        lambda network, objective, state: lbfgs.step(network, cast(Objective, Whitened(objective)), state),
        lambda state: _scale_frequencies(state.picture, 1),
    )


def zoom_line_search() -> Solver:
    """optax's L-BFGS with its zoom line search."""
    search = optax.lbfgs(memory_size=MEMORY)

    def step(network: Network, objective: Objective, state: Any) -> Any:
        picture, memory = state

        def loss(picture: jax.Array) -> jax.Array:
            return SCALE * objective.terms(network, picture).total

        value, gradient = optax.value_and_grad_from_state(loss)(picture, state=memory)
        update, memory = search.update(gradient, memory, picture, value=value, grad=gradient, value_fn=loss)
        return picture + update, memory

    return Solver(
        lambda network, objective, picture, previous, steps: (picture, search.init(picture)),
        step,
        lambda state: state[0],
    )


@flax.struct.dataclass
class AdamState:
    """The state of `adam`.

    Attributes:
        picture: the last picture.
        average: exponential moving average of the pictures.
        weight: the sum of the weights in the average.
        memory: optax's state.
        step: the number of steps taken.
        steps: the expected number of steps.
    """

    picture: jax.Array
    average: jax.Array
    weight: jax.Array
    memory: optax.OptState
    step: jax.Array
    steps: jax.Array


def adam(*, decreasing: bool = False, averaged: bool = False) -> Solver:
    """optax's Adam with a cosine schedule of the learning rate, or with the average of the pictures as the result."""
    unit = optax.adam(1.0, **ADAM)

    def init(network: Network, objective: Objective, picture: jax.Array, previous: Any, steps: int) -> AdamState:
        zero = jnp.zeros(())
        return AdamState(picture, jnp.zeros_like(picture), zero, unit.init(picture), zero, jnp.asarray(float(steps)))

    def step(network: Network, objective: Objective, state: AdamState) -> AdamState:
        update, memory = unit.update(_gradient(network, objective, state.picture), state.memory)
        fraction = jnp.minimum(1, state.step / state.steps)
        rate = INITIAL_LEARNING_RATE * (1 + jnp.cos(jnp.pi * fraction)) / 2 if decreasing else LEARNING_RATE
        picture = state.picture + rate * update
        average = DECAY * state.average + (1 - DECAY) * picture
        weight = DECAY * state.weight + (1 - DECAY)
        return AdamState(picture, average, weight, memory, state.step + 1, state.steps)

    def result(state: AdamState) -> jax.Array:
        return state.average / state.weight if averaged else state.picture

    return Solver(init, step, result)


@partial(jax.jit, static_argnums=(0, 1))
def advance(solver: Solver, count: int, network: Network, objective: Objective, state: Any) -> Any:
    """The state after `count` steps."""
    return jax.lax.fori_loop(0, count, lambda _, state: solver.step(network, objective, state), state)
