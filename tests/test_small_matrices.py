"""Products of pixels with small matrices, in the programs in which jaxlib 0.10.2 computes them wrongly on CPUs.

It does so for `jit(vmap(lambda v: ((A.T @ v) ** 2).sum()))` with a constant 3 x 3 matrix and about 33,000 to 49,800
rows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import naive

from jaxstyle.laboratory.maximize import _COLORS, picture_from_spectrum
from jaxstyle.networks.winograd import G, transform_kernel
from jaxstyle.optimization import match_colors
from jaxstyle.styles import StyleStatistics, color_distance, color_moments, first_and_second_moments

SIDES = (182, 200, 223)  # 33,124 to 49,729 pixels
RNG = np.random.default_rng(0)


def norms(compute: Callable, *arguments: np.ndarray) -> np.ndarray:
    """The squared norm of each pixel of `compute`, vmapped over a stack of two, with everything else constant."""
    stacks = [np.stack([argument, argument[::-1]]) for argument in arguments]
    return np.asarray(jax.jit(jax.vmap(lambda *values: (compute(*values) ** 2).sum(-1)))(*stacks)[0])


def squares(values: np.ndarray) -> np.ndarray:
    return (np.asarray(values, float) ** 2).sum(-1)


@pytest.fixture(params=SIDES)
def picture(request: pytest.FixtureRequest) -> np.ndarray:
    return RNG.random((request.param, request.param, 3), np.float32)


def test_matching_colors_to_a_constant_style(picture):
    target = RNG.random((9, 9, 3), np.float32) ** 2
    mean, second = first_and_second_moments(target)
    style = StyleStatistics({}, color_moments(target), jnp.asarray(mean), jnp.asarray(second), jnp.zeros(4))
    expected = match_colors(picture, jax.tree.map(np.asarray, style))  # in NumPy, in float64
    found = norms(lambda picture: match_colors(picture, style), picture)
    np.testing.assert_allclose(found, squares(expected), atol=1e-3)


def test_color_moments_and_their_gradient(picture):
    moments = jax.jit(jax.vmap(color_moments))(np.stack([picture, picture]))
    expected = naive.color_distance(naive.color_moments(picture), np.zeros(moments.shape[1:]))
    np.testing.assert_allclose(color_distance(moments, jnp.zeros_like(moments)), expected, rtol=1e-4)
    factors = RNG.normal(size=moments.shape[1:]).astype(np.float32) * picture[..., 0].size

    def gradient(picture: jax.Array) -> jax.Array:
        return jax.grad(lambda picture: (factors * color_moments(picture)).sum())(picture)

    expected = jax.jit(gradient)(picture[:90])  # fewer pixels, of which each has its gradient divided by the number
    expected = np.asarray(expected) * 90 / len(picture)
    np.testing.assert_allclose(norms(gradient, picture)[:90], squares(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", SIDES)
def test_pictures_of_spectra(size):
    spectrum = RNG.normal(size=(2, size, size // 2 + 1, 3)).astype(np.float32)
    picture = np.asarray(picture_from_spectrum(jnp.asarray(spectrum), size), float)
    decorrelated = np.log(picture / (1 - picture)) @ np.linalg.inv(_COLORS.astype(float))
    mixed = 1 / (1 + np.exp(-(decorrelated @ _COLORS.astype(float))))
    np.testing.assert_allclose(norms(lambda x: picture_from_spectrum(x, size), spectrum), squares(mixed), atol=1e-3)


def test_transformed_kernels():
    """The kernel of GoogLeNet with 41,472 pairs of channels."""
    kernel = RNG.normal(size=(3, 3, 144, 288)).astype(np.float32)
    expected = np.einsum("ai,bj,ijcd->abcd", G, G, kernel, optimize=True)
    found = jax.jit(lambda kernel: [(row**2).sum(0) for row in transform_kernel(kernel)])(kernel)
    for row, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(row, (values**2).sum(0), rtol=1e-3, atol=1e-4)
