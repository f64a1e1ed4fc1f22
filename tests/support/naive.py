"""Reference implementations in float64 NumPy, written from the definitions, for tests to compare with."""

from collections.abc import Mapping
from itertools import product

import numpy as np

from jaxstyle.networks import Network

# The embedded networks were trained with Caffe's inputs: BGR from 0 to 255, minus this mean of ImageNet.
CAFFE_MEAN = np.array([103.939, 116.779, 123.68])

# Edges, face diagonals and space diagonals of the color cube, one of each opposite pair.
DIRECTIONS = np.array(
    [
        *[(1, 0, 0), (0, 1, 0), (0, 0, 1)],
        *[(1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)],
        *[(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)],
    ]
)
HARMONICS = np.arange(1, 9)


def convolution(pictures: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The 3x3 convolution of `[..., H, W, I]` with a kernel `[3, 3, I, O]` and zero padding: `[..., H, W, O]`."""
    windows = shifted(pictures)
    return sum(windows[row, column] @ kernel[row, column] for row, column in windows)


def convolution_gradients(
    pictures: np.ndarray, kernel: np.ndarray, cotangent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of `sum(cotangent * convolution(pictures, kernel))` with respect to pictures and kernel."""
    height, width = pictures.shape[-3:-1]
    padded = np.zeros((*pictures.shape[:-3], height + 2, width + 2, pictures.shape[-1]))
    kernel_gradient = np.zeros(kernel.shape)
    for (row, column), window in shifted(pictures).items():
        padded[..., row : row + height, column : column + width, :] += cotangent @ kernel[row, column].T
        kernel_gradient[row, column] = flat(window).T @ flat(cotangent)
    return padded[..., 1:-1, 1:-1, :], kernel_gradient


def shifted(pictures: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """The pixels `[..., H, W, I]` that each entry of a 3x3 kernel is multiplied with."""
    height, width = pictures.shape[-3:-1]
    padded = np.pad(np.asarray(pictures, float), [(0, 0)] * (pictures.ndim - 3) + [(1, 1), (1, 1), (0, 0)])
    return {
        (row, column): padded[..., row : row + height, column : column + width, :]
        for row, column in product(range(3), repeat=2)
    }


def features(network: Network, picture: np.ndarray, deepest: str) -> dict[str, np.ndarray]:
    """The activations of a Caffe network with max pooling for `[H, W, 3]`, from the first layer to `deepest`."""
    x, activations = picture[..., ::-1] * 255 - CAFFE_MEAN, {}
    for layer in network.layers[: network.layers.index(deepest) + 1]:
        if layer.startswith("conv"):
            kernel, bias = (np.asarray(network.parameters[layer][name], float) for name in ("kernel", "bias"))
            x = convolution(x, kernel) + bias
        elif layer.startswith("relu"):
            x = np.maximum(x, 0)
        else:
            height, width = x.shape[0] // 2, x.shape[1] // 2
            x = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1).max((1, 3))
        activations[layer] = x
    return activations


def gram(values: np.ndarray) -> np.ndarray:
    """The Gram matrix `[C, C]` of `[H, W, C]`: the mean over positions of the products of every two channels."""
    columns = flat(np.asarray(values, float))
    return sum((np.outer(column, column) for column in columns), np.zeros(())) / len(columns)


def projected(colors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The projections of colors `[..., 3]` on an axis, from 0 to 1 at the ends of the color cube."""
    corners = np.array(list(np.ndindex(2, 2, 2))) @ axis
    return (np.asarray(colors, float) @ axis - corners.min()) / (corners.max() - corners.min())


def color_moments(picture: np.ndarray) -> np.ndarray:
    """The mean cosines of the colors' projections, by direction and harmonic."""
    projections = np.stack([projected(flat(picture), axis) for axis in DIRECTIONS])
    return np.stack([np.cos(np.pi * k * projections).mean(1) for k in HARMONICS], axis=-1)


def color_distance(moments: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean(np.sum(2 * ((moments - target) / (np.pi * HARMONICS)) ** 2, axis=1)))


def grain(picture: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The grain of luma and chroma, and its squares, `[4]`, with a loop over pixels and their neighbors."""
    weights = np.ones(picture.shape[:2]) if weights is None else weights
    luma = np.asarray(picture, float) @ [0.299, 0.587, 0.114]
    channels = np.stack([luma, (picture[..., 2] - luma) / 1.772, (picture[..., 0] - luma) / 1.402], -1)
    height, width = luma.shape
    total, squares = np.zeros(3), np.zeros(3)
    for y, x in zip(*np.nonzero(weights), strict=True):
        neighbors = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [(i, j) for i, j in neighbors if 0 <= i < height and 0 <= j < width and weights[i, j] > 0]
        laplacian = sum((channels[place] - channels[y, x] for place in inside), np.zeros(3))
        total += weights[y, x] * (np.hypot(laplacian, 0.5 / 255) - 0.5 / 255)
        squares += weights[y, x] * laplacian**2
    pairs = [[luma, (blue + red) / 2] for luma, blue, red in (total, squares)]
    return np.ravel(pairs) / weights.sum()


def grain_excess(value: np.ndarray, target: np.ndarray) -> float:
    floor = 0.5 / 255
    means = (value[:2] + floor) / (0.9 * target[:2] + floor)
    roots = np.sqrt((value[2:] + floor**2) / ((0.9**2) * target[2:] + floor**2))
    return float(np.mean(np.log(np.maximum(means, 1)) ** 2 + np.log(np.maximum(roots, 1)) ** 2))


def content_loss(values: np.ndarray, target: np.ndarray, normalization: str) -> float:
    squares = np.sum((np.asarray(values, float) - target) ** 2)
    if normalization == "relative":
        return float(squares / np.sum(np.asarray(target, float) ** 2))
    return float(squares / (2 * values.shape[0] * values.shape[1]))


def style_loss(gram: np.ndarray, target: np.ndarray, normalization: str) -> float:
    squares = np.sum((gram - target) ** 2)
    return float(squares / (np.sum(target**2) if normalization == "relative" else 4 * len(gram) ** 2))


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1])


def weighted_mean(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return float(np.average(list(values.values()), weights=[weights[name] for name in values]))


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value."""
    assert found.shape == expected.shape
    return float(np.abs(np.asarray(found, float) - expected).max() / np.abs(expected).max())
