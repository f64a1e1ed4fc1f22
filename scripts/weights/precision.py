"""Measure how far the quantized VGG-19 can be from its original: in its kernels, in features and in Gram matrices.

    python scripts/weights_precision.py PICTURE...

The original of a quantized weight lies between the midpoints to the neighboring values of its table. Taking it to be
spread evenly there, the distance of a kernel from its original is the root of the mean of (cell width)^2 / 12, and a
possible original can be drawn, whose features differ from the quantized network's as the true ones may.
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.images.reading import read_image
from jaxstyle.weights.store import load_network, load_weights

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
SIZE = 320


def cell_widths(table: np.ndarray) -> np.ndarray:
    """The width of the interval that was rounded to each entry; the outermost are taken to be symmetric."""
    order = np.argsort(table)
    values = table[order].astype(np.float64)
    edges = (values[1:] + values[:-1]) / 2
    edges = np.concatenate([[2 * values[0] - edges[0]], edges, [2 * values[-1] - edges[-1]]])
    widths = np.empty_like(values)
    widths[order] = np.diff(edges)
    return widths


def relative(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def gram(features: np.ndarray) -> np.ndarray:
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return rows.T @ rows


def main() -> None:
    jax.config.update("jax_default_matmul_precision", "highest")
    generator = np.random.default_rng(0)
    tensors, network = load_weights("vgg19").tensors, load_network("vgg19")
    parameters = {}
    print("kernel     values  median step  relative distance")
    for layer, values in sorted(network.parameters.items()):
        table, index = tensors[f"{layer}.kernel.table"], tensors[f"{layer}.kernel.index"]
        widths, kernel = cell_widths(table)[index], np.asarray(values["kernel"])
        distance = np.sqrt((widths**2).mean() / 12) / np.sqrt((kernel.astype(np.float64) ** 2).mean())
        print(f"{layer:<11}{len(np.unique(table)):>5}{np.median(np.diff(np.sort(table))):>14.1e}{distance:>15.4f}")
        drawn = kernel + widths * generator.uniform(-0.5, 0.5, widths.shape)
        parameters[layer] = values | {"kernel": jnp.asarray(drawn, jnp.float32)}
    drawn_network = dataclasses.replace(network, parameters=parameters)
    print("layer      features  Gram matrix (relative distances; the largest over the pictures)")
    worst = dict.fromkeys(LAYERS, (0.0, 0.0))
    for path in sys.argv[1:]:
        picture = jnp.asarray(read_image(path, size=SIZE))
        found, true = network.features(picture, LAYERS), drawn_network.features(picture, LAYERS)
        for layer in LAYERS:
            a, b = np.asarray(found[layer]), np.asarray(true[layer])
            worst[layer] = max(worst[layer][0], relative(a, b)), max(worst[layer][1], relative(gram(a), gram(b)))
    for layer, (features, matrix) in worst.items():
        print(f"{layer:<11}{features:.4f}    {matrix:.4f}")


if __name__ == "__main__":
    main()
