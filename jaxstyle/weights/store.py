"""Where named weights lie: the embedded files, in a checkout or in the installed package."""

import os
from pathlib import Path

import jax
import numpy as np

from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.networks import POOLINGS, Network
from jaxstyle.weights.format import read_weights

# SHA-256 of the files that scripts/build_weights makes.
EMBEDDED = {
    "vgg16": "00b2fc4c3e9b34790bc18426d302fd06b63ba591c887bff32a52b662c15dc829",
    "vgg19": "a50e702019184079b193b6c5e1daa6836735e68b6574656eac2b9212272f2463",
}


def embedded_path(name: str) -> Path:
    """The file of an embedded network: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "embedded"
    return (installed if installed.is_dir() else package.parent / "weights") / f"{name}.safetensors"


def locate(name: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file for a name or a path, and the SHA-256 it must have if it is an embedded one.

    Raises:
        WeightsError: if there are no weights of that name and no such file.
    """
    if name in EMBEDDED:
        return embedded_path(str(name)), EMBEDDED[str(name)]
    path = Path(name)
    if not path.exists():
        raise WeightsError(f"no weights called {str(name)!r}; expected one of {', '.join(EMBEDDED)}, or a file")
    return path, None


def load_network(name: str | os.PathLike[str] = "vgg19", *, pooling: str = "max") -> Network:
    """Load a pretrained recognition network, with float32 parameters.

    Args:
        name: an embedded network, "vgg19" or "vgg16", or the path of a weights file.
        pooling: "max", as the networks were trained, or "avg", which is smoother.

    Raises:
        WeightsError: if there is no such file, or it is damaged, or it does not fit its architecture.
        ConfigError: for an unknown pooling.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"unknown pooling {pooling!r}; expected one of {', '.join(POOLINGS)}")
    path, digest = locate(name)
    weights = read_weights(path, digest=digest)
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
