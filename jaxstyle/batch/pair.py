"""One pair of a batch: its inputs, its targets at each size, and measurements that it shares with other pairs."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np

from jaxstyle.batch.buckets import PaddedShape
from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    Targets,
    Workload,
    available_memory,
    check_content,
    check_initial_picture,
    check_strength_mask,
    check_styles,
    in_compared_colors,
    make_initial_picture,
    make_masks,
    make_targets,
    pictures_to_optimize,
    turned,
    with_strength_mask,
    with_tiles,
)
from jaxstyle.styles import Style

CACHE_BYTES = 2**29  # of measured styles that are kept: 64 with three sizes of VGG's Gram matrices
CONTENT_CACHE_BYTES = 2**25  # of measured contents that are kept: four with three sizes up to 512 pixels

Result = TypeVar("Result")


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
    content, styles = pictures_to_optimize(pair.config, original, styles)
    initial_picture = check_initial_picture(pair.initial_picture, original)
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


class MeasurementCache:
    """Style statistics and content targets that several pairs need, computed once; the last ones used are kept.

    Styles come again with other contents, but the pairs of a content follow each other, so that a few are enough.
    Pictures are recognized by identity. Threads may share a cache; at worst something is computed twice.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES, max_content_bytes: int = CONTENT_CACHE_BYTES):
        self._styles, self._contents = _RecentResults(max_bytes), _RecentResults(max_content_bytes)
        self._lock = threading.Lock()

    def get(self, pictures: tuple[object, ...], *key: Any, make: Callable[[], Result]) -> Result:
        """Return the cached result for these pictures and this key, or call `make` for it."""
        recent = self._styles if key[0] == "style" else self._contents
        full_key = (*map(id, pictures), *key)
        with self._lock:
            if entry := recent.find(full_key):
                return entry[1]
        result = make()
        size = sum(getattr(leaf, "nbytes", 0) for leaf in jax.tree.leaves(result))
        with self._lock:
            # The entry keeps the pictures alive, because the id of a deleted one would be used again.
            recent.add(full_key, (pictures, result), size)
        return result


class _RecentResults:
    """The results that were used last, of limited bytes, with the pictures that they were measured of."""

    def __init__(self, max_bytes: int):
        self._max_bytes, self._bytes = max_bytes, 0
        self._entries: OrderedDict[Any, tuple[tuple[object, Any], int]] = OrderedDict()

    def find(self, key: Any) -> tuple[object, Any] | None:
        """The pictures and the result; None if they are not kept."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def add(self, key: Any, entry: tuple[object, Any], size: int) -> None:
        """Keep a result of this size, also if it is larger than the limit, and drop older ones."""
        _, replaced = self._entries.pop(key, (None, 0))
        self._entries[key] = entry, size
        self._bytes += size - replaced
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._bytes -= dropped


def pair_targets(
    network: Network,
    pair: Pair,
    size: int,
    padded_shape: PaddedShape,
    cache: MeasurementCache,
    *,
    for_batch: bool,
) -> Targets:
    """The targets of a pair at one size, for a picture padded to this shape; see `make_targets`."""
    config, content, styles = pair.config, pair.content, pair.styles
    masks = None
    if config.regions > 1 or content.shape[-1] == 4:
        make = partial(make_masks, network, config, content, styles)
        masks = cache.get((content, *styles), "masks", config.regions, make=make)
    return make_targets(
        network,
        config,
        content,
        styles,
        masks,
        size,
        padded_shape=padded_shape.padding,
        for_batch=for_batch,
        memoize=cache.get,
    )


def pair_initial_picture(pair: Pair, targets: Targets) -> np.ndarray:
    """The picture from which the optimization of a pair starts, at the size of these targets."""
    picture = make_initial_picture(
        pair.config.init,
        targets.content,
        targets.statistics,
        style=turned(pair.config, pair.styles[0]),
        picture=pair.initial_picture,
        seed=pair.seed,
        mask=targets.mask,
    )
    return in_compared_colors(pair.config, picture)
