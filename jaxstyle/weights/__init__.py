"""Pretrained weights: loading and verifying, conversion from other frameworks, download of the originals.

Modules:
    store: weights by name, and `load_network`
    files: the weights file, read and written
    foreign: conversion of other frameworks' files
    readers: the convolutions in other frameworks' files
    convolutions: kernels with their biases among named arrays
    torchfile: the tensors in PyTorch files, without PyTorch
    pickles: unpickling without running code
    tensors: descriptions of tensors in pickles
    content: the arrays in nested dictionaries and lists
    matfile: networks of MatConvNet in MATLAB's files
    kinds: names for files that are not read, and how to convert them
    originals: pretrained networks from their publishers
    download: download of one file, with resumption
"""

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
    safetensors_metadata,
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
    network_or_default,
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
    "network_or_default",
    "path_of",
    "read_weights",
    "safetensors_metadata",
    "verify",
    "write_weights",
]
