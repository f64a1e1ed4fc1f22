"""The convolution against naive NumPy and XLA's convolution, for many shapes and under all transformations."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import naive
from support.compiler import simulated_devices

from jaxstyle.networks import convolution
from jaxstyle.networks.winograd import Transformed, transform_kernel

pytestmark = pytest.mark.usefixtures("winograd")

Shape = tuple[int, int, int, int, int]  # N, H, W, I, O

SHAPES = {
    "one pixel": (1, 1, 1, 16, 16),
    "one row": (2, 1, 37, 16, 24),
    "one column": (1, 41, 1, 32, 16),
    "odd sides and channels": (3, 7, 5, 17, 19),
    "wide": (1, 9, 515, 64, 16),
    "high": (2, 259, 6, 20, 64),
    "large and shallow": (1, 150, 131, 64, 64),
    "a large stack": (3, 70, 131, 64, 24),
    "small and deep": (1, 6, 9, 512, 512),
    "a deep stack": (5, 12, 10, 256, 16),
    "deep strips": (2, 70, 130, 256, 16),
    "a picture's channels": (2, 9, 7, 3, 64),
    "few channels out": (1, 9, 7, 64, 3),
    "one channel": (1, 5, 6, 1, 1),
}


def with_gradients(
    inputs: jax.Array, kernel: jax.Array, cotangent: jax.Array, prepared: Transformed | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The convolution, and its gradients with respect to inputs and kernel."""
    value, pull = jax.vjp(lambda inputs, kernel: convolution.conv3x3(inputs, kernel, prepared), inputs, kernel)
    return value, *pull(cotangent)


compiled, transform = jax.jit(with_gradients), jax.jit(transform_kernel)


def problem(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, a kernel, and a cotangent for the result."""
    count, height, width, channels_in, channels_out = shape
    random = np.random.default_rng(seed)
    shapes = (
        (count, height, width, channels_in),
        (3, 3, channels_in, channels_out),
        (count, height, width, channels_out),
    )
    inputs, kernel, cotangent = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    return inputs, kernel, cotangent


def assert_correct(
    results: tuple[jax.Array, ...], inputs: np.ndarray, kernel: np.ndarray, cotangent: np.ndarray
) -> None:
    expected = naive.convolution(inputs, kernel), *naive.convolution_gradients(inputs, kernel, cotangent)
    for result, right in zip(results, expected, strict=True):
        assert result.dtype == jnp.float32
        assert naive.error(result, right) < 1e-4


class TestShapes:
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    def test_values_and_gradients(self, shape: Shape) -> None:
        arrays = problem(shape)
        assert_correct(compiled(*arrays), *arrays)

    @settings(max_examples=6, deadline=None)
    @given(
        shape=st.tuples(*(st.integers(1, high) for high in (3, 40, 40, 70, 70))),
        seed=st.integers(0, 999),
        prepare=st.booleans(),
    )
    def test_random_shapes(self, shape: Shape, seed: int, prepare: bool) -> None:
        arrays = problem(shape, seed)
        prepared = transform(arrays[1]) if prepare else None
        assert_correct(compiled(*arrays, prepared), *arrays)

    def test_agrees_with_xla(self) -> None:
        inputs, kernel, cotangent = problem((2, 30, 23, 64, 48))

        @jax.jit
        def run(*arguments: jax.Array) -> tuple[jax.Array, ...]:
            convolve = partial(jax.lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            value, pull = jax.vjp(lambda inputs, kernel: convolve(inputs, kernel, (1, 1), "SAME"), *arguments)
            return value, *pull(cotangent)

        for value, expected in zip(compiled(inputs, kernel, cotangent), run(inputs, kernel), strict=True):
            assert naive.error(value, np.asarray(expected)) < 1e-4


class TestBiasAndRectifier:
    @pytest.mark.parametrize("shape", [(2, 9, 7, 3, 16), (2, 30, 23, 17, 24)])
    @pytest.mark.parametrize("rectify", [False, True])
    @pytest.mark.parametrize("prepared", [None, convolution.DIRECT], ids=["plain", "direct"])
    def test_values_and_gradients(self, shape: Shape, rectify: bool, prepared: Transformed | None) -> None:
        inputs, kernel, cotangent = problem(shape)
        bias = np.random.default_rng(1).normal(size=shape[-1]).astype(np.float32)

        @jax.jit
        def run(*arguments: jax.Array) -> tuple[jax.Array, ...]:
            value, pull = jax.vjp(
                lambda x, k, b: convolution.conv3x3(x, k, prepared, bias=b, rectify=rectify), *arguments
            )
            return value, *pull(cotangent)

        value = naive.convolution(inputs, kernel) + bias
        passed = cotangent * (value > 0) if rectify else cotangent
        expected = (
            np.where(value > 0, value, 0) if rectify else value,
            *naive.convolution_gradients(inputs, kernel, passed),
            passed.sum((0, 1, 2)),
        )
        for result, right in zip(run(inputs, kernel, bias), expected, strict=True):
            assert naive.error(result, right) < 1e-4


class TestTransformations:
    SHAPE = (2, 7, 10, 16, 18)

    @pytest.mark.parametrize("prepare", [False, True], ids=["plain", "prepared"])
    def test_differentiated_twice(self, prepare: bool) -> None:
        """The gradient of the norm of a gradient, as for differentiated optimizations, against XLA's."""
        inputs, kernel, cotangent = problem(self.SHAPE)
        prepared = transform(kernel) if prepare else None

        def gradient_norm(convolve: Callable[..., jax.Array], inputs: jax.Array, kernel: jax.Array) -> jax.Array:
            def loss(inputs: jax.Array) -> jax.Array:
                return jnp.sum(cotangent * jax.nn.relu(convolve(inputs, kernel)) ** 2)

            return jnp.sum(jax.grad(loss)(inputs) ** 2)

        fast = partial(convolution.conv3x3, prepared=prepared)
        results, expected = (
            jax.jit(jax.grad(partial(gradient_norm, convolve), argnums=(0, 1)))(inputs, kernel)
            for convolve in (fast, convolution.direct)
        )
        for result, right in zip(results, expected, strict=True):
            assert naive.error(result, np.asarray(right)) < 1e-4

    def test_without_jit(self) -> None:
        arrays = [jnp.asarray(array) for array in problem(self.SHAPE)]
        assert_correct(with_gradients(*arrays), *map(np.asarray, arrays))

    @pytest.mark.parametrize("prepare", [False, True], ids=["plain", "prepared"])
    @pytest.mark.parametrize(("pictures", "kernels"), [(0, None), (None, 0), (0, 0)])
    def test_vmap(self, pictures: int | None, kernels: int | None, prepare: bool) -> None:
        problems = [problem(self.SHAPE, seed) for seed in range(3)]
        inputs, kernel, cotangent = (np.stack(arrays) for arrays in zip(*problems, strict=True))
        inputs, kernel = inputs if pictures == 0 else inputs[0], kernel if kernels == 0 else kernel[0]
        prepared = None
        if prepare:
            prepared = transform(kernel) if kernels is None else jax.vmap(transform_kernel)(kernel)
        mapped = jax.jit(jax.vmap(with_gradients, in_axes=(pictures, kernels, 0, kernels)))
        results = jax.device_get(mapped(inputs, kernel, cotangent, prepared))
        for index in range(3):
            arrays = inputs[index] if pictures == 0 else inputs, kernel[index] if kernels == 0 else kernel
            assert_correct(tuple(result[index] for result in results), *arrays, cotangent[index])

    def test_shard_map(self) -> None:
        """Pictures are sharded over two devices and the kernel is replicated: its gradient is a sum over devices."""
        program = """
            import jax
            import numpy as np
            import test_convolution as module
            from jax.sharding import Mesh, PartitionSpec

            assert len(jax.devices()) == 2
            mesh, sharded, replicated = Mesh(np.array(jax.devices()), "n"), PartitionSpec("n"), PartitionSpec()
            arrays = module.problem((4, 7, 10, 16, 18))
            function = jax.shard_map(
                module.with_gradients,
                mesh=mesh,
                in_specs=(sharded, replicated, sharded, replicated),
                out_specs=(sharded, sharded, replicated),
            )
            for prepared in (None, module.transform_kernel(arrays[1])):
                results = jax.jit(function)(*arrays, prepared)
                assert len(results[0].sharding.device_set) == 2
                module.assert_correct(results, *arrays)
        """
        environment = simulated_devices(2, Path(__file__).parent)
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
        completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert completed.returncode == 0, completed.stderr


class TestPrecision:
    @pytest.mark.parametrize("channels", [3, 32])
    @pytest.mark.parametrize("prepare", [False, True], ids=["plain", "prepared"])
    def test_bfloat16_inputs_give_bfloat16_results(self, channels: int, prepare: bool) -> None:
        inputs, kernel, cotangent = problem((2, 9, 11, channels, 32))
        inputs, cotangent = (jnp.asarray(array, jnp.bfloat16) for array in (inputs, cotangent))
        value, gradient, _ = compiled(inputs, kernel, cotangent, transform(kernel) if prepare else None)
        assert value.dtype == gradient.dtype == jnp.bfloat16
        inputs, cotangent = (np.asarray(array, np.float64) for array in (inputs, cotangent))
        assert naive.error(value, naive.convolution(inputs, kernel)) < 1e-2
        assert naive.error(gradient, naive.convolution_gradients(inputs, kernel, cotangent)[0]) < 1e-2
