"""Recognition networks: frozen feature extractors with their own input normalization.

Modules:
    network: `Network`, an architecture with its parameters
    architectures: the table of architectures and their layers
    graph: a network as a table of layers
    operations: what layers do
    convolution: convolutions, and which algorithm computes them
    winograd: the fast 3x3 convolution on CPU
    depthwise: depthwise convolutions
    vgg, alexnet, googlenet, efficientnet: the architectures
    precision: float32, TF32 or bfloat16
"""

from jaxstyle.networks.architectures import ARCHITECTURES, check_layers, parameter_shapes, resolve_layers
from jaxstyle.networks.convolution import COMPILER_OPTIONS
from jaxstyle.networks.network import POOLINGS, Network, check_network, make_network, random_network
from jaxstyle.networks.operations import ReceptiveField
from jaxstyle.networks.precision import PRECISIONS, dtype_of, matmul_precision

__all__ = [
    "ARCHITECTURES",
    "COMPILER_OPTIONS",
    "POOLINGS",
    "PRECISIONS",
    "Network",
    "ReceptiveField",
    "check_layers",
    "check_network",
    "dtype_of",
    "make_network",
    "matmul_precision",
    "parameter_shapes",
    "random_network",
    "resolve_layers",
]
