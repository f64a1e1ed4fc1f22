"""L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4) without a line search, for large pictures.

It stores pairs of differences, of pictures and of gradients. They take most of the memory of the solver, so large
pictures have fewer of them, in bfloat16. The products of a pair are those of the rounded values, so that the estimated
inverse Hessian is that of the stored pairs, whatever their precision.
"""

from dataclasses import replace
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.compilation import register_output

# The memory for pairs: as many in float32 as fit, if these are all; else in bfloat16, but never fewer than the fewest.
# docs/print.md says what that costs.
_PAIRS, _FEWEST_PAIRS, _PAIR_BYTES = 20, 4, 2**29


@register_output
@flax.struct.dataclass
class LbfgsState:
    """The memory of L-BFGS: M pairs in a ring.

    Attributes:
        count: the number of updates since the last restart.
        moves: the differences of pictures, `[M, H, W, 3]`, in float32, or in bfloat16 with the type uint16.
        changes: the differences of gradients, likewise.
        weights: 1 / (move . change) of each pair, `[M]`; 0 for pairs that do not count.
    """

    count: jax.Array
    moves: jax.Array
    changes: jax.Array
    weights: jax.Array


def init(picture: jax.Array) -> LbfgsState:
    """The state without pairs."""
    count, dtype = _PAIRS, jnp.dtype(jnp.float32)
    if 2 * count * dtype.itemsize * picture.size > _PAIR_BYTES:
        dtype = jnp.dtype(jnp.uint16)
        count = min(count, max(_FEWEST_PAIRS, _PAIR_BYTES // (2 * dtype.itemsize * picture.size)))
    moves, changes = (jnp.zeros((count, *picture.shape), dtype) for _ in range(2))
    return LbfgsState(jnp.zeros((), jnp.int32), moves, changes, jnp.zeros(count, jnp.float32))


def restart(state: LbfgsState, is_kept: jax.Array) -> LbfgsState:
    """The state, or if it is not kept, one whose pairs do not count."""
    return replace(state, count=jnp.where(is_kept, state.count, 0), weights=jnp.where(is_kept, state.weights, 0))


def update(gradient: jax.Array, state: LbfgsState, move: jax.Array, change: jax.Array) -> tuple[jax.Array, LbfgsState]:
    """The step to add to the picture, before any limit to its length, and the new state.

    The first step after a restart has the length of the gradient, or 1 if that is longer.

    Args:
        gradient: at the picture, `[H, W, 3]`.
        state: from `init` or `restart`.
        move: the difference of the picture to the previous one, `[H, W, 3]`; of no effect after a restart.
        change: that of their gradients, likewise.
    """
    size, has_pair = len(state.weights), state.count > 0
    last = (state.count - 1) % size
    stored_move, stored_change = (_stored(value, state.moves.dtype) for value in (move, change))
    move, change = _as_float(stored_move), _as_float(stored_change)
    product, square = _dot(change, move), _dot(change, change)
    weight = jnp.where(has_pair, _reciprocal(product), 0)
    state = LbfgsState(
        count=state.count + 1,
        moves=state.moves.at[last].set(stored_move),
        changes=state.changes.at[last].set(stored_change),
        weights=state.weights.at[last].set(weight),
    )
    scale = jnp.where(square > 0, product * _reciprocal(square), 1)
    scale = jnp.where(has_pair, scale, 1 / jnp.sqrt(jnp.maximum(1, _dot(gradient, gradient))))
    oldest_first = (last + 1 + jnp.arange(size)) % size

    def subtract(vector: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
        factor = state.weights[index] * _dot(_as_float(state.moves[index]), vector)
        return vector - factor * _as_float(state.changes[index]), factor

    def add(vector: jax.Array, index_and_factor: Any) -> tuple[jax.Array, None]:
        index, factor = index_and_factor
        factor -= state.weights[index] * _dot(_as_float(state.changes[index]), vector)
        return vector + factor * _as_float(state.moves[index]), None

    vector, factors = jax.lax.scan(subtract, gradient, oldest_first, reverse=True)
    vector, _ = jax.lax.scan(add, scale * vector, (oldest_first, factors))
    return -vector, state


def _stored(value: jax.Array, dtype: np.dtype[Any]) -> jax.Array:
    """A value as it is stored: float32, or bfloat16 as integers, because XLA would compute loops over bfloat16 on a CPU
    with float32 copies of all of their state.
    """
    return value if dtype == jnp.float32 else jax.lax.bitcast_convert_type(value.astype(jnp.bfloat16), dtype)


def _as_float(stored: jax.Array) -> jax.Array:
    is_float = stored.dtype == jnp.float32
    return stored if is_float else jax.lax.bitcast_convert_type(stored, jnp.bfloat16).astype(jnp.float32)


def _dot(one: jax.Array, other: jax.Array) -> jax.Array:
    """The sum of products of two arrays `[H, W, 3]`, row by row, so that rounding errors stay small."""
    return jnp.sum(one * other, axis=(1, 2)).sum()


def _reciprocal(value: jax.Array) -> jax.Array:
    """1 / value, and 0 for 0, with a derivative of 0 there."""
    return jnp.where(value == 0, 0, 1 / jnp.where(value == 0, 1, value))
