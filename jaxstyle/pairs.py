"""One pair among many: what it is, what is wanted of it at each size, and what it has in common with others."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from jaxstyle.aims import Aim, aim_at, check_content, check_style, masks_of
from jaxstyle.buckets import Frame
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.pyramid import check_picture
from jaxstyle.starts import starting_picture
from jaxstyle.styles import Style
from jaxstyle.stylize import DEFAULTS

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Pair:
    """What `stylize` is given, but for the network: see there."""

    content: np.ndarray
    styles: tuple[np.ndarray | Style, ...]
    config: StyleConfig = DEFAULTS
    seed: int = 0
    start: np.ndarray | None = None


def check_pair(network: Network, pair: Pair) -> Pair:
    """The pair as it is computed; PictureError or ConfigError if it cannot be."""
    return replace(
        pair,
        content=check_content(pair.content, pair.config),
        styles=tuple(check_style(style, network, pair.config) for style in pair.styles),
        start=None if pair.start is None else check_picture(pair.start),
    )


class Shared:
    """What pairs have in common, computed once: statistics of styles and targets of contents, the last few of them.

    Pictures are recognised by identity. Threads may use one together; at worst something is computed twice.
    """

    def __init__(self, most: int = 64):
        self._most = most
        self._known: OrderedDict[Any, tuple[object, Any]] = OrderedDict()

    def of(self, pictures: tuple[object, ...], *what: Any, make: Callable[[], Result]) -> Result:
        """What `make` makes of the pictures, if `what` says all that it depends on besides."""
        key = (*map(id, pictures), *what)
        if known := self._known.get(key):
            return known[1]
        made = make()
        self._known[key] = pictures, made  # with the pictures, whose ids would otherwise be given to others
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return made


def aim(network: Network, pair: Pair, size: int, frame: Frame, shared: Shared) -> Aim:
    """What is wanted of a pair at a size, where it is computed in a frame."""
    config, content, styles = pair.config, pair.content, pair.styles
    masks = None
    if config.regions > 1:
        make = partial(masks_of, network, config, content, styles)
        masks = shared.of((content, *styles), "masks", config.regions, make=make)
    return aim_at(network, config, content, styles, masks, size, frame=frame.padding, remember=shared.of)


def first_picture(pair: Pair, at: Aim) -> np.ndarray:
    """Where the optimisation of a pair begins, at the size of this aim."""
    return starting_picture(
        pair.config.init,
        at.content,
        at.statistics,
        style=pair.styles[0],
        picture=pair.start,
        seed=pair.seed,
        mask=at.mask,
    )
