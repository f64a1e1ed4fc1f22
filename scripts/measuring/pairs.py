"""Four pairs of example pictures, and the measures by which the compare scripts judge their results."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxstyle
from jaxstyle.images import resize
from jaxstyle.networks import resolve_layers
from jaxstyle.optimization import Terms, content_targets, make_objective
from jaxstyle.styles import STYLE_LAYERS, measure_statistics

ROOT = Path(__file__).resolve().parents[2]
PAIRS = (("harbour", "swirls"), ("coffee", "embers"), ("cat", "facets"), ("harbour", "embers"))
DEFAULTS = resolve_layers(jaxstyle.StyleConfig(), "vgg19")


class Judge:
    """The default objective of one pair, in float32 on every device."""

    def __init__(self, content: np.ndarray, style: np.ndarray) -> None:
        self.shape = content.shape[:2]
        self.network = jaxstyle.load_network(pooling="max", precision="float32")
        self.objective = make_objective(
            DEFAULTS, content_targets(self.network, content), measure_statistics(self.network, style, STYLE_LAYERS)
        )

    def loss(self, picture: np.ndarray) -> float:
        """The default loss of a picture of any size."""
        return float(_evaluate(self.network, self.objective, resize(picture, *self.shape))[0].total)

    def measures(self, picture: np.ndarray) -> dict[str, float]:
        """|F - P| / |P|, the mean of |G - A| / |A| over the layers, the color distance, and the loss."""
        terms, style_terms = _evaluate(self.network, self.objective, picture)
        return {
            "content": float(np.sqrt(terms.content)),
            "style": float(np.mean([np.sqrt(term) for term in style_terms])),
            "color": float(terms.color),
            "loss": float(terms.total),
        }


@jax.jit
def _evaluate(network: jaxstyle.Network, objective: Any, picture: jax.Array) -> tuple[Terms, list[jax.Array]]:
    features = network.features(picture, STYLE_LAYERS)
    style_terms = [jaxstyle.style_loss(features, {layer: objective.style[layer]}) for layer in STYLE_LAYERS]
    return objective.terms(network, picture), style_terms


def read_pair(pair: tuple[str, str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The photograph and the painting; photographs are cropped to 4:3, so that all pairs share compiled programs."""
    shape = (size * 3 // 4, size)
    content, style = (
        jaxstyle.read_image(ROOT / "examples" / folder / f"{name}.jpg")
        for folder, name in zip(("content", "style"), pair, strict=True)
    )
    height, width = content.shape[:2]
    rows, columns = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = (height - rows) // 2, (width - columns) // 2
    return resize(content[top : top + rows, left : left + columns], *shape), resize(style, round(0.8 * size), size)
