"""Derivatives of whole optimizations: compared with finite differences, and finite where values are selected."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.bowl import OPTIMIZERS, SHAPE, Bowl, bowl, random
from support.quick import QUICK, first_layer, random_picture

from jaxstyle.networks import Network
from jaxstyle.optimization import solver
from jaxstyle.stylizer import make_stylizer

SCALE = np.random.default_rng(6).normal(size=SHAPE).astype(np.float32)
DIRECTION = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)


def result_of(objective: Bowl, picture: Any, steps: int, optimizer: str) -> jax.Array:
    """A scalar that depends on the last picture."""
    return jnp.sum(SCALE * solver.descend(None, objective, picture, steps, optimizer=optimizer))


def derivatives(function: Callable[[Any], jax.Array], step: float) -> tuple[float, float]:
    """The derivative at 0 from JAX, and from central differences."""
    value_and_grad = jax.jit(jax.value_and_grad(function))
    (above, _), (_, found), (below, _) = (value_and_grad(t) for t in (step, 0.0, -step))
    return float(found), (float(above) - float(below)) / (2 * step)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("of_picture", "steps"), [(False, 5), (True, 2)])
def test_descend_agrees_with_finite_differences(optimizer: str, of_picture: bool, steps: int) -> None:
    """The second step of L-BFGS is the first with another length, and later steps depend on all previous ones."""
    objective, picture = bowl(), random(1)

    def moved(t: Any) -> jax.Array:
        if of_picture:
            return result_of(objective, picture + t * DIRECTION, steps, optimizer)
        return result_of(replace(objective, center=objective.center + t * DIRECTION), picture, steps, optimizer)

    found, expected = derivatives(moved, 1e-3)
    assert abs(found) > 0.1 and found == pytest.approx(expected, rel=5e-3)


def test_adam_with_pixels_that_do_not_affect_the_loss() -> None:
    """Their gradient is always 0, where the square root has no derivative."""
    objective = bowl()
    partly_flat = replace(objective, curvature=objective.curvature.at[0].set(0))
    gradient = jax.jit(jax.grad(lambda center: result_of(replace(partly_flat, center=center), random(1), 5, "adam")))
    found = gradient(partly_flat.center)
    assert np.isfinite(found).all() and not found[0].any() and found[1].any()


def test_derivatives_at_the_minimum_are_finite() -> None:
    """L-BFGS divides 0 by 0 there. It selects another value, but the NaN must not reach the derivative either."""
    objective = bowl()
    gradient = jax.grad(lambda objective, picture: result_of(objective, picture, 5, "lbfgs"), (0, 1))
    for leaf in jax.tree.leaves(jax.jit(gradient)(objective, objective.center)):
        assert np.isfinite(leaf).all()


def test_with_respect_to_a_style(network: Network, painting: np.ndarray) -> None:
    """In the direction from one style to another, which the objective and the initial picture depend on.

    The layer is one before its rectifier, because finite differences are inexact across the kink of a rectifier.
    """
    layer = (("conv1_1", 1.0),)
    config = replace(QUICK, optimizer="lbfgs", size=32, steps=3, style_layers=layer, content_layers=layer)
    config = replace(config, init=(("content", 1.0), ("picture", 4.0)))
    stylizer = make_stylizer(first_layer(network), config, height=32, width=24)
    style, other = stylizer.measure(painting), stylizer.measure(0.3 + 0.4 * random_picture(32, 32))
    content = 0.3 + 0.4 * random_picture(32, 24, seed=3)  # colors that are not clipped

    def mean_square(t: Any) -> jax.Array:
        between = jax.tree.map(lambda first, second: first + t * (second - first), style, other)
        return jnp.mean(stylizer(content, between, initial_picture=content) ** 2)

    found, expected = derivatives(mean_square, 0.02)
    assert abs(found) > 1e-3 and found == pytest.approx(expected, rel=0.02)
