"""Weights by name: embedded ones in a checkout or the installed package, fetched ones in the user's cache."""

import os
from pathlib import Path

import platformdirs

from jaxstyle.errors import WeightsError
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.networks.network import Network, make_network, random_network
from jaxstyle.weights.files import Weights, check_finite, read_weights

# SHA-256 of the files that `scripts.weights.build` makes.
EMBEDDED = {
    "vgg16": "f9c550d3728bdfdc423bfbe3a25b5c83e6b3f8bee60da4e504066748ffa9bd9f",
    "vgg19": "a36ccdcda29a13615ead8d4d981bf1cbd36c4d28ea3f7758a6d3a8487087fa62",
}
# What has to be fetched first, by the name to load it by: the name to fetch it by. "-full" are originals of what is
# embedded, in full precision.
FETCHED = {f"{name}-full": name for name in EMBEDDED} | {name: name for name in ("alexnet", "googlenet")}
NAMES = (*EMBEDDED, *FETCHED)
DEFAULT_NETWORK = "vgg19"
# Before the name of an architecture: with random weights.
RANDOM = "random:"


def path_of(name: str) -> Path:
    """The file of a name in `NAMES`, whether it is there or not."""
    if name in FETCHED:
        return platformdirs.user_cache_path("jaxstyle", appauthor=False) / "weights" / f"{name}.safetensors"
    package = Path(__file__).parents[1]
    installed = package / "embedded"
    return (installed if installed.is_dir() else package.parent / "weights") / f"{name}.safetensors"


def load_weights(name: str | os.PathLike[str]) -> Weights:
    """Read weights by one of `NAMES`, or from a file; embedded files must have the digest in `EMBEDDED`.

    Raises:
        WeightsError: if there is no such name or file, or it is damaged, or it does not fit its architecture.
    """
    if name in NAMES:
        path = path_of(str(name))
        if name in FETCHED and not path.exists():
            raise WeightsError(f"{name} is not fetched yet; run: jaxstyle weights fetch {FETCHED[str(name)]}")
        return read_weights(path, digest=EMBEDDED.get(str(name)))
    if name in ARCHITECTURES:
        raise WeightsError(
            f"jaxstyle has no weights for {name} and cannot fetch any; convert a file of yours with: "
            "jaxstyle weights convert FILE OUT, and name OUT instead"
        )
    if not Path(name).exists():
        raise WeightsError(f"no weights called {str(name)!r}; expected one of {', '.join(NAMES)}, or a file")
    return read_weights(name)


def verify(name: str | os.PathLike[str]) -> Weights:
    """`load_weights`, and every number is finite.

    Raises:
        WeightsError: as `load_weights`, and naming the tensors that hold other numbers.
    """
    weights = load_weights(name)
    check_finite(weights.tensors, name)
    return weights


def load_network(name: str | os.PathLike[str] = "vgg19", *, pooling: str = "max", precision: str = "auto") -> Network:
    """Load a recognition network, with float32 parameters.

    Args:
        name: "vgg19" or "vgg16", which are embedded; "vgg19-full", "vgg16-full", "alexnet" or "googlenet", once
            fetched; "random:" and an architecture, such as "random:vgg19", for weights that have learned nothing; or a
            weights file.
        pooling: "max", as the networks were trained, or "avg", which is smoother.
        precision: of features, as `Network` tells; "auto" is "bfloat16" on GPUs and TPUs, and "float32" on CPUs.

    Raises:
        WeightsError: if there is no such name or file, or it is damaged, or it does not fit its architecture.
        ConfigError: for an unknown pooling or precision, or an unknown architecture with random weights.
    """
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
