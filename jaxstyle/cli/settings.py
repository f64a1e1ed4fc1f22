"""The options that every stylisation has, told once: parameters of commands, columns of manifests, and settings."""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from jaxstyle.cli.inputs import DEFAULT_NETWORK, NETWORKS, Choice, network_record
from jaxstyle.cli.options import NAMED_STARTS, layers, numbers, starts, written
from jaxstyle.cli.system import versions
from jaxstyle.config import NORMALISATIONS, OPTIMIZERS, PARTITIONS, REPRESENTATIONS, StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.networks import POOLINGS, Network, with_layers
from jaxstyle.networks.precision import PRECISIONS
from jaxstyle.stylize import DEFAULTS
from jaxstyle.weights import NAMES

_LAYERS = f"NAME or NAME=WEIGHT, ..., or one of {', '.join(PARTITIONS)}"
_OWN = "default, the network's usual ones"
_MATTERS, STYLES, _SEARCH, _NETWORK = "What matters", "Style pictures", "Optimisation", "Network"


def _option(flag: str, panel: str | None, help_text: str, choices: Sequence[str] = (), **more: Any) -> Any:
    """An option in its group of --help, completed from its choices and showing them."""
    if choices:
        more = {"metavar": "|".join(choices), "autocompletion": lambda: list(choices)} | more
    return typer.Option(flag, help=help_text, rich_help_panel=panel, **more)


def _name(panel: str | None) -> Any:
    return _option("--network", panel, f"{NETWORKS}.", NAMES, metavar="NAME", show_default=DEFAULT_NETWORK)


def _file(panel: str | None) -> Any:
    return _option("--weights", panel, "Your own network, made by `jaxstyle weights convert`.")


def _pooling(panel: str | None) -> Any:
    return _option("--pooling", panel, "Average pooling is smoother.", POOLINGS)


def _precision(panel: str | None) -> Any:
    return _option("--precision", panel, "Of features; auto is bfloat16 on GPUs and TPUs, float32 on CPUs.", PRECISIONS)


# Which network, for commands that have no groups in their --help.
NetworkName = Annotated[str | None, _name(None)]
WeightsFile = Annotated[Path | None, _file(None)]
Pooling = Annotated[str, _pooling(None)]
Precision = Annotated[str, _precision(None)]


@dataclass(frozen=True)
class Settings:
    """How to stylise: what `stylize` is told, the network, and where the pictures come from that settings name."""

    config: StyleConfig
    seed: int
    start: Path | None
    background: str | None
    network: str | None
    weights: Path | None
    pooling: str
    precision: str

    @property
    def choice(self) -> Choice:
        """What `read_network` is asked for."""
        return self.network, self.weights, self.pooling, self.precision

    def of(self, network: Network) -> Self:
        """The settings with this network's layers; ConfigError for one that it does not have."""
        return replace(self, config=with_layers(self.config, network.architecture))

    def record(self) -> dict[str, Any]:
        """In plain values, all that the result depends on besides its pictures and the network."""
        return asdict(self.config) | {"seed": self.seed, "background": self.background}


@dataclass(frozen=True)
class Options:
    """The options as they are typed. A field's name is that of a column, and with dashes that of the option."""

    size: Annotated[int, typer.Option(help="Longest side of the result in pixels.")] = DEFAULTS.size
    background: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR",
            help="Lay transparent pictures on this colour. Without it, the content's transparency is put back on the "
            "result, which then has to be .png, .webp or .tiff.",
        ),
    ] = None
    content_weight: Annotated[float, _option("--content-weight", _MATTERS, "Weight of the content.")] = (
        DEFAULTS.content_weight
    )
    style_weight: Annotated[float, _option("--style-weight", _MATTERS, "Weight of the style.")] = DEFAULTS.style_weight
    colour_weight: Annotated[float, _option("--colour-weight", _MATTERS, "Weight of the style's colours.")] = (
        DEFAULTS.colour_weight
    )
    tv_weight: Annotated[float, _option("--tv-weight", _MATTERS, "Weight of smoothness, as total variation.")] = (
        DEFAULTS.tv_weight
    )
    content_layers: Annotated[
        str, _option("--content-layers", _MATTERS, f"Layers to compare with the content: {_LAYERS}.", show_default=_OWN)
    ] = "default"
    style_layers: Annotated[
        str, _option("--style-layers", _MATTERS, f"Layers to compare with the style: {_LAYERS}.", show_default=_OWN)
    ] = "default"
    normalisation: Annotated[
        str,
        _option("--normalisation", _MATTERS, "Losses relative to their targets, or as Gatys et al.", NORMALISATIONS),
    ] = DEFAULTS.normalisation
    style_blend: Annotated[
        str, _option("--style-blend", STYLES, "Share of each STYLE, such as 0.7,0.3.", show_default="equal shares")
    ] = ""
    style_scale: Annotated[
        float, _option("--style-scale", STYLES, "Size of STYLE relative to the result; above 1, strokes are larger.")
    ] = DEFAULTS.style_scale
    style_representation: Annotated[
        str, _option("--style-representation", STYLES, "What of a picture is its style.", REPRESENTATIONS)
    ] = DEFAULTS.style_representation
    regions: Annotated[
        int,
        _option(
            "--regions",
            STYLES,
            "Groups of parts that are alike in CONTENT and STYLE, found by deep features; each is painted as its like.",
        ),
    ] = DEFAULTS.regions
    init: Annotated[
        str,
        _option(
            "--init",
            _SEARCH,
            "Where to start: content, noise, pink (noise), style, a picture file, or content=0.7,noise=0.3.",
            NAMED_STARTS,
            metavar="START",
        ),
    ] = written(DEFAULTS.init)
    steps: Annotated[
        int, _option("--steps", _SEARCH, "Steps at full size; smaller sizes on the way take half as many more.")
    ] = DEFAULTS.steps
    optimizer: Annotated[str, _option("--optimizer", _SEARCH, "How to step.", OPTIMIZERS)] = DEFAULTS.optimizer
    seed: Annotated[int, _option("--seed", _SEARCH, "Seed of the noise.", min=0)] = 0
    network: Annotated[str | None, _name(_NETWORK)] = None
    weights: Annotated[Path | None, _file(_NETWORK)] = None
    pooling: Annotated[str, _pooling(_NETWORK)] = "max"
    precision: Annotated[str, _precision(_NETWORK)] = "auto"

    def settings(self, *, folder: Path = Path()) -> Settings:
        """What the options mean, a starting picture being looked for in the folder.

        Raises:
            ConfigError: naming the option or setting, for anything that cannot be meant.
        """
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; expected a whole number from 0 up")
        init, start = starts("--init", self.init, folder=folder)
        config = StyleConfig(
            size=self.size,
            content_layers=layers("--content-layers", self.content_layers),
            style_layers=layers("--style-layers", self.style_layers),
            content_weight=self.content_weight,
            style_weight=self.style_weight,
            colour_weight=self.colour_weight,
            tv_weight=self.tv_weight,
            style_blend=numbers("--style-blend", self.style_blend),
            style_scale=self.style_scale,
            style_representation=self.style_representation,
            regions=self.regions,
            normalisation=self.normalisation,
            init=init,
            optimizer=self.optimizer,
            steps=self.steps,
        )
        network = (self.network, self.weights, self.pooling, self.precision)
        return Settings(config, self.seed, start, self.background, *network)


def about(
    content: Path | None,
    styles: Sequence[Path],
    settings: Settings,
    network: Network,
    *,
    saved: Sequence[dict[str, Any]],
    device: dict[str, Any],
) -> dict[str, Any]:
    """What a result is made of and on, in plain values; `saved` tells about those styles that were saved ones."""
    return {
        "content": content.name if content else None,
        "styles": [style.name for style in styles],
        "saved_styles": list(saved),
        "start": settings.start.name if settings.start else None,
        "settings": settings.record(),
        "network": network_record(network, settings.network, settings.weights),
        "device": device,
        "versions": versions(),
    }


def with_options(
    command: Callable[..., None], *, without: Collection[str] = (), defaults: Options | None = None
) -> Callable[..., None]:
    """The command with a parameter for each of `Options` in the place of its own that is called `options`.

    It has none for those that are to be left `without`; they are as in the defaults.
    """
    signature, usual = inspect.signature(command, eval_str=True), defaults or Options()
    own = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=getattr(usual, field.name), annotation=field.type
        )
        for field in dataclasses.fields(Options)
        if field.name not in without
    ]
    names = {parameter.name for parameter in own}

    @wraps(command)
    def with_all(**given: Any) -> None:
        options = replace(usual, **{name: given.pop(name) for name in names})
        command(**given, options=options)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        added = own if parameter.name == "options" else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
        parameters.extend(added)
    # typer reads both.
    vars(with_all)["__signature__"] = signature.replace(parameters=parameters)
    with_all.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_all
