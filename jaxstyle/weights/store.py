"""Weights by name: embedded ones in a checkout or the installed package, fetched ones in the user's cache."""

import os
from pathlib import Path

import jax
import numpy as np
import platformdirs

from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.networks import POOLINGS, Network
from jaxstyle.weights.files import Weights, check_finite, read_weights

# SHA-256 of the files that scripts/build_weights makes.
EMBEDDED = {
    "vgg16": "00b2fc4c3e9b34790bc18426d302fd06b63ba591c887bff32a52b662c15dc829",
    "vgg19": "a50e702019184079b193b6c5e1daa6836735e68b6574656eac2b9212272f2463",
}
# The full-precision originals of the embedded networks, once they are fetched.
FETCHED = {f"{name}-full": name for name in EMBEDDED}
NAMES = (*EMBEDDED, *FETCHED)


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


def load_network(name: str | os.PathLike[str] = "vgg19", *, pooling: str = "max") -> Network:
    """Load a pretrained recognition network, with float32 parameters.

    Args:
        name: "vgg19" or "vgg16", which are embedded; "vgg19-full" or "vgg16-full", once fetched; or a weights file.
        pooling: "max", as the networks were trained, or "avg", which is smoother.

    Raises:
        WeightsError: if there is no such name or file, or it is damaged, or it does not fit its architecture.
        ConfigError: for an unknown pooling.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"unknown pooling {pooling!r}; expected one of {', '.join(POOLINGS)}")
    weights = load_weights(name)
    parameters: dict[str, dict[str, np.ndarray]] = {}
    for key, array in weights.parameters().items():
        layer, parameter = key.rsplit(".", 1)
        parameters.setdefault(layer, {})[parameter] = array
    return Network(
        parameters=jax.device_put(parameters),
        mean=jax.device_put(np.array(weights.convention.mean, np.float32)),
        scale=jax.device_put(np.array(weights.convention.scale, np.float32)),
        architecture=weights.architecture,
        pooling=pooling,
        reverse_channels=weights.convention.channels == "BGR",
        digest=weights.digest,
    )
