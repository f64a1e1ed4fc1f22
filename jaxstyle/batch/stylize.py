"""`stylize` for many pairs: one program computes a whole group of them.

On GPUs and TPUs a group is a batch of one vmapped program. A CPU is busy with one pair, so there pairs are computed
separately, in a few threads, because small pictures leave cores idle. Each pair gives the result that it gives alone,
up to rounding.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import numpy as np

from jaxstyle.arguments import check_callback, check_count, check_seed, describe_value
from jaxstyle.batch.buckets import Group, plan_groups
from jaxstyle.batch.group import stylize_group
from jaxstyle.batch.measurements import MeasurementCache
from jaxstyle.batch.turns import IN_FLIGHT, Turn, computing_lock, takes_turns
from jaxstyle.compilation import available_cores
from jaxstyle.config import DEFAULTS, StyleConfig, check_config
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import (
    Pair,
    Progress,
    as_style_list,
    check_pair,
    max_batch_size,
    pair_by_tiles,
    prepare_network,
)
from jaxstyle.styles import Style
from jaxstyle.stylize import Stylized
from jaxstyle.weights import network_or_default

# Pairs in a batch on one device: eight pictures of 512 pixels keep an H100 busy, and smaller pictures must be more.
_MAX_PER_DEVICE, _SIDES_PER_DEVICE = 32, 32 * 512


def stylize_batch(
    contents: Sequence[np.ndarray],
    styles: Sequence[np.ndarray | Style | Sequence[np.ndarray | Style]],
    *,
    network: Network | None = None,
    config: StyleConfig | Sequence[StyleConfig] = DEFAULTS,
    seeds: Sequence[int] | None = None,
    initial_pictures: Sequence[np.ndarray | None] | None = None,
    strength_masks: Sequence[np.ndarray | None] | None = None,
    batch_size: int | None = None,
    callback: Callable[[tuple[int, ...], Progress], None] | None = None,
) -> list[Stylized]:
    """Stylize many pairs, each content with the style of the same index.

    A picture that occurs several times, as the same array, is measured once. Pairs that do not fit the memory are
    computed by tiles, one at a time. A pair whose optimization diverges has an `error` and its last good image, and
    does not affect the others.

    Args:
        contents: pictures `[H, W, 3]` in [0, 1], or `[H, W, 4]` with alpha, of any sizes.
        styles: for each content a picture `[h, w, 3]`, or `[h, w, 4]` with alpha, a measured `Style`, or several of
            them to blend.
        network: the recognition network; the embedded VGG-19 by default.
        config: the settings of all pairs, or one `StyleConfig` for each.
        seeds: a seed for each pair; 0 by default.
        initial_pictures: for each pair a picture to start from, or None.
        strength_masks: for each pair a mask of where and how strongly to paint, or None.
        batch_size: pairs in one program, sharded over the local devices. By default what fits a GPU or TPU, and 1 on
            CPU. With 1, pairs are computed separately, and no result depends on another pair, unless there are so many
            shapes that `plan_groups` merges some. It differs from that of `stylize` by rounding, because on CPU a
            batch uses fast convolutions also up to 128 pixels, for which a single run would compile for too long.
        callback: called as that of `stylize`, with the indices of the pairs first; from several threads if there are
            several. In a batch, arrays have a leading axis. Its pictures are those that are optimized: with padding,
            gray with the colors "luminance", and without the content where a strength mask is black. A picture is
            copied from the device when it is read, which must be before the callback returns.

    Returns:
        One result for each pair, in order.

    Raises:
        PictureError, ConfigError: as `stylize`, or if the sequences have different lengths; before any computation.
    """
    count = len(contents)
    network = network_or_default(network)
    check_callback(callback)
    if batch_size is not None:
        check_count("batch_size", batch_size)
    configs = list(config) if isinstance(config, Sequence) else [config] * count
    for pair_config in configs:
        check_config(pair_config)
    configs = [resolve_layers(config, network.architecture) for config in configs]
    network = prepare_network(network, *configs)
    arguments = {
        "styles": styles,
        "configs": configs,
        "seeds": [0] * count if seeds is None else seeds,
        "initial_pictures": [None] * count if initial_pictures is None else initial_pictures,
        "strength_masks": [None] * count if strength_masks is None else strength_masks,
    }
    for name, values in arguments.items():
        if not hasattr(values, "__len__"):
            raise ConfigError(f"{name} is {describe_value(values)}; expected a list with one for each content")
        if len(values) != count:
            raise ConfigError(f"there are {count} contents and {len(values)} {name}; expected one for each content")
    for seed in arguments["seeds"]:
        check_seed(seed, "a seed")
    pairs = [
        check_pair(network, Pair(content, tuple(as_style_list(style)), config, seed, initial, mask))
        for content, style, config, seed, initial, mask in zip(contents, *arguments.values(), strict=True)
    ]
    pairs = [pair_by_tiles(network, pair) for pair in pairs]
    configs = [pair.config for pair in pairs]
    batch_size = batch_size or min((default_batch_size(network, config) for config in set(configs)), default=1)
    shapes = [pair.content.shape[:2] for pair in pairs]
    groups = plan_groups(shapes, configs, batch_size=batch_size, devices=len(jax.local_devices()))
    cache, lock = MeasurementCache(), computing_lock(batch_size)

    def run(group: Group) -> list[Stylized]:
        group_callback = partial(callback, group.pairs) if callback else None
        group_pairs = [pairs[index] for index in group.pairs]
        return stylize_group(network, group, group_pairs, callback=group_callback, cache=cache, turn=Turn(lock))

    results: dict[int, Stylized] = {}
    threads = ThreadPoolExecutor(concurrent_groups(network, configs, batch_size))
    try:
        for group, group_results in zip(groups, threads.map(run, groups), strict=True):
            results |= zip(group.pairs, group_results, strict=True)
    finally:
        threads.shutdown(cancel_futures=True)
    return [results[index] for index in range(count)]


def default_batch_size(network: Network, config: StyleConfig) -> int:
    """The number of pairs in one program by default: what fits all local devices, or 1 on CPU.

    Pictures that are computed by tiles, always one at a time, set no limit.

    On 2 CPU cores, separate pairs in two threads are faster than batches: scripts/measuring/bench_batch.py.
    """
    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        return 1
    limit = max(_MAX_PER_DEVICE, _SIDES_PER_DEVICE // config.size)
    is_tiled = config.tile_size_for((config.size,)) is not None
    return len(devices) * (limit if is_tiled else max_batch_size(network, config, limit=limit))


def concurrent_groups(network: Network, configs: Sequence[StyleConfig], batch_size: int) -> int:
    """The number of groups to work on at the same time, in threads.

    Where groups take turns, one computes, while the next one is prepared and the results of the last one are copied.
    Otherwise they compute at the same time: on CPU one per core if they fit the memory.
    """
    if takes_turns(batch_size):
        return IN_FLIGHT
    return min((max_batch_size(network, config, limit=available_cores()) for config in set(configs)), default=1)
