"""Ways to step towards a lower loss, jaxstyle's own and others, each as three functions that scripts/compare_solvers
calls alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.networks.network import Network
from jaxstyle.optimization import solver
from jaxstyle.optimization.objective import Objective, Terms

SCALE = 1e4  # of the loss: optax begins L-BFGS with a step no longer than the gradient, and that is tiny
MEMORY = 20  # of L-BFGS, as jaxstyle's
ADAM = {"b2": 0.99}
RATE, FASTEST = 0.03, 0.1  # of Adam, as jaxstyle's; where it falls from there to nothing
AVERAGED = 0.9  # share of the average that stays in each step


@dataclass(frozen=True)
class Solver:
    """A way to step.

    Attributes:
        start: from the network, the objective, a picture, the last state of the size before or None, and the steps that
            are likely to be taken, the first state.
        step: from the network, the objective and a state, the next state.
        shown: from a state, the picture.
    """

    start: Callable[[Network, Objective, jax.Array, Any, int], Any]
    step: Callable[[Network, Objective, Any], Any]
    shown: Callable[[Any], jax.Array]


def ours(optimizer: str) -> Solver:
    """jaxstyle's own, with or without a smaller size's memory."""
    return Solver(
        lambda network, objective, picture, before, steps: solver.init(picture, optimizer=optimizer),
        lambda network, objective, state: solver.step(network, objective, state, optimizer=optimizer)[0],
        lambda state: state.picture,
    )


@jax.jit
def _gradient(network: Network, objective: Objective, picture: jax.Array) -> jax.Array:
    return jax.grad(lambda picture: objective.terms(network, picture).total)(picture)


def _with_memory(network: Network, objective: Objective, picture: jax.Array, before: Any, steps: int) -> Any:
    """A state with the memory of a smaller size, enlarged: its moves, and the changes of the gradient that they made,
    which are spread over more pixels now. The last of them is made to look like the step that led here."""
    state = solver.init(picture, optimizer="lbfgs")
    if before is None:
        return state
    memory, *rest = before.optimizer
    spread = memory.params.size / picture.size

    def larger(pictures: jax.Array) -> jax.Array:
        return jax.image.resize(pictures, (*pictures.shape[:-3], *picture.shape), "linear")

    moves, changes = larger(memory.diff_params_memory), spread * larger(memory.diff_updates_memory)
    last = (memory.count - 2) % MEMORY
    products = jnp.sum(moves * changes, (1, 2, 3))
    memory = memory._replace(
        count=memory.count - 1,
        params=picture - moves[last],
        updates=SCALE * _gradient(network, objective, picture) - changes[last],
        diff_params_memory=moves,
        diff_updates_memory=changes,
        weights_memory=jnp.where(products > 0, 1 / products, 0),
    )
    return replace(state, optimizer=(memory, *rest))


def with_memory() -> Solver:
    """jaxstyle's L-BFGS, whose memory goes from each size to the next."""
    return Solver(_with_memory, ours("lbfgs").step, ours("lbfgs").shown)


@flax.struct.dataclass
class Whitened:
    """An objective of pictures whose frequencies are scaled to equal strength, 1/f being that of photographs."""

    objective: Objective

    def terms(self, network: Network, white: jax.Array) -> Terms:
        return self.objective.terms(network, _colored(white, 1))


def _colored(picture: jax.Array, power: int) -> jax.Array:
    """`[H, W, 3]` with each frequency f times (mean of 1/f / f)^power; -1 undoes what 1 does."""
    height, width = picture.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    amplitude = 1 / np.maximum(frequency, 1 / max(height, width))
    amplitude = jnp.asarray((amplitude / amplitude.mean()) ** power, jnp.float32)[..., None]
    return jnp.fft.irfft2(jnp.fft.rfft2(picture, axes=(0, 1)) * amplitude, (height, width), axes=(0, 1))


def whitened() -> Solver:
    """jaxstyle's L-BFGS on whitened pictures: it is preconditioned by 1/f^2."""
    own = ours("lbfgs")
    return Solver(
        lambda network, objective, picture, before, steps: own.start(
            network, objective, _colored(picture, -1), before, steps
        ),
        lambda network, objective, state: own.step(network, cast(Objective, Whitened(objective)), state),
        lambda state: _colored(state.picture, 1),
    )


def searching() -> Solver:
    """optax's L-BFGS with its zoom line search, which evaluates until a step is good enough."""
    search = optax.lbfgs(memory_size=MEMORY)

    def step(network: Network, objective: Objective, state: Any) -> Any:
        picture, memory = state

        def loss(picture: jax.Array) -> jax.Array:
            return SCALE * objective.terms(network, picture).total

        value, gradient = optax.value_and_grad_from_state(loss)(picture, state=memory)
        update, memory = search.update(gradient, memory, picture, value=value, grad=gradient, value_fn=loss)
        return picture + update, memory

    return Solver(
        lambda network, objective, picture, before, steps: (picture, search.init(picture)),
        step,
        lambda state: state[0],
    )


@flax.struct.dataclass
class AdamState:
    """`average` is of the pictures of all steps, weighted towards the last; `share` adds up the weights."""

    picture: jax.Array
    average: jax.Array
    share: jax.Array
    memory: optax.OptState
    taken: jax.Array
    steps: jax.Array


def adam(*, falling: bool = False, averaged: bool = False) -> Solver:
    """optax's Adam with a rate that falls by a cosine, or with an average of the pictures as the result."""
    unit = optax.adam(1.0, **ADAM)

    def start(network: Network, objective: Objective, picture: jax.Array, before: Any, steps: int) -> AdamState:
        zero = jnp.zeros(())
        return AdamState(picture, jnp.zeros_like(picture), zero, unit.init(picture), zero, jnp.asarray(float(steps)))

    def step(network: Network, objective: Objective, state: AdamState) -> AdamState:
        update, memory = unit.update(_gradient(network, objective, state.picture), state.memory)
        past = jnp.minimum(1, state.taken / state.steps)
        picture = state.picture + (FASTEST * (1 + jnp.cos(jnp.pi * past)) / 2 if falling else RATE) * update
        average = AVERAGED * state.average + (1 - AVERAGED) * picture
        share = AVERAGED * state.share + (1 - AVERAGED)
        return AdamState(picture, average, share, memory, state.taken + 1, state.steps)

    def shown(state: AdamState) -> jax.Array:
        return state.average / state.share if averaged else state.picture

    return Solver(start, step, shown)


@partial(jax.jit, static_argnums=(0, 1))
def advance(solver: Solver, count: int, network: Network, objective: Objective, state: Any) -> Any:
    """The state after so many steps."""
    return jax.lax.fori_loop(0, count, lambda _, state: solver.step(network, objective, state), state)
