"""The options of a stylization: one dataclass for the command's options, the columns of manifests, and Python.

`Options` holds values as they are typed, with the help text of each; `Settings` is what they mean.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from jaxstyle.config import DEFAULTS, NORMALIZATIONS, OPTIMIZERS, PARTITIONS, REPRESENTATIONS, StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.jobs.parsing import NAMED_INITS, format_weighted, parse_init, parse_layers, parse_numbers
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.networks.network import POOLINGS, Network
from jaxstyle.networks.precision import PRECISIONS
from jaxstyle.weights.store import DEFAULT_NETWORK, NAMES, RANDOM

# Groups of options in `--help`.
PICTURE, STYLE, OPTIMIZATION, NETWORK = "Picture", "Style", "Optimization", "Network"

_LAYERS = f"NAME or NAME=WEIGHT, ..., or one of {', '.join(PARTITIONS)}"


@dataclass(frozen=True)
class Help:
    """How `--help` shows an option.

    Attributes:
        text: what the option changes.
        group: the heading under which it is listed; None for the first group.
        metavar: the placeholder for its value.
        choices: the values to complete.
        default: how the default is shown, if not as its value.
    """

    text: str
    group: str | None = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None


def _help(
    text: str,
    group: str | None = None,
    *,
    metavar: str | None = None,
    choices: Sequence[str] = (),
    default: str | None = None,
) -> dict[str, Help]:
    """The metadata of a field."""
    return {"help": Help(text, group, metavar or "|".join(choices) or None, tuple(choices), default)}


@dataclass(frozen=True)
class Settings:
    """What the options mean: the arguments of `stylize`, the network, and the files that settings name."""

    config: StyleConfig
    seed: int
    initial_picture: Path | None
    background: str | None
    network: str | None
    weights: Path | None
    pooling: str
    precision: str

    @property
    def network_key(self) -> tuple[str | None, Path | None, str, str]:
        """The arguments of `read_network`."""
        return self.network, self.weights, self.pooling, self.precision

    def resolve(self, network: Network) -> Self:
        """The settings with the layers of this network; ConfigError for a layer that it does not have."""
        return replace(self, config=resolve_layers(self.config, network.architecture))

    def record(self) -> dict[str, Any]:
        """Everything that the result depends on besides its pictures and the network, as plain values."""
        return asdict(self.config) | {"seed": self.seed, "background": self.background}


@dataclass(frozen=True)
class Options:
    """The options of a stylization, as they are typed.

    The name of a field is that of a manifest's column, and with dashes that of the command's option.
    """

    size: int = field(
        default=DEFAULTS.size,
        metadata=_help("Longest side of the result in pixels. Larger: finer detail, more time and memory."),
    )
    steps: int = field(
        default=DEFAULTS.steps,
        metadata=_help(
            "Optimization steps at full size; smaller sizes take half as many more. More: closer to the style, slower."
        ),
    )
    content_weight: float = field(
        default=DEFAULTS.content_weight,
        metadata=_help("Weight of the content. Higher: more of the content's shapes are kept.", PICTURE),
    )
    style_weight: float = field(
        default=DEFAULTS.style_weight,
        metadata=_help("Weight of the style. Higher: stronger strokes and textures.", PICTURE),
    )
    color_weight: float = field(
        default=DEFAULTS.color_weight,
        metadata=_help("Weight of the style's color distribution. Higher: colors closer to the style's.", PICTURE),
    )
    tv_weight: float = field(
        default=DEFAULTS.tv_weight,
        metadata=_help("Weight of the total variation. Higher: smoother, with less grain.", PICTURE),
    )
    background: str | None = field(
        default=None,
        metadata=_help(
            "Color to place under transparent pictures, such as white or '#1e90ff'. By default the result keeps the "
            "transparency of the content; it must then be .png, .webp or .tiff.",
            PICTURE,
            metavar="COLOR",
        ),
    )
    style_scale: float = field(
        default=DEFAULTS.style_scale,
        metadata=_help(
            "Size of the style pictures relative to the result. Above 1: larger strokes; below 1: finer ones.", STYLE
        ),
    )
    style_blend: str = field(
        default="",
        metadata=_help(
            "Share of each style, such as 0.7,0.3. A negative share moves the result away from that style.",
            STYLE,
            default="equal shares",
        ),
    )
    style_representation: str = field(
        default=DEFAULTS.style_representation,
        metadata=_help(
            "Statistics that describe the style. gram: textures without their arrangement; shifted: with some of it; "
            "moments: weaker textures.",
            STYLE,
            choices=REPRESENTATIONS,
        ),
    )
    regions: int = field(
        default=DEFAULTS.regions,
        metadata=_help(
            "Number of regions to find in the content and the style by deep features. Each region takes its style from "
            "the region it matches.",
            STYLE,
        ),
    )
    content_layers: str = field(
        default="default",
        metadata=_help(
            f"Layers to compare with the content. Deeper: shapes without their detail. {_LAYERS}.",
            STYLE,
            default="default: the network's usual layers",
        ),
    )
    style_layers: str = field(
        default="default",
        metadata=_help(
            f"Layers to compare with the style. Shallow: fine texture; deep: large patterns. {_LAYERS}.",
            STYLE,
            default="default: the network's usual layers",
        ),
    )
    normalization: str = field(
        default=DEFAULTS.normalization,
        metadata=_help(
            "Scale of the losses: relative to their targets, or as in Gatys et al., which needs other weights.",
            STYLE,
            choices=NORMALIZATIONS,
        ),
    )
    init: str = field(
        default=format_weighted(DEFAULTS.init),
        metadata=_help(
            "Initial picture: content (in the style's colors), noise, pink (noise), style, a picture file, or a "
            "mixture such as content=0.7,noise=0.3. From noise, the content is kept less closely.",
            OPTIMIZATION,
            metavar="INIT",
            choices=NAMED_INITS,
        ),
    )
    seed: int = field(
        default=0, metadata=_help("Seed of the noise. Has no effect without noise in --init.", OPTIMIZATION)
    )
    optimizer: str = field(
        default=DEFAULTS.optimizer,
        metadata=_help(
            "lbfgs needs fewer steps; adam changes the picture more gradually.", OPTIMIZATION, choices=OPTIMIZERS
        ),
    )
    network: str | None = field(
        default=None,
        metadata=_help(
            f"Recognition network: {', '.join(NAMES)}, or {RANDOM}ARCHITECTURE for random weights.",
            NETWORK,
            metavar="NAME",
            choices=NAMES,
            default=DEFAULT_NETWORK,
        ),
    )
    weights: Path | None = field(
        default=None,
        metadata=_help("Weights file of your own network, from `jaxstyle weights convert`.", NETWORK, metavar="FILE"),
    )
    pooling: str = field(
        default="max", metadata=_help("Pooling of the network. avg gives smoother pictures.", NETWORK, choices=POOLINGS)
    )
    precision: str = field(
        default="auto",
        metadata=_help(
            "Precision of the features. auto: bfloat16 on GPUs and TPUs, float32 on CPUs.", NETWORK, choices=PRECISIONS
        ),
    )

    def settings(self, *, folder: Path = Path()) -> Settings:
        """The settings that these options mean; the path of an initial picture is relative to `folder`.

        Raises:
            ConfigError: naming the option or setting, for a value that has no meaning.
        """
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; expected a whole number from 0 up")
        init, initial_picture = parse_init("--init", self.init, folder=folder)
        config = StyleConfig(
            size=self.size,
            content_layers=parse_layers("--content-layers", self.content_layers),
            style_layers=parse_layers("--style-layers", self.style_layers),
            content_weight=self.content_weight,
            style_weight=self.style_weight,
            color_weight=self.color_weight,
            tv_weight=self.tv_weight,
            style_blend=parse_numbers("--style-blend", self.style_blend),
            style_scale=self.style_scale,
            style_representation=self.style_representation,
            regions=self.regions,
            normalization=self.normalization,
            init=init,
            optimizer=self.optimizer,
            steps=self.steps,
        )
        network = (self.network, self.weights, self.pooling, self.precision)
        return Settings(config, self.seed, initial_picture, self.background, *network)
