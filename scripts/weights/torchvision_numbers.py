"""The weights with which scripts/torchvision_values.py fills torchvision's networks, and tests fill ours."""

import zlib

import numpy as np


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that depend on their name alone, such as keep activations about as large as the picture's."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) == 4:
        return random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    if name.endswith(("bn.weight", "running_var")):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return random.standard_normal(shape, np.float32) * np.float32(0.1)
