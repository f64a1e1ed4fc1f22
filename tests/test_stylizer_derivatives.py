"""Derivatives of whole optimizations against finite differences, and numbers where a select hides what is none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.bowl import OPTIMIZERS, SHAPE, Bowl, bowl, random
from support.quick import QUICK, random_picture

from jaxstyle.networks.network import Network
from jaxstyle.optimization import solver
from jaxstyle.stylizer import make_stylizer

SCALE = np.random.default_rng(6).normal(size=SHAPE).astype(np.float32)
DIRECTION = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)


def descended(objective: Bowl, start: Any, steps: int, optimizer: str) -> jax.Array:
    """A number that depends on where the steps end."""
    return jnp.sum(SCALE * solver.descend(None, objective, start, steps, optimizer=optimizer))


def slopes(function: Callable[[Any], jax.Array], reach: float) -> tuple[float, float]:
    """The derivative at 0: JAX's own, and by central differences."""
    both = jax.jit(jax.value_and_grad(function))
    (above, _), (_, found), (below, _) = (both(by) for by in (reach, 0.0, -reach))
    return float(found), (float(above) - float(below)) / (2 * reach)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("of_start", "steps"), [(False, 5), (True, 2)])
def test_descent_as_finite_differences_see_it(optimizer: str, of_start: bool, steps: int) -> None:
    """The second step of L-BFGS is the first of another length, and later ones depend on all before."""
    objective, start = bowl(), random(1)

    def moved(by: Any) -> jax.Array:
        if of_start:
            return descended(objective, start + by * DIRECTION, steps, optimizer)
        return descended(replace(objective, center=objective.center + by * DIRECTION), start, steps, optimizer)

    found, expected = slopes(moved, 1e-3)
    assert abs(found) > 0.1 and found == pytest.approx(expected, rel=5e-3)


def test_adam_where_some_pixels_do_not_matter() -> None:
    """Their gradient is 0 and remains so, and a root of 0 has no slope."""
    objective = bowl()
    some = replace(objective, curvature=objective.curvature.at[0].set(0))
    gradient = jax.jit(jax.grad(lambda center: descended(replace(some, center=center), random(1), 5, "adam")))
    found = gradient(some.center)
    assert np.isfinite(found).all() and not found[0].any() and found[1].any()


def test_staying_at_the_minimum_has_derivatives() -> None:
    """L-BFGS divides nothing by nothing there; what selects another number must not let that through."""
    objective = bowl()
    gradient = jax.grad(lambda objective, start: descended(objective, start, 5, "lbfgs"), (0, 1))
    for part in jax.tree.leaves(jax.jit(gradient)(objective, objective.center)):
        assert np.isfinite(part).all()


def test_with_respect_to_a_style(network: Network, painting: np.ndarray) -> None:
    """Along the way from one style to another, which the objective depends on and some of the start.

    In a layer before its rectifier, whose kinks finite differences see and derivatives do not.
    """
    layer = (("conv1_1", 1.0),)
    config = replace(QUICK, size=32, steps=3, style_layers=layer, content_layers=layer)
    config = replace(config, init=(("content", 1.0), ("picture", 4.0)))
    first = network.replace(parameters={"conv1_1": network.parameters["conv1_1"]})
    stylizer = make_stylizer(first, config, height=32, width=24)
    style, other = stylizer.measure(painting), stylizer.measure(0.3 + 0.4 * random_picture(32, 32))
    content = 0.3 + 0.4 * random_picture(32, 24, seed=3)  # whose colors stay within [0, 1]

    def mean_square(by: Any) -> jax.Array:
        between = jax.tree.map(lambda here, there: here + by * (there - here), style, other)
        return jnp.mean(stylizer(content, between, initial_picture=content) ** 2)

    found, expected = slopes(mean_square, 0.02)
    assert abs(found) > 1e-3 and found == pytest.approx(expected, rel=0.02)
