"""The targets of a pair at each size, from measurements that it shares with the other pairs of a batch."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax

from jaxstyle.batch.buckets import PaddedShape
from jaxstyle.networks import Network
from jaxstyle.optimization import Pair, Targets, make_masks, make_targets

CACHE_BYTES = 2**29  # of measured styles that are kept: 64 with three sizes of VGG's Gram matrices
CONTENT_CACHE_BYTES = 2**25  # of measured contents that are kept: four with three sizes up to 512 pixels

Result = TypeVar("Result")


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
