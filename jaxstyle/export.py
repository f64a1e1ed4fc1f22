"""Export a stylizer as a function of plain arrays that needs nothing but JAX."""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.export
import jax.numpy as jnp

from jaxstyle.styles import Style, replace_tensors, style_tensors
from jaxstyle.stylizer import Stylizer

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export_stylizer(
    stylizer: Stylizer, style: Style | None, *, seed: int, platforms: Sequence[str]
) -> jax.export.Exported:
    """Export a stylizer as a function of plain arrays.

    Args:
        stylizer: the stylizer. The weights of its network, down to the deepest layer in use, become part of the
            function.
        style: a style to build in. Without one, the function takes a second argument, the tensors `{name: array}` in
            the file of a style that was saved for the same size, scale and layers.
        seed: the seed of the noise.
        platforms: platforms to run on, of `PLATFORMS`.

    Returns:
        A function from a content `[height, width, 3]` in [0, 1], and the tensors unless a style is built in, to the
        result.
    """
    network, config = stylizer.network, stylizer.config
    layers = network.up_to((*config.content_names, *config.style_names))
    parameters = {layer: network.parameters[layer] for layer in layers if layer in network.parameters}
    stylizer = replace(stylizer, network=replace(network, parameters=parameters))
    content = jax.ShapeDtypeStruct((stylizer.height, stylizer.width, 3), jnp.float32)
    key = jax.random.key(seed)
    if style:
        program = jax.jit(lambda content: stylizer(content, style, key=key))
        return jax.export.export(program, platforms=platforms)(content)
    square = jax.ShapeDtypeStruct((config.size, config.size, 3), jnp.float32)
    shapes = jax.eval_shape(stylizer.measure, square)
    program = jax.jit(lambda content, tensors: stylizer(content, replace_tensors(shapes, tensors), key=key))
    return jax.export.export(program, platforms=platforms)(content, style_tensors(shapes))
