"""The optimization of one picture: state in, state and history out, many steps in one compiled call.

A step evaluates the loss and its gradient where the last one left off, and moves on along optax's direction, no pixel
farther than the trust radius. L-BFGS runs without a line search, which costs one evaluation a step where a search
costs two or more, and now and then overshoots; a step that ends in a loss above the last one, or in no number at
all, is therefore taken back: the next one starts again from the last good picture, with a fresh memory and a smaller
radius. Everything is a select on arrays, so that steps can be vmapped.
"""

from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxstyle.compilation.cached import CachedFunction
from jaxstyle.networks.convolution import COMPILER_OPTIONS
from jaxstyle.networks.network import Network
from jaxstyle.optimization.objective import Objective, Terms

STEPS_PER_CALL = 10  # the most steps between two looks from outside

_MEMORY = 20  # pairs of differences that L-BFGS remembers
_LEARNING_RATE = 0.03  # of Adam, in units of the picture's range
_RADIUS = 40 / 255  # the farthest that a pixel moves in one step
_SHRINK, _GROW = 0.25, 1.1  # of the step that was taken back; of the radius, after one that was not
_TINY = 1e-30  # keeps a step of nothing from being 0 / 0
# A loss more than this times the last one is taken back. At 1.5, losses of shallow layers climbed step by step.
_OVERSHOOT = 1.1

# Gradients of losses near 1 with respect to single pixels are tiny, and optax begins L-BFGS with a step no longer than
# the gradient. The direction does not depend on this factor otherwise.
_GRADIENT_SCALE = 1e4


def _lbfgs() -> optax.GradientTransformation:
    """optax's L-BFGS without a line search, and with the derivative that it should have.

    The first step's length, 1 / |gradient|, is a constant to optax. And where nothing moved, it selects a number in the
    place of 0 / 0, whose derivative is still none: there the step counts as constant.
    """
    lbfgs = optax.lbfgs(learning_rate=1.0, memory_size=_MEMORY, linesearch=None)

    def update(gradient: jax.Array, state: Any, picture: jax.Array) -> tuple[jax.Array, Any]:
        length = jnp.sqrt(jnp.maximum(1, jnp.sum(gradient**2)))
        stretch = jnp.where(state[0].count == 0, jax.lax.stop_gradient(length) / length, 1)  # is 1, but varies
        still = jnp.vdot(gradient - state[0].updates, picture - state[0].params) == 0
        inputs = jax.tree.map(lambda x: jnp.where(still, jax.lax.stop_gradient(x), x), (gradient, state, picture))
        move, memory = lbfgs.update(*inputs)
        return stretch * move, memory

    return optax.GradientTransformation(lbfgs.init, update)


# The tiny number under Adam's root changes no value; without it, pixels that nothing moves would have no derivative.
OPTIMIZERS = {"lbfgs": _lbfgs(), "adam": optax.adam(_LEARNING_RATE, b2=0.99, eps_root=_TINY)}


@flax.struct.dataclass
class State:
    """All that the optimization remembers: a pytree to save, resume or vmap.

    Attributes:
        trial: `[H, W, 3]`, the picture that the next step evaluates.
        picture, gradient, loss: the last good picture, and the loss and its gradient there.
        optimizer: optax's state.
        radius: the farthest that a pixel may move in the next step.
        failures: how many steps in a row were taken back.
    """

    trial: jax.Array
    picture: jax.Array
    gradient: jax.Array
    loss: jax.Array
    optimizer: optax.OptState
    radius: jax.Array
    failures: jax.Array


# Compiled, so that no two parts share a buffer and `run` may take them all.
@partial(CachedFunction, static_argnames=("optimizer",))
def init(picture: jax.Array, *, optimizer: str) -> State:
    """The state before the first step from a picture `[H, W, 3]`, with an optimizer of `OPTIMIZERS`."""
    picture = jnp.asarray(picture, jnp.float32)
    return State(
        trial=picture,
        picture=picture,
        gradient=jnp.zeros_like(picture),
        loss=jnp.asarray(jnp.inf, jnp.float32),
        optimizer=OPTIMIZERS[optimizer].init(picture),
        radius=jnp.asarray(_RADIUS, jnp.float32),
        failures=jnp.asarray(0, jnp.int32),
    )


def step(network: Network, objective: Objective, state: State, *, optimizer: str) -> tuple[State, Terms]:
    """Evaluate the trial picture, accept it or take it back, and move on; the terms are those of the trial."""
    solver = OPTIMIZERS[optimizer]

    def loss(picture: jax.Array) -> tuple[jax.Array, Terms]:
        terms = objective.terms(network, picture)
        return terms.total, terms

    (total, terms), gradient = jax.value_and_grad(loss, has_aux=True)(state.trial)
    good = jnp.isfinite(total) & jnp.isfinite(gradient).all() & (total <= _OVERSHOOT * state.loss)

    def choose(accepted: Any, kept: Any) -> Any:
        return jax.tree.map(partial(jnp.where, good), accepted, kept)

    picture, gradient, total = choose((state.trial, gradient, total), (state.picture, state.gradient, state.loss))
    memory = choose(state.optimizer, solver.init(picture))
    moved = jnp.fmin(jnp.abs(state.trial - state.picture).max(), state.radius)
    radius = jnp.where(good, jnp.minimum(_GROW * state.radius, _RADIUS), _SHRINK * moved)
    with jax.default_matmul_precision("highest"):  # they cost nothing here, and L-BFGS divides by them
        update, memory = solver.update(_GRADIENT_SCALE * gradient, memory, picture)
    farthest = jnp.abs(update).max()
    trial = picture + update * (radius / (jnp.maximum(farthest, radius) + _TINY))
    failures = jnp.where(good, 0, state.failures + 1)
    return State(trial, picture, gradient, total, memory, radius, failures), terms


def advance(
    network: Network, objective: Objective, state: State, steps: jax.Array, *, optimizer: str
) -> tuple[State, Terms]:
    """Take `steps` steps, at most `CHUNK`; one program does for any number of them.

    Returns:
        The state after them, and the terms of each step, `[CHUNK]`, of which the first `steps` are filled in.
    """

    def body(index: jax.Array, carry: tuple[State, Terms]) -> tuple[State, Terms]:
        state, history = carry
        state, terms = step(network, objective, state, optimizer=optimizer)
        return state, jax.tree.map(lambda past, now: past.at[index].set(now), history, terms)

    history = Terms(*(jnp.zeros(STEPS_PER_CALL) for _ in range(5)))
    return jax.lax.fori_loop(0, steps, body, (state, history))


run = CachedFunction(
    advance, static_argnames=("optimizer",), donate_argnames=("state",), compiler_options=COMPILER_OPTIONS
)


def descend(network: Network, objective: Objective, picture: jax.Array, steps: int, *, optimizer: str) -> jax.Array:
    """The last good picture after a fixed number of steps from `picture`: pure, and differentiable in all arrays.

    Its derivative computes every step a second time, so as to remember no more than the states between steps.
    """

    @jax.checkpoint
    def body(state: State, _: None) -> tuple[State, None]:
        return step(network, objective, state, optimizer=optimizer)[0], None

    # shard_map demands that a loop's state vary over the mesh from the start, as all that a step depends on does.
    inputs = jax.tree.leaves((network, objective, picture))
    nothing = jnp.where(True, 0.0, sum(jnp.ravel(leaf)[0] for leaf in inputs))
    state = jax.tree.map(lambda leaf: leaf + nothing.astype(leaf.dtype), init(picture, optimizer=optimizer))
    state, _ = jax.lax.scan(body, state, None, length=steps)
    return state.picture
