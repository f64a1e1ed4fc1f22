"""Distances of a result from its content and style, for comparing results of different methods.

They use the default layers of a pretrained network: VGG-19, unless another one is named.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.styles import color_distance, color_moments


@dataclass(frozen=True)
class Judgment:
    """Distances of a picture from content and style. All are 0 for equal pictures.

    Attributes:
        content: |F - P| / |P| at the content layer, relu4_2 of VGG-19.
        style: the mean over the style layers of |G - A| / |A|; relu1_1, ..., relu5_1 of VGG-19.
        color: the square root of the distance between the color distributions.
    """

    content: float
    style: float
    color: float


def judge(picture: np.ndarray, content: np.ndarray, style: np.ndarray, network: str = "vgg19") -> Judgment:
    """Compare a picture `[H, W, 3]` with a content of the same shape and a style `[h, w, 3]`."""
    content_loss, style_losses, color = _losses(_network(network), picture, content, style)
    return Judgment(float(content_loss**0.5), float(np.mean(np.sqrt(style_losses))), float(color**0.5))


@jax.jit
def _losses(network: jaxstyle.Network, picture: jax.Array, content: jax.Array, style: jax.Array) -> Any:
    architecture = ARCHITECTURES[network.architecture]
    features = network.features(picture, (*architecture.content_layers, *architecture.style_layers))
    grams = jaxstyle.style_targets(network, style, architecture.style_layers)
    return (
        jaxstyle.content_loss(features, jaxstyle.content_targets(network, content, architecture.content_layers)),
        [jaxstyle.style_loss(features, {layer: gram}) for layer, gram in grams.items()],
        color_distance(color_moments(picture), color_moments(style)),
    )


@cache
def _network(name: str) -> jaxstyle.Network:
    return jaxstyle.load_network(name).direct()
