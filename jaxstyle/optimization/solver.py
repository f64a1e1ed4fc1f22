"""The solver: L-BFGS or Adam with a trust radius, many steps in one compiled call.

A step evaluates the loss and its gradient at the trial picture, and computes the next trial picture from the update of
L-BFGS or optax's Adam, in which no pixel moves farther than the trust radius. L-BFGS runs without a line search. That
takes one evaluation a step instead of two or more, but sometimes overshoots. A step to a much higher or non-finite loss
is therefore rejected: the next step starts from the last accepted picture, with a new optimizer state and a smaller
radius. Accepting and rejecting are selects on arrays, so that steps can be vmapped.

Trial pictures are clipped to [0, 1], so that the loss is that of a picture that can be shown. Clipped only at the end,
a picture is farther from its style than the optimization had come.
"""

from dataclasses import fields
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.compilation import CachedFunction, register_output
from jaxstyle.networks import COMPILER_OPTIONS, Network
from jaxstyle.optimization import lbfgs, tiles
from jaxstyle.optimization.bands import Bands
from jaxstyle.optimization.objective import Objective, Terms

STEPS_PER_CALL = 10  # the most steps in one compiled call; by tiles, which take long, there is one

_LEARNING_RATE = 0.03  # of Adam, in units of the picture's range
_RADIUS = 40 / 255  # the largest trust radius
_SHRINK, _GROW = 0.25, 1.1  # factor on the length of a rejected step; factor on the radius after an accepted one
_TINY = 1e-30  # avoids 0 / 0 for an update of 0
# A step is rejected if the loss grows by more than this factor. At 1.5, losses of shallow layers grew step by step.
_MAX_GROWTH = 1.1

# The gradient of a loss near 1 with respect to a pixel is tiny, and the first step of L-BFGS is no longer than the
# gradient. Later directions do not depend on this factor.
_GRADIENT_SCALE = 1e4


# eps_root changes no value; without it, pixels with a gradient of 0 would have no derivative.
_ADAM = optax.adam(_LEARNING_RATE, b2=0.99, eps_root=_TINY)

for optimizer_state in (optax.EmptyState, optax.ScaleByAdamState):
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
        optimizer: the state of L-BFGS or of optax's Adam.
        radius: the trust radius: how far a pixel may move in the next step.
        failures: the number of rejected steps since the last accepted one.
    """

    trial: jax.Array
    picture: jax.Array
    gradient: jax.Array
    loss: jax.Array
    optimizer: Any
    radius: jax.Array
    failures: jax.Array


# Compiled, so that no two arrays of the state share a buffer and `run` can donate all of them.
@partial(CachedFunction, static_argnames=("optimizer",))
def init(picture: jax.Array, *, optimizer: str) -> State:
    """The state before the first step from a picture `[H, W, 3]`, with the optimizer "lbfgs" or "adam"."""
    picture = jnp.asarray(picture, jnp.float32)
    return State(
        trial=picture,
        picture=picture,
        gradient=jnp.zeros_like(picture),
        loss=jnp.asarray(jnp.inf, jnp.float32),
        optimizer=lbfgs.init(picture) if optimizer == "lbfgs" else _ADAM.init(picture),
        radius=jnp.asarray(_RADIUS, jnp.float32),
        failures=jnp.asarray(0, jnp.int32),
    )


def start(picture: Any, bands: Bands | None, *, optimizer: str) -> State:
    """`init`, for a picture that is split with the rows of all bands, each on its device."""
    if bands is None:
        return init(picture, optimizer=optimizer)
    shapes = jax.eval_shape(partial(init, optimizer=optimizer), bands.fit(jnp.asarray(picture), axis=0))
    begin = partial(init.__wrapped__, optimizer=optimizer)  # type: ignore[attr-defined]

    def init_all(picture: jax.Array) -> State:
        return begin(bands.fit(picture, axis=0))

    return jax.jit(init_all, out_shardings=jax.tree.map(bands.state_sharding, shapes))(picture)


def restore(state: State, height: int, bands: Bands | None) -> State:
    """A copy of a state, of a picture of this height, on the devices that it is to be on; any may have more rows."""
    rows = height if bands is None else bands.count * bands.rows

    def put(leaf: Any) -> jax.Array:
        leaf = np.array(leaf)
        if leaf.ndim >= 3:
            pixels = [(0, 0)] * (leaf.ndim - 3) + [(0, max(0, rows - leaf.shape[-3])), (0, 0), (0, 0)]
            leaf = np.pad(leaf[..., :rows, :, :], pixels)
        return jax.device_put(leaf, None if bands is None else bands.state_sharding(leaf))

    return jax.tree.map(put, state)


def step(network: Network, objective: Objective, state: State, *, optimizer: str) -> tuple[State, Terms]:
    """Take a step: evaluate the trial picture, accept or reject it, and compute the next trial picture.

    Returns:
        The new state, and the terms of the evaluated trial picture.
    """
    terms, gradient = terms_and_gradient(network, objective, state.trial)
    total = terms.total
    # Twice the gradient, so that differences of gradients are finite, too.
    is_finite = jnp.isfinite(total) & jnp.isfinite(2 * _GRADIENT_SCALE * gradient).all()
    accepted = is_finite & (total <= _MAX_GROWTH * state.loss)

    def select(if_accepted: Any, if_rejected: Any) -> Any:
        return jax.tree.map(partial(jnp.where, accepted), if_accepted, if_rejected)

    picture, gradient, total = select((state.trial, gradient, total), (state.picture, state.gradient, state.loss))
    length = jnp.fmin(jnp.abs(state.trial - state.picture).max(), state.radius)
    radius = jnp.where(accepted, jnp.minimum(_GROW * state.radius, _RADIUS), _SHRINK * length)
    scaled, change = _GRADIENT_SCALE * gradient, _GRADIENT_SCALE * (gradient - state.gradient)
    if optimizer == "lbfgs":
        pairs = lbfgs.restart(state.optimizer, accepted)
        updates, optimizer_state = lbfgs.update(scaled, pairs, picture - state.picture, change)
    else:
        moments = select(state.optimizer, _ADAM.init(picture))
        updates, optimizer_state = _ADAM.update(scaled, moments, picture)
    largest = jnp.abs(updates).max()
    trial = _in_range(picture + updates * (radius / (jnp.maximum(largest, radius) + _TINY)))
    failures = jnp.where(accepted, 0, state.failures + 1)
    new_state = State(trial, picture, gradient, total, optimizer_state, radius, failures)
    # Where JAX_ENABLE_X64 is set, some numbers are computed in float64, but the state of a loop keeps its types.
    return jax.tree.map(lambda leaf, previous: leaf.astype(previous.dtype), new_state, state), terms


def _in_range(picture: jax.Array) -> jax.Array:
    """The picture clipped to [0, 1]; unlike that of `jnp.clip`, the derivative at 0 and 1 is 1."""
    return jnp.where(picture < 0, 0, jnp.where(picture > 1, 1, picture))


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

    history = Terms(*(jnp.zeros(STEPS_PER_CALL, jnp.float32) for _ in fields(Terms)))
    return jax.lax.fori_loop(0, steps, body, (state, history))


# On an H100, the step at 512 pixels compiles in 0.73 of the time without Triton's matrix products, and runs as fast.
_OPTIONS = COMPILER_OPTIONS | {"xla_gpu_enable_triton_gemm": False}
run = CachedFunction(advance, static_argnames=("optimizer",), donate_argnames=("state",), compiler_options=_OPTIONS)


def descend(network: Network, objective: Objective, picture: jax.Array, steps: int, *, optimizer: str) -> jax.Array:
    """Take a fixed number of steps from `picture`, and return the last accepted picture.

    A pure function, differentiable with respect to all arrays. Its derivative recomputes every step, and so stores
    only the states between steps. Pairs of L-BFGS in bfloat16, of large pictures, count as constants.
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
