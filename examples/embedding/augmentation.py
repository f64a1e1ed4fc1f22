"""Stylization as data augmentation: the training step stylizes half of each batch, each picture with a different style.

The purpose is that a network does not rely on colors and texture alone (Geirhos et al., arXiv 1811.12231). This is a
toy example of the technique, which had no reliable benefit here (see docs/embedding.md).

    python examples/embedding/augmentation.py
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxstyle

EXAMPLES = Path(__file__).parents[1]
SIZE = 32
LAYERS = (("relu1_1", 1.0), ("relu2_1", 1.0))
# A rough result suffices: few layers, few steps, and Adam, whose state is small.
CONFIG = jaxstyle.StyleConfig(
    size=SIZE,
    steps=8,
    optimizer="adam",
    content_layers=(("relu2_1", 1.0),),
    content_weight=1.0,
    style_layers=LAYERS,
    style_scale=3.0,
)


class Classifier(nn.Module):
    """Classify pictures `[N, H, W, 3]`; returns scores `[N, classes]`."""

    classes: int

    @nn.compact
    def __call__(self, pictures: jax.Array) -> jax.Array:
        """Apply three convolutions, each of which halves the size, and a mean over the positions."""
        x = pictures - 0.5
        for width in (16, 32, 64):
            x = nn.relu(nn.Conv(width, (3, 3), strides=2)(x))
        return nn.Dense(self.classes)(x.mean((1, 2)))


def random_blend(styles: jaxstyle.Style, key: jax.Array) -> jaxstyle.Style:
    """A random blend of stacked styles, which is their weighted mean."""
    count = jax.tree.leaves(styles)[0].shape[0]
    shares = jax.random.dirichlet(key, jnp.ones(count))
    return jax.tree.map(lambda stack: jnp.tensordot(shares, stack, 1), styles)


def stylize_half(stylizer: jaxstyle.Stylizer, styles: jaxstyle.Style, pictures: jax.Array, key: jax.Array) -> jax.Array:
    """Stylize the first half of the pictures, each with a random blend of the styles."""
    half = len(pictures) // 2

    def stylize(picture: jax.Array, key: jax.Array) -> jax.Array:
        return stylizer(picture, random_blend(styles, key))

    stylized = jax.vmap(stylize)(pictures[:half], jax.random.split(key, half))
    return pictures.at[:half].set(stylized)


def make_step(model: Classifier, optimizer: optax.GradientTransformation, augment: bool) -> Callable[..., Any]:
    """A training step. The stylizer is an argument of it, because otherwise its weights would become constants."""

    @jax.jit
    def step(
        parameters: Any, state: Any, stylizer: jaxstyle.Stylizer, styles: Any, pictures: Any, labels: Any, key: Any
    ) -> Any:
        if augment:
            pictures = stylize_half(stylizer, styles, pictures, key)

        def mean_loss(parameters: Any) -> jax.Array:
            scores = model.apply(parameters, pictures)
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

        loss, gradient = jax.value_and_grad(mean_loss)(parameters)
        update, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, update), state, loss

    return step


def crops(pictures: list[np.ndarray], count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random square crops `[count, SIZE, SIZE, 3]`, with the indices of their pictures as labels."""
    labels, squares = rng.integers(len(pictures), size=count), []
    for label in labels:
        top, left = (rng.integers(side - SIZE + 1) for side in pictures[label].shape[:2])
        squares.append(pictures[label][top : top + SIZE, left : left + SIZE])
    return np.stack(squares), labels


def main(steps: int = 300, batch: int = 16, trial: int = 200, seed: int = 0) -> dict[str, float]:
    """Train without and with augmentation.

    Returns:
        the accuracy of each classifier on plain crops and on crops in an unseen style.
    """
    names = ("harbour", "coffee", "cat")
    pictures = [jaxstyle.read_image(EXAMPLES / "content" / f"{name}.jpg", size=96) for name in names]
    stylizer = jaxstyle.make_stylizer(jaxstyle.load_network("vgg19"), CONFIG, height=SIZE, width=SIZE)
    swirls, embers, facets = (
        stylizer.measure(jaxstyle.read_image(EXAMPLES / "style" / f"{name}.jpg"))
        for name in ("swirls", "embers", "facets")
    )
    styles = jax.tree.map(lambda *leaves: jnp.stack(leaves), swirls, embers)

    plain, labels = crops(pictures, trial, np.random.default_rng(seed + 1))
    stylize_all = jax.jit(
        lambda stylizer, style, contents: jax.lax.map(lambda content: stylizer(content, style), contents)
    )
    trials = {"plain": plain, "in an unseen style": stylize_all(stylizer, facets, plain)}

    accuracies = {}
    model, optimizer = Classifier(len(names)), optax.adam(2e-3)
    for training, augment in (("without", False), ("with", True)):
        rng, key, step = np.random.default_rng(seed), jax.random.key(seed), make_step(model, optimizer, augment)
        parameters = jax.jit(model.init)(key, plain[:1])
        state = optimizer.init(parameters)
        for index in range(steps):
            data = crops(pictures, batch, rng)
            parameters, state, _ = step(parameters, state, stylizer, styles, *data, jax.random.fold_in(key, index))
        for name, trial_pictures in trials.items():
            scores = jax.jit(model.apply)(parameters, trial_pictures)
            accuracy = float(np.mean(np.argmax(scores, -1) == labels))
            accuracies[f"{training} augmentation, {name}"] = accuracy
            print(f"{training} augmentation, {name}: {accuracy:.0%} correct")
    return accuracies


if __name__ == "__main__":
    main()
