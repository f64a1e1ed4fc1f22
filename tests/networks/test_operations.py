"""Operations of layers, against naive NumPy and finite differences, and on padded pictures."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.networks import Network, random_network
from jaxstyle.networks.operations import Pool

POOLINGS = ("max", "avg")
POOLS = (Pool(3, 2), Pool(3, 2, ceil=True), Pool(2, 2, ceil=True), Pool(3, 1, padding=1))


@partial(jax.jit, static_argnames="layers")
def features(network: Network, picture: jax.Array, layers: tuple[str, ...]) -> dict[str, jax.Array]:
    return network.features(picture, layers)


class TestAgainstNumPy:
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_all_kinds_of_layers(self, pooling: str) -> None:
        """The first layers of Caffe's GoogLeNet, for a picture whose sides are not multiples of the windows."""
        network = random_network("googlenet-caffe", seed=3, pooling=pooling)
        random = np.random.default_rng(0)
        picture = random.random((21, 26, 3), np.float32)
        # Large kernels, so that the normalization has an effect, and biases other than 0.
        parameters = {
            layer: {"kernel": 20 * np.asarray(arrays["kernel"]), "bias": random.uniform(-2, 3, arrays["bias"].shape)}
            for layer, arrays in network.parameters.items()
        }
        network = network.replace(parameters=jax.tree.map(np.float32, parameters))
        expected = naive_features(network, picture, "inception_3a/output")
        assert np.abs(expected["pool1/norm1"] - expected["pool1/3x3_s2"]).max() > 0.1
        activations = jax.device_get(features(network, picture, tuple(expected)))
        for layer, values in expected.items():
            assert activations[layer].shape == values.shape, layer
            assert np.abs(activations[layer] - values).max() < 1e-4 * np.abs(values).max(), layer

    @pytest.mark.parametrize("pool", POOLS)
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_gradients_of_pools(self, pool: Pool, pooling: str) -> None:
        """Against finite differences, which are exact as long as the position of the maximum does not change."""
        shape, step = (7, 8, 2), 1e-6
        inputs = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) / np.prod(shape)
        weights = np.random.default_rng(1).normal(size=naive_pool(inputs, pool, pooling).shape)
        expected = [np.sum(weights * naive_pool(inputs + step * unit, pool, pooling)) for unit in units(shape)]
        expected = (np.reshape(expected, shape) - np.sum(weights * naive_pool(inputs, pool, pooling))) / step

        @jax.jit
        @jax.grad
        def gradient(x: jax.Array) -> jax.Array:
            reduced = pool.maximum(x[None]) if pooling == "max" else pool.mean(x[None])
            return jnp.sum(jnp.float32(weights) * reduced[0])

        np.testing.assert_allclose(gradient(jnp.float32(inputs)), expected, atol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_pools_of_padded_inputs(pool: Pool) -> None:
    extent = np.array([8, 7])
    unpadded = np.random.default_rng(0).random((1, *extent, 2), np.float32)
    padded = np.pad(unpadded, ((0, 0), (0, 4), (0, 3), (0, 0)))
    height, width = pool.extent(extent)

    @jax.jit
    def both(inputs: jax.Array, extent: jax.Array | None = None) -> list[jax.Array]:
        return [pool.maximum(inputs), pool.mean(inputs, extent)]

    for result, expected in zip(both(padded, extent), both(unpadded), strict=True):
        assert expected.shape[1:3] == (height, width)
        np.testing.assert_allclose(result[:, :height, :width], expected, rtol=1e-6)


def units(shape: tuple[int, ...]) -> np.ndarray:
    """For every position, an array that is 1 there and 0 elsewhere."""
    return np.eye(math.prod(shape)).reshape(-1, *shape)


def naive_features(network: Network, picture: np.ndarray, deepest: str) -> dict[str, np.ndarray]:
    """Activations of Caffe's GoogLeNet in float64, with the input normalization of random networks."""
    x = (picture.astype(float) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    activations: dict[str, np.ndarray] = {}
    for layer in network.layers[: network.layers.index(deepest) + 1]:
        block, name = layer.split("/")
        if block.startswith("inception") and name in ("1x1", "3x3_reduce", "5x5_reduce", "pool"):
            x = activations["pool2/3x3_s2"]
        if layer in network.parameters:
            size = 1 if name.endswith(("_reduce", "_proj")) else int(name[0])
            stride = 2 if name.endswith("_s2") else 1
            kernel, bias = (np.asarray(network.parameters[layer][kind], float) for kind in ("kernel", "bias"))
            x = naive_convolution(x, kernel, size, stride) + bias
        elif name.startswith("relu"):
            x = np.where(x > 0, x, 0)
        elif name.startswith("norm"):
            x = naive_normalization(x)
        elif name == "output":
            x = np.concatenate(
                [activations[f"{block}/relu_{branch}"] for branch in ("1x1", "3x3", "5x5", "pool_proj")], -1
            )
        else:
            x = naive_pool(x, Pool(3, 1, 1) if name == "pool" else Pool(3, 2, ceil=True), network.pooling)
        activations[layer] = x
    return activations


def naive_convolution(x: np.ndarray, kernel: np.ndarray, size: int, stride: int) -> np.ndarray:
    assert kernel.shape[:2] == (size, size)
    padded = np.pad(x, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    rows, columns = (range(0, length, stride) for length in x.shape[:2])
    return np.array(
        [
            [np.tensordot(padded[row : row + size, column : column + size], kernel, 3) for column in columns]
            for row in rows
        ]
    )


def naive_normalization(x: np.ndarray) -> np.ndarray:
    result = np.empty_like(x)
    for channel in range(x.shape[-1]):
        around = x[..., max(0, channel - 2) : channel + 3]
        result[..., channel] = x[..., channel] / (1 + 1e-4 / 5 * np.sum(around**2, axis=-1)) ** 0.75
    return result


def naive_pool(x: np.ndarray, pool: Pool, pooling: str) -> np.ndarray:
    """Windows begin every `stride` positions, from `-padding` on; with `ceil`, the last may end beyond the picture."""

    def begins(length: int) -> list[int]:
        end = length + pool.padding
        offsets = [at for at in range(-pool.padding, end, pool.stride) if at + pool.size <= end]
        if pool.ceil and offsets[-1] + pool.size < end:
            offsets.append(offsets[-1] + pool.stride)
        return offsets

    reduce = np.max if pooling == "max" else np.mean
    return np.array(
        [
            [
                reduce(x[max(0, row) : row + pool.size, max(0, column) : column + pool.size], axis=(0, 1))
                for column in begins(x.shape[1])
            ]
            for row in begins(x.shape[0])
        ]
    )
