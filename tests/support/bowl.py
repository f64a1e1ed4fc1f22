"""An objective with a known minimum."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.optimization import Terms

SHAPE = (2, 3, 3)

OPTIMIZERS = ("lbfgs", "adam")


def total_only(total: jax.Array) -> Terms:
    """Terms of which only the total matters."""
    return Terms(total, content=total, **dict.fromkeys(("style", "color", "tv", "grain"), jnp.zeros(())))


@flax.struct.dataclass
class Bowl:
    """A quadratic with its minimum at `center`.

    Where a value exceeds `wall`, the loss is `kind`: NaN, infinite or much larger ("cliff"), or its gradient is NaN.
    """

    center: jax.Array
    curvature: jax.Array
    wall: jax.Array = jnp.inf
    kind: str = flax.struct.field(pytree_node=False, default="nan")
    tile_size = None

    def terms(self, network: Any, picture: jax.Array) -> Terms:
        inside = jnp.sum(self.curvature * (picture - self.center) ** 2)
        if self.kind == "gradient":  # the value is finite, but the gradient is NaN
            return total_only(inside + 0 * jnp.sum(jnp.sqrt(jnp.maximum(0, self.wall - picture))))
        outside = {"nan": jnp.nan, "inf": jnp.inf, "cliff": 100 * inside}[self.kind]
        return total_only(jnp.where(picture.max() > self.wall, outside, inside))


def random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 0.8, SHAPE).astype(np.float32)


def bowl(seed: int = 0, **options: Any) -> Bowl:
    """A quadratic whose curvatures range over a factor of 100."""
    curvature = 10 ** np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(np.float32)
    return Bowl(jnp.asarray(random(seed)), jnp.asarray(curvature), **options)
