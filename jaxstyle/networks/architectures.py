"""The table of architectures: modules, layers, shapes of parameters, and the usual layers for content and style."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import flax.linen as nn

from jaxstyle.config import StyleConfig, Weighted
from jaxstyle.errors import ConfigError
from jaxstyle.networks import alexnet, efficientnet, googlenet, graph, vgg
from jaxstyle.networks.operations import ReceptiveField


@dataclass(frozen=True)
class Architecture:
    """The layers of a network, and which of them to compare.

    Attributes:
        module: the Flax module for a pooling.
        channels: the channels of every layer's activations, in the order of computation.
        parameters: the shape of every parameter.
        extent_at: the height and width `[2]` of a layer's activations for those of a picture.
        receptive_field: the pixels that a position of a layer depends on.
        stages: the layers that partitions choose from, without layers inside blocks and branches.
        content_layers: the default content layers.
        style_layers: the default style layers.
    """

    module: Callable[..., nn.Module]
    channels: dict[str, int]
    parameters: dict[str, tuple[int, ...]]
    extent_at: Callable[[str, Any], Any]
    receptive_field: Callable[[str], ReceptiveField]
    stages: tuple[str, ...]
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in the order of computation."""
        return tuple(self.channels)


def _vgg(depths: tuple[int, ...]) -> Architecture:
    return Architecture(
        module=partial(vgg.VGG, depths),
        channels={layer: vgg.WIDTHS[int(layer[4]) - 1] for layer in vgg.layer_names(depths)},
        parameters=vgg.parameter_shapes(depths),
        extent_at=vgg.extent_at,
        receptive_field=partial(vgg.receptive_field, depths),
        stages=tuple(layer for layer in vgg.layer_names(depths) if layer.startswith("relu")),
        content_layers=("relu4_2",),
        style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    )


def _graph(
    table: graph.Table, stages: tuple[str, ...], content_layers: tuple[str, ...], style_layers: tuple[str, ...]
) -> Architecture:
    return Architecture(
        module=partial(graph.Graph, table),
        channels=graph.channels(table),
        parameters=graph.parameter_shapes(table),
        extent_at=partial(graph.extent_at, table),
        receptive_field=partial(graph.receptive_field, table),
        stages=stages,
        content_layers=content_layers,
        style_layers=style_layers,
    )


ARCHITECTURES = {
    **{name: _vgg(depths) for name, depths in vgg.DEPTHS.items()},
    "alexnet": _graph(alexnet.TABLE, alexnet.STYLE_LAYERS, alexnet.CONTENT_LAYERS, alexnet.STYLE_LAYERS),
    "googlenet": _graph(googlenet.TORCHVISION, googlenet.STAGES, googlenet.CONTENT_LAYERS, googlenet.STYLE_LAYERS),
    "googlenet-caffe": _graph(googlenet.CAFFE, googlenet.STAGES, googlenet.CONTENT_LAYERS, googlenet.STYLE_LAYERS),
    "efficientnet-lite0": _graph(
        efficientnet.LITE0, efficientnet.STAGES, efficientnet.CONTENT_LAYERS, efficientnet.STYLE_LAYERS
    ),
}


@lru_cache
def resolve_layers(config: StyleConfig, architecture: str) -> StyleConfig:
    """The settings with layers in the place of partitions; see `StyleConfig.content_layers`.

    Raises:
        ConfigError: naming the nearest ones, for a layer that the architecture does not have.
    """
    known = ARCHITECTURES[architecture]

    def layers(given: Weighted | str, usual: Sequence[str]) -> Weighted:
        if isinstance(given, str):
            return _partition(given, known.stages, usual)
        check_layers(architecture, [layer for layer, _ in given])
        return given

    content = layers(config.content_layers, known.content_layers)
    return replace(config, content_layers=content, style_layers=layers(config.style_layers, known.style_layers))


def _partition(name: str, stages: Sequence[str], usual: Sequence[str]) -> Weighted:
    middle, last = len(stages) // 2, len(stages) - 1
    if name in ("rising", "falling"):
        exponents = range(last + 1) if name == "rising" else range(last, -1, -1)
        return tuple((layer, 2.0**exponent) for layer, exponent in zip(stages, exponents, strict=True))
    some = {"default": usual, "all": stages, "shallow": stages[:middle], "deep": stages[middle:]}[name]
    return tuple((layer, 1.0) for layer in some)


def check_layers(architecture: str, layers: Sequence[str]) -> None:
    """Raise ConfigError, naming the nearest layers, unless the architecture has every one of `layers`."""
    if isinstance(layers, str):  # a sequence too, of letters
        raise ConfigError(f"layers is {layers!r}; expected several names, such as ({layers!r},)")
    known = ARCHITECTURES[architecture].layers
    for layer in layers:
        if layer not in known:
            nearest = ", ".join(difflib.get_close_matches(layer, known, n=3, cutoff=0))
            raise ConfigError(f"{architecture} has no layer {layer!r}; the nearest are {nearest}")


def parameter_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, by its name in a weights file: `{"conv1_1.kernel": (3, 3, 3, 64), ...}`."""
    return ARCHITECTURES[architecture].parameters
