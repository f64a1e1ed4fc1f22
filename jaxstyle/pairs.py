"""One pair among many: what it is, what is wanted of it at each size, and what it has in common with others."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from jaxstyle.aims import Aim, check_content, check_style, masks_of, statistics_at
from jaxstyle.buckets import Frame
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.objective import content_targets, make_objective
from jaxstyle.pyramid import at_scale, check_picture
from jaxstyle.regions import regions_at
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
    config, content = pair.config, at_scale(pair.content, size)
    extent = np.array(content.shape[:2]) if frame.is_padded else None
    both = pair.content, *pair.styles
    masks = shared.of(both, "masks", config.regions, make=lambda: masks_of(network, config, pair.content, pair.styles))
    statistics = shared.of(
        both if masks else pair.styles,
        "style",
        size,
        *(config.style_scale, config.style_layers, config.style_blend, config.style_representation, config.regions),
        make=lambda: statistics_at(network, config, pair.styles, size, masks),
    )
    layers = config.content_names
    contents = shared.of(
        (pair.content,),
        "content",
        content.shape,
        frame,
        layers,
        make=lambda: content_targets(network.direct(), padded(content, frame), layers, extent=extent),
    )
    mask, shapes = masks.content if masks else None, (content.shape, (frame.height, frame.width))
    regions = None if mask is None else regions_at(network, mask, config.style_names, *shapes)
    return Aim(content, mask, statistics, make_objective(config, contents, statistics, extent=extent, regions=regions))


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


def padded(picture: np.ndarray, frame: Frame) -> np.ndarray:
    """A picture in the upper left of its frame."""
    height, width, _ = picture.shape
    return np.pad(picture, ((0, frame.height - height), (0, frame.width - width), (0, 0)))
