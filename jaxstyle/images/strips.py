"""Resizing what a reader has decoded, in strips of rows: large pictures never are floats as a whole."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxstyle.images.readers import Samples, shrink
from jaxstyle.images.resizing import LOBES, lanczos

_STRIP_VALUES = 2**24  # that are floats at a time


def resize_samples(
    samples: Samples, extent: tuple[float, float], height: int, width: int, factor: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture at another size, by means of blocks of `factor` x `factor` pixels and then a Lanczos filter.

    Args:
        samples: what was decoded, `[H, W, C]`.
        extent: the height and width of the picture in it; the last row and column may be less than a whole pixel.
        height: of the result.
        width: of the result.
        factor: from 1; means are taken over blocks of this side.

    Returns:
        Color `[height, width, C]`, premultiplied by alpha, and alpha `[height, width]`, or None if the picture is
        opaque. Both may overshoot [0, 1].
    """
    blocks = extent[0] / factor, extent[1] / factor
    strips = list(_resized_strips(samples, blocks, height, width, factor))
    colors = np.concatenate([color for color, _, _ in strips])
    if all(is_opaque for _, _, is_opaque in strips):
        return colors, None
    return colors, np.concatenate([alpha for _, alpha, _ in strips if alpha is not None])


def _resized_strips(
    samples: Samples, blocks: tuple[float, float], height: int, width: int, factor: int
) -> Iterator[tuple[np.ndarray, np.ndarray | None, bool]]:
    """The color and alpha of some rows of the result at a time, and whether these are opaque."""
    scale = blocks[0] / height
    margin = 0 if scale == 1 else math.ceil(LOBES * max(scale, 1)) + 1  # rows beside a strip that the filter needs
    rows = max(1, int(_STRIP_VALUES / (scale * blocks[1] * samples.values.shape[-1])))
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        first, last = max(0, math.floor(start * scale) - margin), math.ceil(stop * scale) + margin
        strip = replace(samples, values=samples.values[first * factor : last * factor])
        color, alpha = shrink(strip, factor)
        box = (0, start * scale - first, blocks[1], min(stop * scale, blocks[0]) - first)
        resized = lanczos(color, stop - start, width, box)
        if alpha is None:
            yield resized, None, True
        else:
            yield resized, lanczos(alpha, stop - start, width, box), bool(alpha.min() == 1)
