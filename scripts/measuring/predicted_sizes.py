"""Print the tables of docs/print.md that are predicted: the memory of a process on a CPU, and the sizes that fit.

    python -m scripts.measuring.predicted_sizes

Settings are the defaults with VGG-19; pictures have the proportions of the examples, 960 x 732. For a GPU, predictions
are those of a machine with one: activations in bfloat16, and three quarters of the card's memory for JAX. Nothing is
computed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import Workload, largest_size, memory, picture_memory, predict_peak_bytes
from jaxstyle.weights import network_or_default
from scripts.arguments import make_parser
from scripts.measuring.pairs import DEFAULTS

CONTENT, STYLE = (732, 960), (768, 960)
GIB = 2**30
ON_CPU, ON_GPU = (4, 8, 16, 24, 64, 80), (8, 12, 24, 48, 80)
GPU_SHARE = 0.75


@contextmanager
def as_on_a_gpu(network: Network) -> Iterator[Network]:
    """The network as it is on a GPU, where a prediction is that of the device's memory."""
    with patch.object(memory, "is_on_cpu", lambda: False), patch.object(picture_memory, "is_on_cpu", lambda: False):
        yield replace(network, precision="bfloat16")


def workload(network: Network, size: int, tile_size: int | None = None, *, may_tile: bool = False) -> Workload:
    config = resolve_layers(replace(DEFAULTS, size=size, tile_size=tile_size), network.architecture)
    return Workload(network, config, CONTENT, (STYLE,), may_tile=may_tile)


def print_memory(network: Network) -> None:
    print(f"longest side: GiB of a process as a whole, and by tiles of {', '.join(map(str, memory.TILE_SIZES))}")
    for size in (2048, 4096, 8192, 16384):
        tile_sizes = None, *(tile_size for tile_size in memory.TILE_SIZES if tile_size < size)
        needed = [predict_peak_bytes(workload(network, size, tile_size)) for tile_size in tile_sizes]
        print(f"{size}:", *(f"{bytes_ / GIB:.1f}" for bytes_ in needed))


def print_sizes(network: Network, memories: tuple[int, ...], share: float = 1) -> None:
    for gibibytes in memories:
        limit = int(share * gibibytes * GIB)
        whole, tiled = (largest_size(workload(network, 1024, may_tile=tiles), limit) for tiles in (False, True))
        print(f"{gibibytes} GiB: {whole} as a whole, {tiled} by tiles")


def main() -> None:
    make_parser("measuring.predicted_sizes", __doc__).parse_args()
    network = network_or_default(None)
    print_memory(network)
    print("\nlargest size on a CPU")
    print_sizes(network, ON_CPU)
    print("\nlargest size on a GPU")
    with as_on_a_gpu(network) as on_gpu:
        print_sizes(on_gpu, ON_GPU, GPU_SHARE)


if __name__ == "__main__":
    main()
