"""The options that choose the recognition network."""

from dataclasses import dataclass, field
from pathlib import Path

from jaxstyle.networks import POOLINGS, PRECISIONS
from jaxstyle.options.described import described
from jaxstyle.weights import DEFAULT_NETWORK, NAMES, RANDOM

NETWORK = "Network"  # their heading in `--help`


@dataclass(frozen=True)
class NetworkOptions:
    """The options that choose the recognition network."""

    network: str | None = field(
        default=None,
        metadata=described(
            f"Recognition network: {', '.join(NAMES)}, or {RANDOM}ARCHITECTURE for random weights. vgg16: bolder "
            "strokes than vgg19.",
            NETWORK,
            metavar="NAME",
            choices=NAMES,
            default=DEFAULT_NETWORK,
        ),
    )
    weights: Path | None = field(
        default=None,
        metadata=described(
            "Weights file of another network, from `jaxstyle weights convert`, in place of --network.",
            NETWORK,
            metavar="FILE",
        ),
    )
    pooling: str = field(
        default="max",
        metadata=described("Pooling of the network. avg: softer pictures than max.", NETWORK, choices=POOLINGS),
    )
    precision: str = field(
        default="auto",
        metadata=described(
            f"Precision of the features: {', '.join(PRECISIONS)}. auto: bfloat16 on GPUs and TPUs, which is faster, "
            "and float32 on CPUs. The pictures look the same.",
            NETWORK,
            metavar="NAME",
            choices=PRECISIONS,
        ),
    )
