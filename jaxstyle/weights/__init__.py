"""Pretrained weights: find, verify and load them, convert other frameworks' files, fetch the originals."""

from jaxstyle.weights.files import (
    CAFFE,
    CAFFE_GOOGLENET,
    CAFFE_RGB,
    CONVENTIONS,
    TORCHVISION,
    TORCHVISION_GOOGLENET,
    Convention,
    Weights,
    read_weights,
    write_weights,
)
from jaxstyle.weights.foreign import convert
from jaxstyle.weights.originals import ORIGINALS, Fetched, fetch
from jaxstyle.weights.store import (
    DEFAULT_NETWORK,
    EMBEDDED,
    FETCHED,
    NAMES,
    RANDOM,
    load_network,
    load_weights,
    path_of,
    verify,
)

__all__ = [
    "CAFFE",
    "CAFFE_GOOGLENET",
    "CAFFE_RGB",
    "CONVENTIONS",
    "DEFAULT_NETWORK",
    "EMBEDDED",
    "FETCHED",
    "NAMES",
    "ORIGINALS",
    "RANDOM",
    "TORCHVISION",
    "TORCHVISION_GOOGLENET",
    "Convention",
    "Fetched",
    "Weights",
    "convert",
    "fetch",
    "load_network",
    "load_weights",
    "path_of",
    "read_weights",
    "verify",
    "write_weights",
]
