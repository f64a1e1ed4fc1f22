"""A content with the styles that it is stylized with: checked, in compared colors, and its initial picture."""

from dataclasses import dataclass, replace

import numpy as np

from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization.available import available_memory
from jaxstyle.optimization.checks import check_content, check_initial_picture, check_styles
from jaxstyle.optimization.colors import in_compared_colors, pictures_to_optimize
from jaxstyle.optimization.initial import make_initial_picture
from jaxstyle.optimization.memory import Workload, with_tiles
from jaxstyle.optimization.strength import check_strength_mask, finished_picture, with_strength_mask
from jaxstyle.optimization.targets import Targets, turned
from jaxstyle.styles import Style


@dataclass(frozen=True, eq=False)
class Pair:
    """The arguments of `stylize` for one pair, without the network."""

    content: np.ndarray
    styles: tuple[np.ndarray | Style, ...]
    config: StyleConfig = DEFAULTS
    seed: int = 0
    initial_picture: np.ndarray | None = None
    strength_mask: np.ndarray | None = None
    original: np.ndarray | None = None  # the content in its own colors, from `check_pair`


def check_pair(network: Network, pair: Pair) -> Pair:
    """Return the pair with its pictures as float32, in the colors in which they are compared.

    Raises:
        PictureError, ConfigError: as `stylize`.
    """
    original = check_content(pair.content, pair.config)
    styles = check_styles(pair.styles, network, pair.config)
    initial_picture = check_initial_picture(pair.initial_picture, original)
    content, styles = pictures_to_optimize(pair.config, original, styles)
    strength_mask = check_strength_mask(pair.strength_mask, original)
    return replace(
        pair,
        content=with_strength_mask(content, strength_mask),
        styles=tuple(styles),
        initial_picture=initial_picture,
        strength_mask=strength_mask,
        original=original,
    )


def pair_workload(network: Network, pair: Pair) -> Workload:
    """What the computation of a pair takes."""
    styles = tuple(style.shape[:2] for style in pair.styles if not isinstance(style, Style))
    return Workload(network, pair.config, pair.content.shape[:2], styles, may_tile=True)


def pair_by_tiles(network: Network, pair: Pair) -> Pair:
    """The pair, with tiles in its settings if its picture does not fit the memory as a whole."""
    return replace(pair, config=with_tiles(pair_workload(network, pair), available_memory().bytes).config)


def pair_initial_picture(pair: Pair, targets: Targets) -> np.ndarray:
    """The picture from which the optimization of a pair starts, at the size of these targets."""
    picture = make_initial_picture(
        pair.config.init,
        targets.content,
        targets.statistics,
        style=turned(pair.config, pair.styles[0]) if dict(pair.config.init).get("style") else None,
        picture=pair.initial_picture,
        seed=pair.seed,
        mask=targets.mask,
    )
    return in_compared_colors(pair.config, picture)


def pair_picture(pair: Pair, picture: np.ndarray) -> np.ndarray:
    """The picture `[h, w, 3]` to show for an optimized one; of a pair that was not checked, that itself."""
    return (
        picture if pair.original is None else finished_picture(pair.config, picture, pair.original, pair.strength_mask)
    )
