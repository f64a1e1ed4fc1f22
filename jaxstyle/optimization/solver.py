"""The solver: L-BFGS or Adam with a trust radius, many steps in one compiled call.

A step evaluates the loss and its gradient at the trial picture, and computes the next trial picture from optax's
update, in which no pixel moves farther than the trust radius. L-BFGS runs without a line search. That takes one
evaluation a step instead of two or more, but sometimes overshoots. A step to a much higher or non-finite loss is
therefore rejected: the next step starts from the last accepted picture, with a new optimizer state and a smaller
radius. Accepting and rejecting are selects on arrays, so that steps can be vmapped.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from jaxstyle.compilation import CachedFunction, register_output
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization import tiles
from jaxstyle.optimization.objective import Objective, Terms

STEPS_PER_CALL = 10  # the most steps in one compiled call; by tiles, which take long, there is one

# The pairs of differences that L-BFGS stores: fewer for large pictures, in at most _PAIR_BYTES. docs/print.md says what
# that costs.
_PAIRS, _FEWEST_PAIRS, _PAIR_BYTES = 20, 4, 2**29
_LEARNING_RATE = 0.03  # of Adam, in units of the picture's range
_RADIUS = 40 / 255  # the largest trust radius
_SHRINK, _GROW = 0.25, 1.1  # factor on the length of a rejected step; factor on the radius after an accepted one
_TINY = 1e-30  # avoids 0 / 0 for an update of 0
# A step is rejected if the loss grows by more than this factor. At 1.5, losses of shallow layers grew step by step.
_MAX_GROWTH = 1.1

# The gradient of a loss near 1 with respect to a pixel is tiny, and optax makes the first step of L-BFGS no longer than
# the gradient. Later directions do not depend on this factor.
_GRADIENT_SCALE = 1e4


def _lbfgs(pairs: int) -> optax.GradientTransformation:
    """optax's L-BFGS without a line search, with correct derivatives, which stores this number of pairs.

    optax treats the length of the first step, 1 / |gradient|, as a constant. If the picture did not move, it selects
    another number instead of 0 / 0, but the derivative would be NaN; here the inputs then count as constants.
    """
    lbfgs = optax.lbfgs(learning_rate=1.0, memory_size=pairs, linesearch=None)

    def update(gradient: jax.Array, state: Any, picture: jax.Array) -> tuple[jax.Array, Any]:
        norm = jnp.sqrt(jnp.maximum(1, jnp.sum(gradient**2)))
        # The value of this factor is 1; its derivative is that of the first step's length.
        factor = jnp.where(state[0].count == 0, jax.lax.stop_gradient(norm) / norm, 1)
        unmoved = jnp.vdot(gradient - state[0].updates, picture - state[0].params) == 0
        inputs = jax.tree.map(lambda x: jnp.where(unmoved, jax.lax.stop_gradient(x), x), (gradient, state, picture))
        updates, state = lbfgs.update(*inputs)
        return factor * updates, state

    return optax.GradientTransformation(lbfgs.init, update)


# eps_root changes no value; without it, pixels with a gradient of 0 would have no derivative.
OPTIMIZERS: dict[str, Callable[[int], optax.GradientTransformation]] = {
    "lbfgs": _lbfgs,
    "adam": lambda pairs: optax.adam(_LEARNING_RATE, b2=0.99, eps_root=_TINY),
}


def _transformation(optimizer: str, picture: jax.Array) -> optax.GradientTransformation:
    """The optimizer of this name for pictures of the size of this one."""
    return OPTIMIZERS[optimizer](min(_PAIRS, max(_FEWEST_PAIRS, _PAIR_BYTES // (2 * 4 * picture.size))))


for optimizer_state in (optax.EmptyState, optax.ScaleByLBFGSState, optax.ScaleByAdamState):
    register_output(optimizer_state)


@register_output
@flax.struct.dataclass
class State:
    """The state of the solver: a pytree to save, resume or vmap.

    Attributes:
        trial: the picture that the next step evaluates, `[H, W, 3]`.
        picture: the last accepted picture, `[H, W, 3]`.
        gradient: the gradient of the loss at that picture.
        loss: the loss of that picture.
        optimizer: the state of the optax optimizer.
        radius: the trust radius: how far a pixel may move in the next step.
        failures: the number of rejected steps since the last accepted one.
    """

    trial: jax.Array
    picture: jax.Array
    gradient: jax.Array
    loss: jax.Array
    optimizer: optax.OptState
    radius: jax.Array
    failures: jax.Array


# Compiled, so that no two arrays of the state share a buffer and `run` can donate all of them.
@partial(CachedFunction, static_argnames=("optimizer",))
def init(picture: jax.Array, *, optimizer: str) -> State:
    """The state before the first step from a picture `[H, W, 3]`, with an optimizer of `OPTIMIZERS`."""
    picture = jnp.asarray(picture, jnp.float32)
    return State(
        trial=picture,
        picture=picture,
        gradient=jnp.zeros_like(picture),
        loss=jnp.asarray(jnp.inf, jnp.float32),
        optimizer=_transformation(optimizer, picture).init(picture),
        radius=jnp.asarray(_RADIUS, jnp.float32),
        failures=jnp.asarray(0, jnp.int32),
    )


def step(network: Network, objective: Objective, state: State, *, optimizer: str) -> tuple[State, Terms]:
    """Take a step: evaluate the trial picture, accept or reject it, and compute the next trial picture.

    Returns:
        The new state, and the terms of the evaluated trial picture.
    """
    transformation = _transformation(optimizer, state.trial)
    terms, gradient = terms_and_gradient(network, objective, state.trial)
    total = terms.total
    # Twice the gradient, so that differences of gradients are finite, too.
    is_finite = jnp.isfinite(total) & jnp.isfinite(2 * _GRADIENT_SCALE * gradient).all()
    accepted = is_finite & (total <= _MAX_GROWTH * state.loss)
    new, previous = (state.trial, gradient, total), (state.picture, state.gradient, state.loss)
    picture, gradient, total = _select(accepted, new, previous)
    optimizer_state = _select(accepted, state.optimizer, transformation.init(picture))
    length = jnp.fmin(jnp.abs(state.trial - state.picture).max(), state.radius)
    radius = jnp.where(accepted, jnp.minimum(_GROW * state.radius, _RADIUS), _SHRINK * length)
    with jax.default_matmul_precision("highest"):  # L-BFGS divides by these products, and they are cheap
        updates, optimizer_state = transformation.update(_GRADIENT_SCALE * gradient, optimizer_state, picture)
    largest = jnp.abs(updates).max()
    trial = picture + updates * (radius / (jnp.maximum(largest, radius) + _TINY))
    failures = jnp.where(accepted, 0, state.failures + 1)
    new_state = State(trial, picture, gradient, total, optimizer_state, radius, failures)
    # Where JAX_ENABLE_X64 is set, optax computes some numbers in float64, but the state of a loop keeps its types.
    return jax.tree.map(lambda leaf, previous: leaf.astype(previous.dtype), new_state, state), terms


def _select(accepted: jax.Array, if_accepted: Any, if_rejected: Any) -> Any:
    """One of two trees; of L-BFGS's states, always the differences of the first.

    A fresh state has no weights for them, so they have no effect. Selecting them would copy in every step what is by
    far the largest of a solver's arrays.
    """

    def select(first: Any, second: Any) -> Any:
        selected = jax.tree.map(partial(jnp.where, accepted), first, second)
        if not isinstance(first, optax.ScaleByLBFGSState):
            return selected
        differences = ("diff_params_memory", "diff_updates_memory")
        return selected._replace(**{name: getattr(first, name) for name in differences})

    return jax.tree.map(
        select, if_accepted, if_rejected, is_leaf=lambda node: isinstance(node, optax.ScaleByLBFGSState)
    )


def terms_and_gradient(network: Network, objective: Objective, picture: jax.Array) -> tuple[Terms, jax.Array]:
    """The loss of a picture `[H, W, 3]` with its terms in float32, and its gradient: as a whole or by tiles."""
    if objective.tile_size is not None:
        return tiles.terms_and_gradient(network, objective, picture)

    def loss(picture: jax.Array) -> tuple[jax.Array, Terms]:
        terms = jax.tree.map(lambda value: value.astype(jnp.float32), objective.terms(network, picture))
        return terms.total, terms

    (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(picture)
    return terms, gradient


def advance(
    network: Network, objective: Objective, state: State, steps: jax.Array, *, optimizer: str
) -> tuple[State, Terms]:
    """Take `steps` steps, at most `STEPS_PER_CALL`. One compiled program serves any number of steps.

    Returns:
        The new state, and the terms of each step, `[STEPS_PER_CALL]`; those after the first `steps` are 0.
    """

    def body(index: jax.Array, carry: tuple[State, Terms]) -> tuple[State, Terms]:
        state, history = carry
        state, terms = step(network, objective, state, optimizer=optimizer)
        return state, jax.tree.map(lambda values, value: values.at[index].set(value), history, terms)

    history = Terms(*(jnp.zeros(STEPS_PER_CALL, jnp.float32) for _ in range(5)))
    return jax.lax.fori_loop(0, steps, body, (state, history))


# On an H100, the step at 512 pixels compiles in 0.73 of the time without Triton's matrix products, and runs as fast.
_OPTIONS = COMPILER_OPTIONS | {"xla_gpu_enable_triton_gemm": False}
run = CachedFunction(advance, static_argnames=("optimizer",), donate_argnames=("state",), compiler_options=_OPTIONS)


def descend(network: Network, objective: Objective, picture: jax.Array, steps: int, *, optimizer: str) -> jax.Array:
    """Take a fixed number of steps from `picture`, and return the last accepted picture.

    A pure function, differentiable with respect to all arrays. Its derivative recomputes every step, and so stores
    only the states between steps.
    """

    @jax.checkpoint
    def body(state: State, _: None) -> tuple[State, None]:
        return step(network, objective, state, optimizer=optimizer)[0], None

    # In shard_map, the initial state of a loop must vary over the same mesh axes as the later ones, and these depend on
    # all inputs. Adding a 0 that depends on all inputs makes it so.
    inputs = jax.tree.leaves((network, objective, picture))
    zero = jnp.where(True, 0.0, sum(jnp.ravel(leaf)[0] for leaf in inputs))
    state = jax.tree.map(lambda leaf: leaf + zero.astype(leaf.dtype), init(picture, optimizer=optimizer))
    state, _ = jax.lax.scan(body, state, None, length=steps)
    return state.picture
