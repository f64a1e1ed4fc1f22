"""Settings for all tests (quick compilation, strict JAX, no internet), and shared pictures and networks."""

import gc
import itertools
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from support.compiler import with_quick_flags

# Most of the time of the tests is compilation, which takes a quarter of the time like this; also in subprocesses.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ["XLA_FLAGS"] = with_quick_flags(os.environ.get("XLA_FLAGS", ""))

import jax
import numpy as np
import pytest
from support.examples import EXAMPLES
from support.pyramid import sizes_from_32
from support.quick import FIRST_LAYER

from jaxstyle.batch import benchmark
from jaxstyle.files import reading
from jaxstyle.images import read_image
from jaxstyle.networks import ARCHITECTURES, Network, convolution
from jaxstyle.weights import EMBEDDED, load_network

jax.config.update("jax_numpy_rank_promotion", "raise")
# Some GPUs round the factors of float32 products to 10 bits by default, too coarse to compare with other libraries.
jax.config.update("jax_default_matmul_precision", "highest")
# The compiler's 3x3 convolutions, because Winograd's, which have their own tests, compile several times as long.
MIN_CHANNELS, convolution.MIN_CHANNELS = convolution.MIN_CHANNELS, 10_000
# Every --dry-run measures this machine with such products; those of users would take a second of both cores.
benchmark._PRODUCT_SIDE["cpu"] = 256
# Without the lines of the source that made each operation, programs are lowered in three quarters of the time.
jax.config.update("jax_traceback_in_locations_limit", 0)
# Tracing makes so many objects that Python's default, a collection for every 700, takes a twentieth of the time.
gc.set_threshold(100_000, 50, 100)
_modules = itertools.count(1)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Fail tests that connect to other machines."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise AssertionError(f"tests reach loopback only, not {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_to_loopback)
        yield


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Do not ignore Ctrl-C, as jobs in the background of a script do: tests send it, also to their processes."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def clear_compiled_functions() -> Iterator[None]:
    """Clear JAX's caches after every few modules: the compiled functions of all tests would take gigabytes."""
    yield
    ARCHITECTURES.pop(FIRST_LAYER, None)
    if next(_modules) % 4 == 0:
        jax.clear_caches()


@pytest.fixture(autouse=True, scope="session")
def embedded_networks_loaded_once() -> Iterator[None]:
    """Commands and jobs load an embedded network only once: loading takes 0.2 s and 80 MB each time."""
    load_embedded = cache(load_network)

    def load_once(source: str | Path, **options: str) -> Network:
        return (load_embedded if source in EMBEDDED else load_network)(source, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "load_network", load_once)
        yield


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


@pytest.fixture(scope="class")
def winograd() -> Iterator[None]:
    """Convolve as users do on CPU, for tests of the convolution, and for a few of everything together."""
    without = convolution.MIN_CHANNELS
    jax.clear_caches()
    convolution.MIN_CHANNELS = MIN_CHANNELS
    yield
    convolution.MIN_CHANNELS = without
    jax.clear_caches()


@pytest.fixture(scope="class")
def small_pyramid() -> Iterator[None]:
    """Sizes from 32 pixels up, so that small pictures have several."""
    with sizes_from_32():
        yield


@pytest.fixture(scope="session")
def network() -> Network:
    """The embedded VGG-19."""
    return load_network("vgg19")


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A photograph of boats in front of hills, `[73, 96, 3]`, read-only."""
    return read_only(read_image(EXAMPLES / "content" / "harbour.jpg", size=96))


@pytest.fixture(scope="session")
def painting() -> np.ndarray:
    """A painting of long curved strokes, `[64, 80, 3]`, read-only; its size differs from that of the photograph."""
    return read_only(read_image(EXAMPLES / "style" / "swirls.jpg", size=80))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with copies of the first two photographs, and one of the first two paintings."""
    folders = tmp_path / "photos", tmp_path / "paintings"
    for copy, kind in zip(folders, ("content", "style"), strict=True):
        copy.mkdir()
        for path in sorted((EXAMPLES / kind).glob("*.jpg"))[:2]:
            shutil.copy(path, copy)
    return folders


@pytest.fixture
def photos(folders: tuple[Path, Path]) -> Path:
    return folders[0]


@pytest.fixture
def paintings(folders: tuple[Path, Path]) -> Path:
    return folders[1]


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
