"""Where the optimisation begins: the content in the style's colours, noise, the style, any picture, or a blend."""

import numpy as np

from jaxstyle.config import Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.images import resize

_FLOOR = 1e-5  # of a colour variance, so that pictures of one colour can be matched too


def starting_picture(
    shares: Weighted, content: np.ndarray, style: np.ndarray, picture: np.ndarray | None, *, seed: int
) -> np.ndarray:
    """A weighted mean of starting points, `[H, W, 3]` in [0, 1] like the content.

    Args:
        shares: `StyleConfig.init`.
        content: `[H, W, 3]`.
        style: `[h, w, 3]`; stretched to the content's size to be a starting point itself.
        picture: `[h, w, 3]`, stretched too; needed only when it has a share.
        seed: of the noise.

    Raises:
        ConfigError: if "picture" has a share and there is none.
    """
    if picture is None and dict(shares).get("picture"):
        raise ConfigError("init has 'picture', but there is none; expected start=, a picture [h, w, 3]")
    height, width = content.shape[:2]
    makers = {
        "content": lambda: match_colours(content, style),
        "noise": lambda: np.random.default_rng(seed).uniform(size=content.shape),
        "style": lambda: resize(style, height, width),
        "picture": lambda: resize(np.asarray(picture), height, width),
    }
    total = sum(share for _, share in shares)
    blend = sum(share / total * makers[start]() for start, share in shares if share)
    return np.asarray(blend, np.float32)


def match_colours(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Recolour a picture `[H, W, 3]` so that its mean colour and covariance are the reference's.

    Of all linear maps that do so this one moves the colours least: the Monge-Kantorovich map between two normal
    distributions (Pitie and Kokaram, "The linear Monge-Kantorovitch linear colour mapping", 2007). Clipped to [0, 1].
    """
    mean, covariance = _colour_statistics(picture)
    wanted_mean, wanted = _colour_statistics(reference)
    root, inverse_root = _power(covariance, 0.5), _power(covariance, -0.5)
    map_ = inverse_root @ _power(root @ wanted @ root, 0.5) @ inverse_root
    return np.clip((picture - mean) @ map_ + wanted_mean, 0, 1).astype(np.float32)


def _colour_statistics(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    colours = picture.reshape(-1, 3).astype(np.float64)
    mean = colours.mean(0)
    return mean, (colours - mean).T @ (colours - mean) / len(colours) + _FLOOR * np.eye(3)


def _power(symmetric: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.maximum(values, 0) ** exponent) @ vectors.T
