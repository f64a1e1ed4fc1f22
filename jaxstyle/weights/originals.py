"""Pretrained networks that their publishers keep, downloaded into the user's cache once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.download import Progress, download
from jaxstyle.weights.files import CAFFE, read_weights, write_weights
from jaxstyle.weights.foreign import read_foreign
from jaxstyle.weights.readers import library
from jaxstyle.weights.store import EMBEDDED, FETCHED, load_weights, path_of

# Keras keeps the VGGs' original Caffe models, transposed and otherwise unchanged; PyTorch keeps torchvision's.
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
PYTORCH = "https://download.pytorch.org/models"


@dataclass(frozen=True)
class Original:
    """A file on a server, and the digest that its publisher gives it, as `download` takes it.

    PyTorch's names tell how the SHA-256 begins.
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
    """Weights in the cache, the name to load them by, and how far an embedded copy is from them.

    Attributes:
        differences: `|embedded - fetched| / |fetched|` (Euclidean) by parameter name; empty if there is no such copy.
    """

    name: str
    path: Path
    differences: dict[str, float]


def fetch(name: str, *, base_url: str | None = None, progress: Progress | None = None, pause: float = 1.0) -> Fetched:
    """Fetch a network's pretrained weights, unless the cache has them already.

    Args:
        name: "vgg19" or "vgg16", the full-precision originals of which `load_network` then knows as "vgg19-full" and
            "vgg16-full"; or torchvision's "alexnet" or "googlenet".
        base_url: where to fetch them from instead of their publisher, for a mirror.
        progress: called with the bytes received so far, and the bytes expected or None if the server does not say.
        pause: seconds between the first two attempts to connect; see `download`.

    Raises:
        WeightsError: for an unknown name, a server that cannot be reached or gives another file, or a cache that
            cannot be written. What a broken download received stays in the cache, and the next call goes on from it.
    """
    if name not in ORIGINALS:
        raise WeightsError(f"no network called {name!r} can be fetched; expected one of {', '.join(ORIGINALS)}")
    original, embedded = ORIGINALS[name], name in EMBEDDED
    (known,) = [known for known, original_name in FETCHED.items() if original_name == name]
    path = path_of(known)
    if not _is_whole(path):
        if original.file.endswith(".h5"):
            library("h5py")  # better missed before the download than after it
        downloaded = path.with_name(Path(original.file).name)
        url = f"{(base_url or original.server).rstrip('/')}/{original.file}"
        download(url, downloaded, original.digest, progress=progress, pause=pause)
        weights = read_foreign(downloaded, convention=CAFFE if embedded else None)
        write_weights(path, replace(weights, license=load_weights(name).license) if embedded else weights)
        downloaded.unlink()
    copy = load_weights(name).parameters() if embedded else {}
    return Fetched(known, path, _differences(copy, load_weights(known).parameters()))


def _is_whole(path: Path) -> bool:
    try:
        read_weights(path)
    except WeightsError:
        return False
    return True


def _differences(found: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.linalg.norm(found[name] - true[name]) / np.linalg.norm(true[name])) for name in found}
