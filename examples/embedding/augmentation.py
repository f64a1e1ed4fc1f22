"""Stylization as data augmentation: half of every batch is painted in a style of its own, inside the training step.

Meant against learning from colors and texture alone (Geirhos et al., arXiv 1811.12231). This shows how it is built, on
a toy; docs/embedding.md tells what it gained there, which was nothing reliable.

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

PICTURES = Path(__file__).parents[1]
SIZE = 32
LAYERS = (("relu1_1", 1.0), ("relu2_1", 1.0))
# Rough is good enough here: few layers, few steps, and Adam, which remembers little.
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
    """Pictures `[N, H, W, 3]` to scores `[N, kinds]`."""

    kinds: int

    @nn.compact
    def __call__(self, pictures: jax.Array) -> jax.Array:
        """Three convolutions, each to half the size, and a mean over what is left."""
        x = pictures - 0.5
        for width in (16, 32, 64):
            x = nn.relu(nn.Conv(width, (3, 3), strides=2)(x))
        return nn.Dense(self.kinds)(x.mean((1, 2)))


def blended(styles: jaxstyle.Style, key: jax.Array) -> jaxstyle.Style:
    """A random blend of a stack of styles, which is their weighted mean."""
    count = jax.tree.leaves(styles)[0].shape[0]
    shares = jax.random.dirichlet(key, jnp.ones(count))
    return jax.tree.map(lambda stack: jnp.tensordot(shares, stack, 1), styles)


def augmented(stylizer: jaxstyle.Stylizer, styles: jaxstyle.Style, pictures: jax.Array, key: jax.Array) -> jax.Array:
    """The pictures, the first half of them painted."""
    half = len(pictures) // 2

    def paint(picture: jax.Array, key: jax.Array) -> jax.Array:
        return stylizer(picture, blended(styles, key))

    painted = jax.vmap(paint)(pictures[:half], jax.random.split(key, half))
    return pictures.at[:half].set(painted)


def make_step(model: Classifier, optimizer: optax.GradientTransformation, augment: bool) -> Callable[..., Any]:
    """One step of training; the stylizer is an argument, or its weights would become constants."""

    @jax.jit
    def step(
        parameters: Any, state: Any, stylizer: jaxstyle.Stylizer, styles: Any, pictures: Any, labels: Any, key: Any
    ) -> Any:
        if augment:
            pictures = augmented(stylizer, styles, pictures, key)

        def mean_loss(parameters: Any) -> jax.Array:
            scores = model.apply(parameters, pictures)
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

        loss, gradient = jax.value_and_grad(mean_loss)(parameters)
        update, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, update), state, loss

    return step


def crops(pictures: list[np.ndarray], count: int, rng: np.random.Generator) -> tuple[jax.Array, jax.Array]:
    """Random squares `[count, SIZE, SIZE, 3]`, and which of the pictures each is from."""
    labels, found = rng.integers(len(pictures), size=count), []
    for label in labels:
        top, left = (rng.integers(side - SIZE + 1) for side in pictures[label].shape[:2])
        found.append(pictures[label][top : top + SIZE, left : left + SIZE])
    return jnp.stack(found), jnp.asarray(labels)


def main(steps: int = 300, batch: int = 16, trial: int = 200, seed: int = 0) -> dict[str, float]:
    """Train without and with augmentation; the share of crops that are known, plain and in a style never seen."""
    names = ("harbour", "coffee", "cat")
    pictures = [jaxstyle.read_image(PICTURES / "content" / f"{name}.jpg", size=96) for name in names]
    stylizer = jaxstyle.make_stylizer(jaxstyle.load_network("vgg19"), CONFIG, height=SIZE, width=SIZE)
    swirls, embers, facets = (
        stylizer.measure(jaxstyle.read_image(PICTURES / "style" / f"{name}.jpg"))
        for name in ("swirls", "embers", "facets")
    )
    styles = jax.tree.map(lambda *parts: jnp.stack(parts), swirls, embers)

    plain, labels = crops(pictures, trial, np.random.default_rng(seed + 1))
    paint = jax.jit(lambda stylizer, style, contents: jax.lax.map(lambda content: stylizer(content, style), contents))
    trials = {"plain": plain, "in an unseen style": paint(stylizer, facets, plain)}

    known = {}
    model, optimizer = Classifier(len(names)), optax.adam(2e-3)
    for training, augment in (("without", False), ("with", True)):
        rng, key, step = np.random.default_rng(seed), jax.random.key(seed), make_step(model, optimizer, augment)
        parameters = model.init(key, plain[:1])
        state = optimizer.init(parameters)
        for index in range(steps):
            drawn = crops(pictures, batch, rng)
            parameters, state, _ = step(parameters, state, stylizer, styles, *drawn, jax.random.fold_in(key, index))
        for name, trial_pictures in trials.items():
            right = model.apply(parameters, trial_pictures).argmax(-1) == labels
            known[f"{training} augmentation, {name}"] = float(right.mean())
            print(f"{training} augmentation, {name}: {right.mean():.0%} known")
    return known


if __name__ == "__main__":
    main()
