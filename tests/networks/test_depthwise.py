"""The depthwise convolution against NumPy, one product at a time."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.networks.depthwise import depthwise

# Kernel size, stride, zeros before and after, and a picture: those of EfficientNet-Lite0, and another.
WINDOWS = (
    (3, 1, (1, 1), (5, 6)),
    (5, 1, (2, 2), (6, 4)),
    (3, 2, (0, 1), (7, 8)),
    (5, 2, (1, 2), (8, 7)),
    (2, 3, (0, 2), (9, 7)),
)


def naive(inputs: np.ndarray, kernel: np.ndarray, stride: int, padding: tuple[int, int]) -> np.ndarray:
    """`[H, W, C]` with `[size, size, 1, C]`, in float64."""
    size = len(kernel)
    padded = np.pad(inputs.astype(float), (padding, padding, (0, 0)))
    rows, columns = (range(0, length - size + 1, stride) for length in padded.shape[:2])
    return np.array(
        [
            [
                np.sum(padded[row : row + size, column : column + size] * kernel[:, :, 0], axis=(0, 1))
                for column in columns
            ]
            for row in rows
        ]
    )


def naive_gradients(
    inputs: np.ndarray, kernel: np.ndarray, stride: int, padding: tuple[int, int], cotangent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of `sum(cotangent * result)`, by adding up every product that enters it."""
    gradient, of_kernel = np.zeros(inputs.shape), np.zeros(kernel.shape)
    height, width, _ = inputs.shape
    for (row, column), (i, j) in product(np.ndindex(cotangent.shape[:2]), np.ndindex(kernel.shape[:2])):
        y, x = row * stride + i - padding[0], column * stride + j - padding[0]
        if 0 <= y < height and 0 <= x < width:
            gradient[y, x] += cotangent[row, column] * kernel[i, j, 0]
            of_kernel[i, j, 0] += cotangent[row, column] * inputs[y, x]
    return gradient, of_kernel


@pytest.mark.parametrize(("size", "stride", "padding", "shape"), WINDOWS)
def test_values_and_gradients(size: int, stride: int, padding: tuple[int, int], shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    inputs, kernel = random.normal(size=(*shape, 3)), random.normal(size=(size, size, 1, 3))
    expected = naive(inputs, kernel, stride, padding)
    cotangent = random.normal(size=expected.shape)

    @jax.jit
    def run(inputs: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        result, gradients = jax.vjp(lambda x, k: depthwise(x, k, stride, padding), inputs, kernel)
        return result, gradients(cotangent)

    result, gradients = jax.device_get(run(*map(np.float32, (inputs[None], kernel, cotangent[None]))))
    np.testing.assert_allclose(result[0], expected, atol=1e-5)
    of_inputs, of_kernel = naive_gradients(inputs, kernel, stride, padding, cotangent)
    np.testing.assert_allclose(gradients[0][0], of_inputs, atol=1e-5)
    np.testing.assert_allclose(gradients[1], of_kernel, atol=1e-4)


def test_sums_of_bfloat16_are_float32() -> None:
    """Adding up in bfloat16 loses what is below 1 / 256 of the sum."""
    inputs, kernel = np.full((1, 5, 5, 1), 1 / 256, jnp.bfloat16), np.ones((5, 5, 1, 1), np.float32)
    inputs[0, 0, 0, 0] = 1
    result = np.asarray(jax.jit(lambda inputs: depthwise(inputs, kernel, 1, (0, 0)))(inputs))
    assert result.dtype == jnp.bfloat16 and float(result[0, 0, 0, 0]) == pytest.approx(1 + 24 / 256, rel=1 / 256)


def test_a_batch_is_picture_by_picture() -> None:
    random = np.random.default_rng(0)
    stack, kernel = np.float32(random.normal(size=(3, 6, 7, 2))), np.float32(random.normal(size=(3, 3, 1, 2)))

    @jax.jit
    @jax.value_and_grad
    def energy(pictures: jax.Array) -> jax.Array:
        return jnp.sum(depthwise(pictures, kernel, 2, (0, 1)) ** 2)

    values, gradients = jax.device_get(jax.jit(jax.vmap(energy))(stack[:, None]))
    value, gradient = energy(stack)
    np.testing.assert_allclose(np.sum(values), value, rtol=1e-5)
    np.testing.assert_allclose(gradients[:, 0], gradient, atol=1e-5)
