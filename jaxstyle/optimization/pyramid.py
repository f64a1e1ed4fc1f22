"""The sizes of an optimization, coarse to fine, and enlarging a picture from one to the next.

At a small size a step is cheap and the receptive field is large relative to the picture, so colors and large strokes
form there. Every larger size starts from the enlarged result of the previous one, and only adds detail.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.images import MIN_SIDE, fit_shape, resize

_SMALLEST = 128  # the longest side of the smallest size in pixels; its shorter side is at least _MIN_SHORT
_MIN_SHORT = 2 * MIN_SIDE

_LOBES = 3  # of the Lanczos filter

Array = TypeVar("Array", np.ndarray, jax.Array)


def schedule(config: StyleConfig, height: int, width: int) -> tuple[tuple[int, int], ...]:
    """The sizes from coarse to fine and the steps at each, `((longest side, steps), ...)`, for a content's shape.

    For a strength of 0, where the result is the content, it is a single step, for its losses.
    """
    if config.strength == 0:
        return ((config.size, 1),)
    starts_with_picture = {name for name, share in config.init if share} == {"picture"}
    count = config.levels or (1 if starts_with_picture else math.inf)
    sizes = [config.size]
    while len(sizes) < count:
        half = sizes[0] // 2
        if half < _SMALLEST or min(fit_shape(height, width, half)) < _MIN_SHORT:
            break
        sizes.insert(0, half)
    return tuple((size, config.steps) for size in sizes)


def style_sizes(config: StyleConfig) -> list[float]:
    """The longest sides of the style picture at all sizes of a run, whatever the content's aspect ratio."""
    return [size * blend_scale(config) for size, _ in schedule(config, 1, 1)]


def blend_scale(config: StyleConfig) -> float:
    """The style scale of a style that is measured as a whole: 1 for a blend of styles with a scale for each."""
    return config.style_scales[0] if len(config.style_scales) == 1 else 1.0


def enlarge(picture: Array, content: Array, target: Array, resize: Callable[..., Any] = resize) -> Array:
    """Enlarge a result to the next size, and add the detail that the content has there.

    Args:
        picture: the result, `[h, w, 3]`.
        content: the content at the size of the result, `[h, w, 3]`.
        target: the content at the next size, `[H, W, 3]`.
        resize: `resize(picture, height, width)`.
    """
    height, width = target.shape[:2]
    return resize(picture, height, width) + (target - resize(content, height, width))


def resize_padded(
    picture: jax.Array, height: int, width: int, *, extent: jax.Array, new_extent: jax.Array
) -> jax.Array:
    """`images.resize` in JAX, equal within 1e-5, for a picture that is padded with zeros, as is the result.

    A pure function, to vmap over pictures of one shape with different extents.

    Args:
        picture: `[h, w, 3]` in [0, 1].
        height: rows of the result, with its padding.
        width: its columns.
        extent: height and width `[2]` of the valid positions of the picture.
        new_extent: those of the result.
    """
    rows, columns = (
        _lanczos_weights(picture.shape[axis], new_side, extent[axis], new_extent[axis])
        for axis, new_side in enumerate((height, width))
    )
    with jax.default_matmul_precision("highest"):
        return jnp.einsum("ih,jw,hwc->ijc", rows, columns, picture, optimize=True).clip(0, 1)


def _lanczos_weights(side: int, new_side: int, extent: jax.Array, new_extent: jax.Array) -> jax.Array:
    """The weights of old positions in new ones, `[new_side, side]`, 0 in the padding of either."""
    old, new = jnp.arange(side)[None], jnp.arange(new_side)[:, None]
    # The distance in lobes of the filter, which is widened when shrinking; an exact quotient of integers.
    distance = ((2 * old + 1) * new_extent - (2 * new + 1) * extent) / (2 * jnp.maximum(extent, new_extent))
    lobes = jnp.where(jnp.abs(distance) < _LOBES, jnp.sinc(distance) * jnp.sinc(distance / _LOBES), 0)
    weights = jnp.where(old < extent, lobes, 0)
    return jnp.where(new < new_extent, weights / weights.sum(1, keepdims=True), 0)
