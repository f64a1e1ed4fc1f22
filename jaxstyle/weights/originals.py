"""The full-precision originals of the embedded networks, downloaded into the user's cache once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.download import Progress, download
from jaxstyle.weights.files import CAFFE, read_weights, write_weights
from jaxstyle.weights.foreign import read_foreign
from jaxstyle.weights.readers import library
from jaxstyle.weights.store import load_weights, path_of

# Keras keeps the original Caffe models here, transposed and otherwise unchanged.
BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Original:
    """A file below `BASE_URL`, and its MD5 as Keras publishes it."""

    file: str
    md5: str


ORIGINALS = {
    "vgg16": Original("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": Original("vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"),
}


@dataclass(frozen=True)
class Fetched:
    """Weights in the cache, the name to load them by, and how far the embedded copy is from them.

    Attributes:
        differences: `|embedded - fetched| / |fetched|` (Euclidean) by parameter name.
    """

    name: str
    path: Path
    differences: dict[str, float]


def fetch(name: str, *, base_url: str = BASE_URL, progress: Progress | None = None, pause: float = 1.0) -> Fetched:
    """Fetch the full-precision original of an embedded network, unless the cache has it already.

    Args:
        name: "vgg19" or "vgg16"; afterwards `load_network` knows the original as "vgg19-full" or "vgg16-full".
        base_url: where to fetch it from, for a mirror of Keras's storage.
        progress: called with the bytes received so far, and the bytes expected or None if the server does not say.
        pause: seconds between the first two attempts to connect; see `download`.

    Raises:
        WeightsError: for an unknown name, a server that cannot be reached or gives another file, or a cache that
            cannot be written. What a broken download received stays in the cache, and the next call goes on from it.
    """
    if name not in ORIGINALS:
        raise WeightsError(f"no network called {name!r} can be fetched; expected one of {', '.join(ORIGINALS)}")
    full = f"{name}-full"
    path = path_of(full)
    if not _is_whole(path):
        library("h5py")  # better missed before the download than after it
        original = ORIGINALS[name]
        downloaded = path.with_name(Path(original.file).name)
        download(f"{base_url.rstrip('/')}/{original.file}", downloaded, original.md5, progress=progress, pause=pause)
        weights = read_foreign(downloaded, convention=CAFFE)
        write_weights(path, replace(weights, licence=load_weights(name).licence))
        downloaded.unlink()
    return Fetched(full, path, _differences(load_weights(name).parameters(), load_weights(full).parameters()))


def _is_whole(path: Path) -> bool:
    try:
        read_weights(path)
    except WeightsError:
        return False
    return True


def _differences(found: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.linalg.norm(found[name] - true[name]) / np.linalg.norm(true[name])) for name in true}
