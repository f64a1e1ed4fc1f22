"""Pretrained networks from their publishers, downloaded into the user's cache and converted."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.weights.download import Progress, download
from jaxstyle.weights.files import CAFFE, read_weights, write_weights
from jaxstyle.weights.foreign import read_foreign
from jaxstyle.weights.readers import import_library
from jaxstyle.weights.store import EMBEDDED, FETCHED, load_weights, path_of

# Keras hosts the original VGGs for Caffe, transposed and otherwise unchanged; PyTorch hosts those of torchvision.
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
PYTORCH = "https://download.pytorch.org/models"


@dataclass(frozen=True)
class Original:
    """A file on a server, with the digest that its publisher states, in the format of `download`.

    PyTorch's file names contain the beginning of the SHA-256.
    """

    server: str
    file: str
    digest: str


ORIGINALS = {
    "vgg16": Original(
        KERAS, "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:6d6bbae143d832006294945121d1f1fc"
    ),
    "vgg19": Original(
        KERAS, "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "md5:253f8cb515780f3b799900260a226db6"
    ),
    "alexnet": Original(PYTORCH, "alexnet-owt-7be5be79.pth", "sha256:7be5be79"),
    "googlenet": Original(PYTORCH, "googlenet-1378be20.pth", "sha256:1378be20"),
}


@dataclass(frozen=True)
class Fetched:
    """Fetched weights in the cache.

    Attributes:
        name: the name to load them by.
        path: the file.
        differences: for networks with an embedded copy, `|embedded - fetched| / |fetched|` (Euclidean norms) by
            parameter name; otherwise empty.
    """

    name: str
    path: Path
    differences: dict[str, float]


def fetch(name: str, *, base_url: str | None = None, progress: Progress | None = None, pause: float = 1.0) -> Fetched:
    """Download and convert pretrained weights, unless they are in the cache.

    Args:
        name: "vgg19" or "vgg16" for the full-precision originals, which `load_network` loads as "vgg19-full" and
            "vgg16-full"; or "alexnet" or "googlenet" for those of torchvision.
        base_url: the address of a mirror to use instead of the publisher's server.
        progress: called with the number of bytes received so far, and the total, or None if it is unknown.
        pause: seconds between the first two attempts to connect; see `download`.

    Raises:
        ConfigError: for an unknown name.
        WeightsError: if the server cannot be reached or sends another file, or if the cache cannot be written. An
            interrupted download stays in the cache, and the next call resumes it.
    """
    if name not in ORIGINALS:
        raise ConfigError(f"no network called {name!r} can be fetched; expected one of {', '.join(ORIGINALS)}")
    original, embedded = ORIGINALS[name], name in EMBEDDED
    (loaded_name,) = [key for key, original_name in FETCHED.items() if original_name == name]
    path = path_of(loaded_name)
    if not _is_valid(path):
        if original.file.endswith(".h5"):
            import_library("h5py")  # raises an error before the download if it is missing
        downloaded = path.with_name(Path(original.file).name)
        url = f"{(base_url or original.server).rstrip('/')}/{original.file}"
        download(url, downloaded, original.digest, progress=progress, pause=pause)
        weights = read_foreign(downloaded, convention=CAFFE if embedded else None)
        write_weights(path, replace(weights, license=load_weights(name).license) if embedded else weights)
        downloaded.unlink()
    copy = load_weights(name).parameters() if embedded else {}
    return Fetched(loaded_name, path, _differences(copy, load_weights(loaded_name).parameters()))


def _is_valid(path: Path) -> bool:
    try:
        read_weights(path)
    except WeightsError:
        return False
    return True


def _differences(copy: dict[str, np.ndarray], original: dict[str, np.ndarray]) -> dict[str, float]:
    return {
        name: float(np.linalg.norm(array - original[name]) / np.linalg.norm(original[name]))
        for name, array in copy.items()
    }
