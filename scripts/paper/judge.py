"""One judge for results that were made by different means: the default layers of VGG-19."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.optimization.objective import content_targets
from jaxstyle.styles.statistics import color_distance, color_moments

_CONFIG = resolve_layers(jaxstyle.StyleConfig(), "vgg19")


@dataclass(frozen=True)
class Judgment:
    """How far a picture is from content and style: 0 is the same, and 1 is as far as a picture of nothing.

    Attributes:
        content: |F - P| / |P| at relu4_2.
        style: the mean over relu1_1, ..., relu5_1 of |G - A| / |A|.
        color: the root of the distance of the color distributions.
    """

    content: float
    style: float
    color: float


def judge(picture: np.ndarray, content: np.ndarray, style: np.ndarray) -> Judgment:
    """Judge a picture `[H, W, 3]` by a content of the same shape and a style `[h, w, 3]`."""
    content_term, style_terms, color = _terms(_network(), picture, content, style)
    return Judgment(float(content_term**0.5), float(np.mean(np.sqrt(style_terms))), float(color**0.5))


@jax.jit
def _terms(network: jaxstyle.Network, picture: jax.Array, content: jax.Array, style: jax.Array) -> Any:
    features = network.features(picture, (*_CONFIG.content_names, *_CONFIG.style_names))
    grams = jaxstyle.style_targets(network, style, _CONFIG.style_names)
    return (
        jaxstyle.content_loss(features, content_targets(network, content, _CONFIG.content_names)),
        [jaxstyle.style_loss(features, {layer: gram}) for layer, gram in grams.items()],
        color_distance(color_moments(picture), color_moments(style)),
    )


@cache
def _network() -> jaxstyle.Network:
    return jaxstyle.load_network("vgg19").direct()
