"""Pictures in which one entry of a Gram matrix is as large as can be: what two channels see in one place.

The picture is a sum of waves in decorrelated colors, squashed into [0, 1] (Olah, Mordvintsev and Schubert, "Feature
Visualization", Distill 2017). A wave's amplitude is divided by its frequency, as in photographs, so that a step of
Adam changes coarse and fine alike. Waves go round: the picture is a tile that repeats without a seam. Every step rolls
it by some way, so that nothing can hang on to the network's borders or to the grid of its pooling.

What grows is the mean over positions of F_i F_j. A channel that no position of the first picture activates has no
gradient, so in place of the rectifier max(c, 0) stands s softplus(c / s), s being a share of the channel's root mean
square at the start: much the same once the channel is active, and never quite flat. The scale is of no matter to Adam.
"""

from collections.abc import Sequence
from functools import partial

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxstyle.errors import ConfigError
from jaxstyle.images.resizing import MIN_SIDE
from jaxstyle.networks.architectures import ARCHITECTURES, check_layers
from jaxstyle.networks.convolution import COMPILER_OPTIONS
from jaxstyle.networks.network import Network

_LEARNING_RATE = 0.1  # of Adam, in units of a wave's amplitude at its frequency
_CONTRAST, _NOISE = 2.0, 0.3  # deviation of the picture before the sigmoid, for waves near 1; of the first waves
_SOFTNESS = 0.3  # s, in units of the root mean square
_TOGETHER = 16  # pictures that are computed side by side
# Lightness, orange-blue and purple-green, with about the deviations that they have in photographs.
_COLORS = np.array([[1, 1, 1], [1.22, 0, -1.22], [0.71, -1.41, 0.71]], np.float32) * np.array([[1], [0.35], [0.15]])


@flax.struct.dataclass
class Maximized:
    """Pictures `[N, size, size, 3]` in [0, 1], and the entry's value before each step, `[N, steps]`."""

    pictures: jax.Array
    history: jax.Array


def maximize_entries(
    network: Network,
    layer: str,
    entries: Sequence[tuple[int, int]],
    *,
    size: int = 128,
    steps: int = 100,
    seed: int = 0,
) -> Maximized:
    """For each entry (i, j) of a layer's Gram matrix, a picture in which it is large.

    All start from the same noise, so that a picture depends on its own entry, whatever the others are.

    Args:
        network: the recognition network.
        layer: which Gram matrix; before a rectifier, as in `conv3_1`, entries are signed and grow upwards.
        entries: pairs of channels, counted from 0; of a channel and itself for the diagonal.
        size: both sides of the pictures in pixels.
        steps: of Adam.
        seed: of the noise and of the ways that the picture is rolled.

    Raises:
        ConfigError: for a layer or channel that the network does not have, or a size or number that cannot be meant.
    """
    check_entries(network, layer, entries)
    if size < MIN_SIDE:
        raise ConfigError(f"size is {size}; expected at least {MIN_SIDE} pixels")
    if steps < 1:
        raise ConfigError(f"steps is {steps}; expected a whole number from 1 up")
    return _maximize(network, jnp.array(entries), jax.random.key(seed), layer=layer, size=size, steps=steps)


def check_entries(network: Network, layer: str, entries: Sequence[tuple[int, int]]) -> None:
    """Raise ConfigError unless the network has this layer, and the layer's Gram matrix all of these entries."""
    check_layers(network.architecture, (layer,))
    channels = ARCHITECTURES[network.architecture].channels[layer]
    outside = [f"{i},{j}" for i, j in entries if not (0 <= i < channels and 0 <= j < channels)]
    if outside or not entries:
        found = f"no entry {' '.join(outside)}" if outside else "entries, of which none is given"
        raise ConfigError(f"{layer} has {found}; expected two channels from 0 to {channels - 1}")


@partial(jax.jit, static_argnames="layer")
def entry_values(network: Network, pictures: jax.Array, entries: jax.Array, *, layer: str) -> jax.Array:
    """For each picture `[N, H, W, 3]` the value of its own entry `[N, 2]` of a layer's Gram matrix, `[N]`."""

    def value(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        picture, entry = pair
        return jnp.mean(network.features(picture, (layer,))[layer][..., entry].prod(-1))

    return jax.lax.map(value, (pictures, entries), batch_size=_TOGETHER)


@partial(jax.jit, static_argnames=("layer", "size", "steps"), compiler_options=COMPILER_OPTIONS)
def _maximize(network: Network, entries: jax.Array, key: jax.Array, *, layer: str, size: int, steps: int) -> Maximized:
    source, is_rectified = _before_rectifier(network.architecture, layer)
    noise, rolls = jax.random.split(key)
    start = _NOISE * jax.random.normal(noise, (2, size, size // 2 + 1, 3))
    adam = optax.adam(_LEARNING_RATE)

    def pair(picture: jax.Array, entry: jax.Array) -> jax.Array:
        """The features of an entry's two channels, `[h, w, 2]`, before the rectifier if there is one."""
        return network.features(picture, (source,))[source][..., entry]

    def one(entry: jax.Array) -> tuple[jax.Array, jax.Array]:
        scale = _SOFTNESS * jnp.sqrt(jnp.mean(pair(picture_of(start, size), entry) ** 2, (0, 1))) + 1e-6

        def loss(waves: jax.Array, roll: jax.Array) -> tuple[jax.Array, jax.Array]:
            found = pair(jnp.roll(picture_of(waves, size), roll, (0, 1)), entry)
            soft = found / scale[None, None]
            if is_rectified:
                found, soft = jnp.maximum(found, 0), jax.nn.softplus(soft)
            return -jnp.mean(soft.prod(-1)), jnp.mean(found.prod(-1))

        def step(state: tuple[jax.Array, optax.OptState], key: jax.Array) -> tuple[tuple, jax.Array]:
            waves, memory = state
            gradient, value = jax.grad(loss, has_aux=True)(waves, jax.random.randint(key, (2,), 0, size))
            update, memory = adam.update(gradient, memory)
            return (waves + update, memory), value

        (waves, _), history = jax.lax.scan(step, (start, adam.init(start)), jax.random.split(rolls, steps))
        return picture_of(waves, size), history

    return Maximized(*jax.lax.map(one, entries, batch_size=_TOGETHER))


def picture_of(waves: jax.Array, size: int) -> jax.Array:
    """The picture `[size, size, 3]` in [0, 1] of waves: real and imaginary parts `[2, size, size // 2 + 1, 3]`."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    amplitude = 1 / np.maximum(frequency, 1 / size)
    amplitude = (_CONTRAST * amplitude / np.sqrt(np.mean(amplitude**2))).astype(np.float32)
    spectrum = jax.lax.complex(waves[0], waves[1]) * amplitude[..., None]
    return jax.nn.sigmoid(jnp.fft.irfft2(spectrum, (size, size), (0, 1), "ortho") @ _COLORS)


def _before_rectifier(architecture: str, layer: str) -> tuple[str, bool]:
    """The layer whose values a rectifier takes, if this layer is one; else the layer itself."""
    if "relu" not in layer:
        return layer, False
    layers = ARCHITECTURES[architecture].layers
    return layers[layers.index(layer) - 1], True
