"""Masks, and pictures that have regions."""

import numpy as np
from support.quick import random_picture

TOP, LEFT = (slice(0, 10), slice(None)), (slice(None), slice(0, 10))


def mask_of(area: tuple[slice, slice], height: int = 20, width: int = 20) -> np.ndarray:
    """A mask that is 1 in a rectangle."""
    mask = np.zeros((height, width), np.float32)
    mask[area] = 1
    return mask


def with_noise(share: float) -> np.ndarray:
    """A gray picture with noise to the right of a share of its width."""
    picture = np.full((48, 64, 3), 0.5, np.float32)
    picture[:, int(share * 64) :] = random_picture(48, 64)[:, int(share * 64) :]
    return picture
