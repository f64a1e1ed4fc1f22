"""Random weights for torchvision's networks in `torchvision_values`, and for the tests, which compare with them."""

import zlib

import numpy as np


def random_weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that depend on the name and shape alone, scaled so that activations keep about the same magnitude."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) == 4:
        return random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    if name.endswith(("bn.weight", "running_var")):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return random.standard_normal(shape, np.float32) * np.float32(0.1)
