"""Activation maximization of single Gram matrix entries: pictures that excite two channels at the same positions.

The picture is parametrized by Fourier coefficients in decorrelated colors, followed by a sigmoid (Olah, Mordvintsev and
Schubert, "Feature Visualization", Distill 2017). Coefficients are divided by their frequency, as in natural images, so
that a step of Adam changes coarse and fine detail alike. The picture is periodic and tiles without a seam. Every step
shifts it circularly by a random offset, so that it cannot exploit the network's borders or the grid of its pooling.

The maximized entry is the mean over positions of F_i F_j. A channel that is inactive everywhere in the initial picture
has no gradient through the rectifier max(c, 0). The objective therefore uses softplus(c / s), where s is a share of the
channel's root mean square in the initial picture: close to the rectifier for active channels, and never flat. The scale
of the objective does not matter to Adam.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jaxstyle.arguments import check_count, check_seed
from jaxstyle.config import MAX_STEPS
from jaxstyle.errors import ConfigError
from jaxstyle.images import MIN_SIDE
from jaxstyle.networks import ARCHITECTURES, COMPILER_OPTIONS, Network, check_layers, check_network

_LEARNING_RATE = 0.1  # of Adam, for coefficients divided by their frequency
_CONTRAST = 2.0  # standard deviation of the picture before the sigmoid, for coefficients of about 1
_INITIAL_NOISE = 0.3  # standard deviation of the initial coefficients
_SOFTNESS = 0.3  # s, in units of the root mean square
_BATCH_SIZE = 16  # pictures in one vectorized computation
# Lightness, orange-blue and purple-green, scaled by their standard deviations in natural images.
_COLORS = np.array([[1, 1, 1], [1.22, 0, -1.22], [0.71, -1.41, 0.71]], np.float32) * np.array([[1], [0.35], [0.15]])


@flax.struct.dataclass
class MaximizedEntries:
    """Result of `maximize_entries`.

    Attributes:
        pictures: `[N, size, size, 3]` in [0, 1], one for each entry.
        history: `[N, steps]`, the value of the entry before each step.
    """

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
) -> MaximizedEntries:
    """For each entry (i, j) of a layer's Gram matrix, make a picture that maximizes it.

    All pictures start from the same noise, and each depends on its entry alone.

    Args:
        network: the recognition network.
        layer: the layer of the Gram matrix. Before a rectifier, as in `conv3_1`, entries are signed and are made as
            large as possible.
        entries: pairs of channels, counted from 0. Two equal channels select a diagonal entry.
        size: height and width of the pictures in pixels.
        steps: steps of Adam.
        seed: seed of the initial noise and of the random shifts.

    Raises:
        ConfigError: if the network has no such layer or channel, or for a size, number of steps or seed out of range.
    """
    check_entries(network, layer, entries)
    check_count("size", size)
    if size < MIN_SIDE:
        raise ConfigError(f"size is {size}; expected at least {MIN_SIDE} pixels")
    check_count("steps", steps, most=MAX_STEPS)
    check_seed(seed)
    return _maximize(network, jnp.array(entries), jax.random.key(seed), layer=layer, size=size, steps=steps)


def check_entries(network: Network, layer: str, entries: Sequence[tuple[int, int]]) -> None:
    """Check that the network has the layer, and that the layer's Gram matrix has the entries.

    Raises:
        ConfigError: if the layer or an entry does not exist, or `entries` is empty.
    """
    check_network(network)
    check_layers(network.architecture, (layer,))
    channels = ARCHITECTURES[network.architecture].channels[layer]
    expected = f"expected two channels from 0 to {channels - 1}"
    if not entries:
        raise ConfigError(f"no entry of {layer} is given; {expected}")
    missing = [f"{i},{j}" for i, j in entries if not (0 <= i < channels and 0 <= j < channels)]
    if missing:
        raise ConfigError(f"{layer} has no entry {' '.join(missing)}; {expected}")


def entry_values(network: Network, pictures: ArrayLike, entries: ArrayLike, *, layer: str) -> jax.Array:
    """Compute one entry of a layer's Gram matrix for each picture.

    Args:
        network: the recognition network.
        pictures: `[N, H, W, 3]` in [0, 1].
        entries: `[N, 2]`, the two channels for each picture.
        layer: the layer of the Gram matrix.

    Returns:
        `[N]` values.
    """
    check_network(network)
    return _entry_values(network, pictures, entries, layer=layer)


@partial(jax.jit, static_argnames="layer")
def _entry_values(network: Network, pictures: Any, entries: Any, *, layer: str) -> jax.Array:

    def entry_value(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        picture, entry = pair
        return jnp.mean(network.features(picture, (layer,))[layer][..., entry].prod(-1))

    return jax.lax.map(entry_value, (pictures, entries), batch_size=_BATCH_SIZE)


@partial(jax.jit, static_argnames=("layer", "size", "steps"), compiler_options=COMPILER_OPTIONS)
def _maximize(
    network: Network, entries: jax.Array, key: jax.Array, *, layer: str, size: int, steps: int
) -> MaximizedEntries:
    linear_layer, is_rectified = _before_rectifier(network.architecture, layer)
    noise_key, shift_key = jax.random.split(key)
    initial = _INITIAL_NOISE * jax.random.normal(noise_key, (2, size, size // 2 + 1, 3))
    adam = optax.adam(_LEARNING_RATE)

    def channel_pair(picture: jax.Array, entry: jax.Array) -> jax.Array:
        """The features of the entry's two channels, `[h, w, 2]`, before the rectifier if there is one."""
        return network.features(picture, (linear_layer,))[linear_layer][..., entry]

    def maximize_entry(entry: jax.Array) -> tuple[jax.Array, jax.Array]:
        initial_features = channel_pair(picture_from_spectrum(initial, size), entry)
        scale = _SOFTNESS * jnp.sqrt(jnp.mean(initial_features**2, (0, 1))) + 1e-6

        def loss(spectrum: jax.Array, shift: jax.Array) -> tuple[jax.Array, jax.Array]:
            features = channel_pair(jnp.roll(picture_from_spectrum(spectrum, size), shift, (0, 1)), entry)
            soft = features / scale[None, None]
            if is_rectified:
                features, soft = jnp.maximum(features, 0), jax.nn.softplus(soft)
            return -jnp.mean(soft.prod(-1)), jnp.mean(features.prod(-1))

        def step(state: tuple[jax.Array, optax.OptState], key: jax.Array) -> tuple[tuple, jax.Array]:
            spectrum, adam_state = state
            shift = jax.random.randint(key, (2,), 0, size)
            gradient, value = jax.grad(loss, has_aux=True)(spectrum, shift)
            update, adam_state = adam.update(gradient, adam_state)
            return (spectrum + update, adam_state), value

        keys = jax.random.split(shift_key, steps)
        (spectrum, _), history = jax.lax.scan(step, (initial, adam.init(initial)), keys)
        return picture_from_spectrum(spectrum, size), history

    return MaximizedEntries(*jax.lax.map(maximize_entry, entries, batch_size=_BATCH_SIZE))


def picture_from_spectrum(spectrum: jax.Array, size: int) -> jax.Array:
    """Compute the picture `[size, size, 3]` in [0, 1] of Fourier coefficients.

    Args:
        spectrum: real and imaginary parts `[2, size, size // 2 + 1, 3]` in decorrelated colors, multiplied by their
            frequency.
        size: height and width in pixels.
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    amplitude = 1 / np.maximum(frequency, 1 / size)
    amplitude = (_CONTRAST * amplitude / np.sqrt(np.mean(amplitude**2))).astype(np.float32)
    scaled = jax.lax.complex(spectrum[0], spectrum[1]) * amplitude[..., None]
    return jax.nn.sigmoid(jnp.fft.irfft2(scaled, (size, size), (0, 1), "ortho") @ _COLORS)


def _before_rectifier(architecture: str, layer: str) -> tuple[str, bool]:
    """Return the input layer of a rectifier and True; for any other layer, the layer itself and False."""
    if "relu" not in layer:
        return layer, False
    layers = ARCHITECTURES[architecture].layers
    return layers[layers.index(layer) - 1], True
