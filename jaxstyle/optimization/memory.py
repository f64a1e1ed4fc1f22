"""The memory that a run needs, predicted before anything is compiled, and compared with the memory that there is."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

import jax

from jaxstyle.config import StyleConfig
from jaxstyle.errors import MemoryLimitError
from jaxstyle.images import scaled_shape
from jaxstyle.networks import Network
from jaxstyle.optimization.array_bytes import activation_bytes, statistics_bytes, tree_bytes
from jaxstyle.optimization.available import AvailableMemory, available_memory
from jaxstyle.optimization.picture_memory import is_on_cpu, measuring_bytes, picture_bytes
from jaxstyle.optimization.prepared import DIRECT_SIZE, network_at, prepare_for_one
from jaxstyle.optimization.pyramid import schedule
from jaxstyle.styles import check_representation

# Memory of a process on a CPU: Python, the libraries and what compiling takes at its peak, more with fast convolutions;
# and what remains of each compiled program. Fitted to the peak resident memory of `jaxstyle stylize` without cached
# programs, on 2 cores (x86, AVX2, jax 0.10.2), by scripts/measuring/peak_memory.py. The prediction is 1.07 to 1.18
# times what was measured there, 1.15 with checkpoints: tests/optimization/test_memory.py has the figures.
_PROCESS, _FAST, _PROGRAM = 520 * 2**20, 300 * 2**20, 30 * 2**20
TILE_SIZES = (2048, 1536, 1024, 768, 512, 384, 256)  # that are tried in this order, if a whole picture does not fit
_TILES_FROM = 0.9  # share of the available memory: other programs may take some of the rest during a long run
_MAX_SHARE = 0.95  # share of the available memory for the largest size that is chosen, because what there is changes
_USABLE = 0.8  # share of the available memory that several pairs at once may fill
_RETRY = 0.75  # share of the predicted memory for the pictures to try next, if a run failed in spite of the prediction
_MULTIPLE, _LARGEST = 16, 2**15  # the sizes among which the largest that fits is chosen, in pixels

Shape = tuple[int, int]

_prepare = jax.jit(prepare_for_one, static_argnames=("config",))


@dataclass(frozen=True)
class Workload:
    """What a run computes, as far as its memory depends on it.

    Attributes:
        network: the recognition network, prepared, or not yet for a single run; the shapes of its arrays are enough.
        config: the settings, from `resolve_layers`.
        content: height and width of the content in its file, of which only the ratio matters.
        styles: height and width of each style picture, likewise; measured styles take no memory.
        batch_size: pictures in one program.
        workers: programs that run at the same time.
        prepared: further batches whose targets are on the device before their turn comes.
        programs_per_size: the number of compiled programs at each size, more than 1 for contents of several shapes.
        other_bytes: memory that the run takes besides, such as that of other networks.
        may_tile: whether the pictures may be computed by tiles if they do not fit as a whole.
    """

    network: Network
    config: StyleConfig
    content: Shape
    styles: tuple[Shape, ...] = ()
    batch_size: int = 1
    workers: int = 1
    prepared: int = 0
    programs_per_size: float = 1
    other_bytes: int = 0
    may_tile: bool = False


@dataclass(frozen=True)
class MemoryNeed:
    """What a run needs and what there is.

    Attributes:
        requested: what the run is to compute.
        workload: the same with tiles, if they have been chosen for it.
        needed: its predicted peak memory in bytes: on a CPU of the process, elsewhere on the device.
        available: the memory that there is.
    """

    requested: Workload
    workload: Workload
    needed: int
    available: AvailableMemory

    @property
    def fits(self) -> bool:
        """Whether there is enough memory."""
        return self.needed <= self.available.bytes

    def __str__(self) -> str:
        found = f"about {_gibibytes(self.needed)} of {_gibibytes(self.available.bytes)} GiB of memory"
        config = self.workload.config
        tile_size = config.tile_size_for((config.size,))
        return found if tile_size is None else f"{found}, by tiles of {tile_size} pixels"


def memory_settings(config: StyleConfig) -> tuple[Hashable, ...]:
    """The settings that memory depends on: runs for which they are equal need equally much."""
    layers = config.content_names, config.style_names
    style = config.style_representation, config.regions, config.style_scale
    return *layers, *style, config.optimizer, config.tile_size, config.size, *schedule(config, 1, 1)


def predict_bytes(network: Network, config: StyleConfig, height: int, width: int, *, batch_size: int = 1) -> int:
    """Predicted peak memory, in bytes, for optimizing a batch of pictures of this shape in one program."""
    return network_bytes(network, config) + batch_size * picture_bytes(network, config, height, width)


def predict_peak_bytes(workload: Workload) -> int:
    """Predicted peak memory, in bytes, of a whole run: on a CPU of the process, elsewhere on the device.

    While a picture is optimized at one size, the style is measured at the next one, and its program is compiled and
    started, so the two largest sizes count together. Measuring a style at a larger size than the content's can take
    more memory than a step.
    """
    network, config = workload.network, workload.config
    sizes = [size for size, _ in schedule(config, *workload.content)]
    shapes = [scaled_shape(*workload.content, size) for size in sizes[-2:]]
    *smaller, largest = [workload.batch_size * picture_bytes(network, config, *shape) for shape in shapes]
    longest = config.size * max(config.style_scales)
    measuring = [measuring_bytes(network, config, *scaled_shape(*style, longest)) for style in workload.styles]
    running = workload.workers * (sum(smaller) + max(largest, *measuring, 0))
    running += (workload.prepared + (workload.batch_size > 1)) * workload.batch_size * _prepared_bytes(workload)
    base = workload.other_bytes + network_bytes(network, config) + running
    if not is_on_cpu():
        return base
    base += _process_bytes(network, config)
    count = workload.programs_per_size * len(sizes) + (config.regions > 1)  # one for the features to cluster
    return base + round(count * _PROGRAM)


def _prepared_bytes(workload: Workload) -> int:
    """Memory of a picture's targets at all sizes: contents with their features, and statistics of the style."""
    config, network = workload.config, workload.network
    shapes = [scaled_shape(*workload.content, size) for size, _ in schedule(config, *workload.content)]
    contents = sum(
        3 * 4 * height * width + activation_bytes(network, config.content_names, height, width)
        for height, width in shapes
    )
    return contents + config.regions * statistics_bytes(network, config)


def measure_need(workloads: Iterable[Workload]) -> MemoryNeed:
    """What the most demanding of these runs needs, and what there is; by tiles, if they may and must be used."""
    available = available_memory()
    needs = []
    for requested in workloads:
        workload = with_tiles(requested, available.bytes)
        needs.append(MemoryNeed(requested, workload, predict_peak_bytes(workload), available))
    return max(needs, key=lambda need: need.needed)


def with_tiles(workload: Workload, limit: int) -> Workload:
    """The workload as a whole if that leaves a tenth of `limit` bytes or may not be tiled, else by the largest tiles
    that leave as much, or else in the way that needs the least.
    """
    variants, usable = _variants(workload), _TILES_FROM * limit
    return next((variant for variant in variants if predict_peak_bytes(variant) <= usable), None) or min(
        variants, key=predict_peak_bytes
    )


def _variants(workload: Workload) -> list[Workload]:
    """The workload as a whole, and by tiles, the largest first."""
    config = workload.config
    check_representation(config.style_representation)
    tile_sizes = TILE_SIZES if workload.may_tile and config.tile_size is None else ()
    return [workload, *(replace(workload, config=replace(config, tile_size=tile_size)) for tile_size in tile_sizes)]


def check_memory(need: MemoryNeed) -> MemoryNeed:
    """Return what a run needs, if there is enough.

    Raises:
        MemoryLimitError: if there is less, with the largest size that fits.
    """
    if need.fits:
        return need
    found = f"size {need.workload.config.size} needs about {_gibibytes(need.needed)} GiB of memory, but"
    found = f"{found} {need.available.source} has {_gibibytes(need.available.bytes)} GiB available"
    raise MemoryLimitError(f"{found}; {_advice(largest_size(need.requested, need.available.bytes))}")


def memory_error(workload: Workload) -> MemoryLimitError:
    """The error for a run that did not get the memory that it needs, although `check_memory` found enough."""
    found = f"there is not enough memory for size {workload.config.size}"
    return MemoryLimitError(f"{found}; {_advice(size_to_retry(workload))}")


def size_to_retry(workload: Workload) -> int:
    """As `largest_size`, after a run that did not get the memory that it was predicted to need."""
    smallest = predict_peak_bytes(replace(workload, config=replace(workload.config, size=_MULTIPLE)))
    limit = min(available_memory().bytes, smallest + int(_RETRY * (predict_peak_bytes(workload) - smallest)))
    return largest_size(workload, limit)


def largest_size(workload: Workload, limit: int | None = None) -> int:
    """The largest longest side in pixels, a multiple of 16, with which the run needs at most `limit` bytes.

    By default the limit leaves a little of the available memory to other programs. The result is 0 if no size fits.
    """
    limit = int(_MAX_SHARE * available_memory().bytes) if limit is None else limit
    prepared = _prepared(workload.network, replace(workload.config, size=_LARGEST))  # once, for all sizes

    def peak(size: int) -> int:
        config = replace(workload.config, size=size)
        sized = replace(workload, network=network_at(prepared, size), config=config)
        return min(map(predict_peak_bytes, _variants(sized)))

    sizes = range(_MULTIPLE, _LARGEST + 1, _MULTIPLE)
    return _MULTIPLE * bisect_right(sizes, limit, key=peak)


def max_batch_size(network: Network, config: StyleConfig, *, limit: int) -> int:
    """The number of square pictures at full size that fit the first local device at once, from 1 to `limit`."""
    process = _process_bytes(network, config) if is_on_cpu() else 0
    if config.tile_size_for((config.size,)) is not None:
        return 1  # pictures are computed by tiles one at a time
    free = _USABLE * available_memory().bytes - process - network_bytes(network, config)
    needed = picture_bytes(network, config, config.size, config.size)
    if not is_on_cpu():  # where one batch is prepared while another one is computed
        needed += 2 * _prepared_bytes(Workload(network, config, (config.size, config.size)))
    return max(1, min(limit, int(free / needed)))


def network_bytes(network: Network, config: StyleConfig) -> int:
    """Memory of a network, if it is not prepared as for a single run with these settings."""
    return tree_bytes(_prepared(network, config))


def _prepared(network: Network, config: StyleConfig) -> Network:
    """The shapes of the arrays of the prepared network."""
    if network.prepared:
        return network
    # Only what they depend on, so that JAX traces once for many sizes.
    size = min(config.size, DIRECT_SIZE + 1)
    key = StyleConfig(size=size, content_layers=config.content_layers, style_layers=config.style_layers)
    return jax.eval_shape(_prepare, network, key)


def _process_bytes(network: Network, config: StyleConfig) -> int:
    return _PROCESS + (_FAST if jax.tree.leaves(_prepared(network, config).prepared) else 0)


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.1f}"


def _advice(size: int) -> str:
    return f"the largest size that fits is {size}" if size else "no size fits: free some memory, or raise the limit"
