"""The memory that a step and the measurement of a style take for each picture, predicted from shapes."""

from collections.abc import Mapping

import jax

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network, dtype_of
from jaxstyle.optimization.array_bytes import activation_bytes, state_bytes
from jaxstyle.optimization.tile_sums import bands_of, margins_of
from jaxstyle.styles import REPRESENTATIONS

# Peak memory of a step relative to the activations of all layers (a convolution and its rectifier share one array).
# Fitted to the compiler's own account of `solver.run` on CPU, from 96 x 128 to 384 x 512 pixels, alone and in a batch
# of 4, with either optimizer; within 15 % there. On a GPU, docs/speed.md has 0.62 to 0.65 for large pictures.
_PEAK = 0.75
# The same for measuring a style, from the compiler's account of `measure_statistics` for the same shapes.
_MEASURING = 0.36
# Additional memory relative to the activations of the style layers, fitted likewise: for some style representations,
# in a step and while the style is measured, and for each region after the first.
_STEP_COPIES, _MEASURING_COPIES = {"shifted": 5, "sliced": 3, "nearest": 1}, {"shifted": 2, "sliced": 1, "moments": 1}
_REGION = 1
# The same by tiles for representations that need values at all positions, relative to those activations in float32 for
# the whole picture: from 768 x 1024 to 1152 x 1536 pixels by tiles of 256.
_STEP_VALUES, _MEASURING_VALUES = {"sliced": 1.6, "nearest": 1.9}, {"sliced": 1.0, "nearest": 1.2}
# By tiles, a step needs this many arrays of the size of the picture besides the state of the solver: while a window is
# computed, and while L-BFGS or Adam update the picture. The content's features are there twice, the second time with a
# border. On a CPU, the process has further copies of the pictures. The prediction is 1.04 times what was measured of
# 4096 x 3124 pixels by tiles of 512.
_PICTURES, _UPDATE, _HOST_PICTURES = 2, {"lbfgs": 7, "adam": 2.3}, 8


def picture_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    """Memory in bytes of a step for each picture of a batch: on a CPU in all, elsewhere on the first device."""
    state, window = state_bytes(config.optimizer, height, width), _window_shape(network, config, height, width)
    peak = _PEAK * activation_bytes(network, _computed(network, config), *window)
    copies = max(_STEP_COPIES.get(config.style_representation, 0) * config.regions, _REGION * (config.regions - 1))
    if config.tile_size_for((height, width)) is None:
        return round(state + peak + copies * activation_bytes(network, config.style_names, *window))
    if REPRESENTATIONS[config.style_representation].is_sum:
        peak += copies * activation_bytes(network, config.style_names, *window)
    peak += _values_bytes(_STEP_VALUES, network, config, height, width)
    copy = 3 * 4 * height * width
    content = activation_bytes(network, config.content_names, height, width)
    host = _HOST_PICTURES * copy if is_on_cpu() else 0
    bands = None if is_on_cpu() else bands_of(network, config, height)
    devices = bands.count if bands else 1
    state_share, content_share, copy_share = (size / devices for size in (state, content, copy))
    measured = content + _PICTURES * copy if devices > 1 else 0  # on the first device, before they are split
    step = max(peak + _PICTURES * copy_share, _UPDATE[config.optimizer] * copy_share)
    return round(state_share + 2 * content_share + host + measured + step)


def measuring_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    """Memory in bytes for measuring a style picture of this shape."""
    window = _window_shape(network, config, height, width)
    peak = _MEASURING * activation_bytes(network, network.up_to(config.style_names), *window)
    copies = (_MEASURING_COPIES.get(config.style_representation, 0) + _REGION) * config.regions - _REGION
    if config.tile_size_for((height, width)) is not None:
        peak += _values_bytes(_MEASURING_VALUES, network, config, height, width)
    return round(peak + copies * activation_bytes(network, config.style_names, *window))


def is_on_cpu() -> bool:
    """Whether the first local device is a CPU."""
    return jax.local_devices()[0].platform == "cpu"


def _values_bytes(copies: Mapping[str, float], network: Network, config: StyleConfig, height: int, width: int) -> float:
    """Memory of values at all positions of a picture that is computed by tiles."""
    in_float32 = 4 / dtype_of(network.precision).itemsize * activation_bytes(network, config.style_names, height, width)
    return copies.get(config.style_representation, 0) * config.regions * in_float32


def _window_shape(network: Network, config: StyleConfig, height: int, width: int) -> tuple[int, int]:
    """Height and width of what is computed at once of a picture."""
    tile_size = config.tile_size_for((height, width))
    if tile_size is None:
        return height, width
    margins = margins_of(network, config)
    largest = tile_size + margins.before + margins.after
    return min(height, largest), min(width, largest)


def _computed(network: Network, config: StyleConfig) -> tuple[str, ...]:
    return network.up_to((*config.content_names, *config.style_names))
