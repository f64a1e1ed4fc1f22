"""The parsed options of a stylization."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network, resolve_layers


@dataclass(frozen=True)
class FileSettings:
    """How results are written.

    Attributes:
        bits: per sample.
        dpi: pixels per inch, None to leave it open.
        profile: "srgb", or "keep" for that of the content.
    """

    bits: int
    dpi: int | None
    profile: str


@dataclass(frozen=True)
class Settings:
    """The parsed options: the configuration of `stylize`, its seed, pictures to read, the network, and the file."""

    config: StyleConfig
    seed: int
    initial_picture: Path | None
    strength_mask: Path | None
    background: str | None
    file: FileSettings
    network: str | None
    weights: Path | None
    pooling: str
    precision: str

    @property
    def network_key(self) -> tuple[str | None, Path | None, str, str]:
        """The arguments of `read_network`."""
        return self.network, self.weights, self.pooling, self.precision

    @property
    def files(self) -> tuple[Path, ...]:
        """The pictures to read for these settings."""
        return tuple(file for file in (self.initial_picture, self.strength_mask) if file)

    def resolve(self, network: Network) -> Self:
        """The settings with the layers of this network; ConfigError for a layer that it does not have."""
        return replace(self, config=resolve_layers(self.config, network.architecture))

    def by_tiles(self, tile_size: int | None) -> Self:
        """The settings with tiles of this size, or without tiles."""
        return replace(self, config=replace(self.config, tile_size=tile_size))

    def record(self) -> dict[str, Any]:
        """The settings that the result depends on, without pictures and network, as plain values."""
        return _record(self.config) | {"seed": self.seed, "background": self.background} | asdict(self.file)


@lru_cache
def _record(config: StyleConfig) -> dict[str, Any]:
    return asdict(config)
