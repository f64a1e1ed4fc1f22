"""Gram matrices of pictures, measured in double precision for NumPy."""

from collections.abc import Sequence

import jax
import numpy as np

from jaxstyle.networks import Network, check_network
from jaxstyle.styles import style_targets

_style_targets = jax.jit(style_targets, static_argnames="layers")


def measure_grams(network: Network, picture: np.ndarray, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Measure the Gram matrices `{layer: [C, C]}` of a picture `[H, W, 3]` in [0, 1]."""
    check_network(network)
    grams = _style_targets(network.direct(), picture, layers=layers)
    return {layer: np.asarray(grams[layer], np.float64) for layer in layers}


def largest_entries(network: Network, pictures: Sequence[np.ndarray], layer: str) -> np.ndarray:
    """Measure the largest value over the pictures of each entry of a layer's Gram matrix, `[C, C]`."""
    return np.max([measure_grams(network, picture, (layer,))[layer] for picture in pictures], axis=0)
