"""Weights by name: embedded in the package or a checkout, or fetched into the user's cache."""

import os
from pathlib import Path
from typing import Any

import platformdirs

from jaxstyle.arguments import check_type
from jaxstyle.errors import WeightsError
from jaxstyle.images import exists
from jaxstyle.networks import ARCHITECTURES, Network, check_network, make_network, random_network
from jaxstyle.weights.files import Weights, check_numbers, read_weights

# Embedded networks, with the SHA-256 of their files, which `scripts.weights.build` writes.
EMBEDDED = {
    "vgg16": "f9c550d3728bdfdc423bfbe3a25b5c83e6b3f8bee60da4e504066748ffa9bd9f",
    "vgg19": "a36ccdcda29a13615ead8d4d981bf1cbd36c4d28ea3f7758a6d3a8487087fa62",
    "efficientnet-lite0": "ad68596f40191faf33bdb31c3eec6d57b1e29d827f5dda4a651d95db4f22f74c",
}
# Embedded copies of the original Caffe models, which can also be fetched in full precision.
ORIGINAL_VGGS = ("vgg16", "vgg19")
# Networks to fetch first: the name to load each by, and the name to fetch it by.
FETCHED = {f"{name}-full": name for name in ORIGINAL_VGGS} | {name: name for name in ("alexnet", "googlenet")}
NAMES = (*EMBEDDED, *FETCHED)
DEFAULT_NETWORK = "vgg19"
# A prefix of the names of architectures, for random weights.
RANDOM = "random:"


def path_of(name: str) -> Path:
    """The path of the weights file for a name in `NAMES`. The file may not exist."""
    if name in FETCHED:
        return platformdirs.user_cache_path("jaxstyle", appauthor=False) / "weights" / f"{name}.safetensors"
    package = Path(__file__).parents[1]
    installed = package / "embedded"
    return (installed if installed.is_dir() else package.parent / "weights") / f"{name}.safetensors"


def load_weights(name: str | os.PathLike[str]) -> Weights:
    """Read weights by name or from a file, and check the digest of embedded ones.

    Args:
        name: one of `NAMES`, or the path of a weights file.

    Raises:
        WeightsError: if there is no such name or file, or the file is damaged or does not fit its architecture.
    """
    if name in NAMES:
        path = path_of(str(name))
        if name in FETCHED and not path.exists():
            raise WeightsError(f"{name} is not fetched yet; run: jaxstyle weights fetch {FETCHED[str(name)]}")
        return read_weights(path, digest=EMBEDDED.get(str(name)))
    if name in ARCHITECTURES:
        raise WeightsError(
            f"jaxstyle has no weights for {name} and cannot fetch them; convert a file with: "
            "jaxstyle weights convert FILE OUT, and use OUT"
        )
    if not exists(name):
        raise WeightsError(f"no weights called {str(name)!r}; expected one of {', '.join(NAMES)}, or a file")
    return read_weights(name)


def verify(name: str | os.PathLike[str]) -> Weights:
    """Read weights and check that all numbers are finite, and no kernel is all zeros.

    Raises:
        WeightsError: as `load_weights`, and for tensors with NaN or infinity, and kernels of zeros.
    """
    weights = load_weights(name)
    check_numbers(weights.tensors, name)
    return weights


def load_network(name: str | os.PathLike[str] = "vgg19", *, pooling: str = "max", precision: str = "auto") -> Network:
    """Load a recognition network, with float32 parameters.

    Args:
        name: "vgg19", "vgg16" or "efficientnet-lite0", which are embedded; "vgg19-full", "vgg16-full", "alexnet" or
            "googlenet", after they are fetched; "random:" and an architecture, such as "random:vgg19", for untrained
            weights; or the path of a weights file.
        pooling: "max", with which the networks were trained, or "avg", which gives smoother pictures.
        precision: the precision of features, see `Network`; "auto" is "bfloat16" on GPUs and TPUs, "float32" on CPUs.

    Raises:
        WeightsError: if there is no such name or file, or the file is damaged or does not fit its architecture.
        ConfigError: for an unknown pooling or precision, or an unknown architecture with random weights.
    """
    check_type("name", name, (str, os.PathLike), f"one of {', '.join(NAMES)}, or a file")
    if str(name).startswith(RANDOM):
        return random_network(str(name).removeprefix(RANDOM), pooling=pooling, precision=precision)
    weights = load_weights(name)
    convention = weights.convention
    return make_network(
        weights.architecture,
        weights.parameters(),
        convention.mean,
        convention.scale,
        pooling=pooling,
        digest=weights.digest,
        reverse_channels=convention.channels == "BGR",
        precision=precision,
    )


def network_or_default(network: Any) -> Network:
    """The network of an argument `network`, or the embedded VGG-19 for None; ConfigError for anything else."""
    if network is None:
        return load_network(DEFAULT_NETWORK)
    check_network(network)
    return network
