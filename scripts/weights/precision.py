"""Estimate the quantization error of the embedded VGG-19: in its kernels, features and Gram matrices.

    python -m scripts.weights.precision PICTURE...

The original of a quantized weight lies between the midpoints to the neighboring values of its table. If it is
distributed uniformly there, the root mean square error of a kernel is the root of the mean of (interval width)^2 / 12.
For the errors of features and Gram matrices, an original network is sampled from this distribution.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.images import read_image
from jaxstyle.weights import load_network, load_weights
from scripts.arguments import make_parser

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
SIZE = 320


def interval_widths(table: np.ndarray) -> np.ndarray:
    """For each value of a table, the width of the interval that is rounded to it; the outermost are symmetric."""
    order = np.argsort(table)
    values = table[order].astype(np.float64)
    edges = (values[1:] + values[:-1]) / 2
    edges = np.concatenate([[2 * values[0] - edges[0]], edges, [2 * values[-1] - edges[-1]]])
    widths = np.empty_like(values)
    widths[order] = np.diff(edges)
    return widths


def relative_distance(value: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(value - reference) / np.linalg.norm(reference))


def gram(features: np.ndarray) -> np.ndarray:
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return rows.T @ rows


def main() -> None:
    parser = make_parser("weights.precision", __doc__)
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE")
    arguments = parser.parse_args()
    jax.config.update("jax_default_matmul_precision", "highest")
    generator = np.random.default_rng(0)
    tensors, network = load_weights("vgg19").tensors, load_network("vgg19")
    parameters = {}
    print("kernel     values  median step  relative distance")
    for layer, values in sorted(network.parameters.items()):
        table, index = tensors[f"{layer}.kernel.table"], tensors[f"{layer}.kernel.index"]
        widths, kernel = interval_widths(table)[index], np.asarray(values["kernel"])
        distance = np.sqrt((widths**2).mean() / 12) / np.sqrt((kernel.astype(np.float64) ** 2).mean())
        print(f"{layer:<11}{len(np.unique(table)):>5}{np.median(np.diff(np.sort(table))):>14.1e}{distance:>15.4f}")
        sampled = kernel + widths * generator.uniform(-0.5, 0.5, widths.shape)
        parameters[layer] = values | {"kernel": jnp.asarray(sampled, jnp.float32)}
    sampled_network = dataclasses.replace(network, parameters=parameters)
    print("layer      features  Gram matrix (relative distances; the largest over the pictures)")
    feature_distances, gram_distances = dict.fromkeys(LAYERS, 0.0), dict.fromkeys(LAYERS, 0.0)
    for path in arguments.pictures:
        picture = jnp.asarray(read_image(path, size=SIZE))
        quantized, originals = network.features(picture, LAYERS), sampled_network.features(picture, LAYERS)
        for layer in LAYERS:
            value, original = np.asarray(quantized[layer]), np.asarray(originals[layer])
            distances = relative_distance(value, original), relative_distance(gram(value), gram(original))
            feature_distances[layer] = max(feature_distances[layer], distances[0])
            gram_distances[layer] = max(gram_distances[layer], distances[1])
    for layer in LAYERS:
        print(f"{layer:<11}{feature_distances[layer]:.4f}    {gram_distances[layer]:.4f}")


if __name__ == "__main__":
    main()
