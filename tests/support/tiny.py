"""Networks of a few narrow layers, which compile in a second, with the operations of the large ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from jaxstyle.networks import ARCHITECTURES, Network, random_network
from jaxstyle.networks.architectures import _graph
from jaxstyle.networks.graph import PICTURE, Layer, chain
from jaxstyle.networks.operations import Concatenate, Convolution, Pool, ReLU

# As VGG: convolutions that keep the size, and pools of 2 x 2.
PLAIN = chain(
    PICTURE,
    {
        "conv1": Convolution(4, 3, padding=1),
        "relu1": ReLU(),
        "pool1": Pool(2, 2),
        "conv2": Convolution(5, 3, padding=1),
        "relu2": ReLU(),
        "pool2": Pool(2, 2),
        "conv3": Convolution(6, 3, padding=1),
        "relu3": ReLU(),
    },
)
# As AlexNet, GoogLeNet and EfficientNet: strides, uneven padding, overlapping pools that round up, and branches.
MIXED = (
    *chain(
        PICTURE,
        {
            "conv1": Convolution(4, 5, stride=2, padding=(1, 2)),
            "relu1": ReLU(),
            "pool1": Pool(3, 2, ceil=True),
            "conv2a": Convolution(5, 5, padding=2),
        },
    ),
    Layer("conv2b", Convolution(3, 1), ("pool1",)),
    Layer("conv2", Concatenate(), ("conv2a", "conv2b")),
    Layer("relu2", ReLU(), ("conv2",)),
    *chain("relu2", {"pool2": Pool(2, 2, ceil=True), "conv3": Convolution(6, 3, padding=1), "relu3": ReLU()}),
)
STYLE_LAYERS = ("relu1", "relu2", "relu3")


@contextmanager
def tiny_networks() -> Iterator[dict[str, Network]]:
    """The networks "plain" and "mixed", with random parameters; their architectures are known inside the context."""
    tables = {"plain": PLAIN, "mixed": MIXED}
    architectures = {name: _graph(table, STYLE_LAYERS, ("relu2",), STYLE_LAYERS) for name, table in tables.items()}
    with patch.dict(ARCHITECTURES, architectures):
        yield {name: random_network(name, precision="float32") for name in tables}
