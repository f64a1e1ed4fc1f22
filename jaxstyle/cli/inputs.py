"""What commands read: networks, pictures, and styles that are pictures or were saved."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle import weights
from jaxstyle.aims import check_style
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import read_image, read_picture
from jaxstyle.networks import Network
from jaxstyle.regions import Masks, masks_of_colours
from jaxstyle.style_files import SUFFIX, read_style_file
from jaxstyle.styles import Style

Choice = tuple[str | None, Path | None, str, str]  # of a network: a name or a file, the pooling, and the precision
DEFAULT_NETWORK = "vgg19"
NETWORKS = f"{', '.join(weights.NAMES)}, or {weights.RANDOM}ARCHITECTURE for random weights"


def read_network(name: str | None, file: Path | None, pooling: str, precision: str = "auto") -> Network:
    """The network that `--network` or `--weights` asks for."""
    if name and file:
        raise ConfigError("--network and --weights exclude each other; give one of them")
    if name and name not in weights.NAMES and not name.startswith(weights.RANDOM):
        known = f"{', '.join(weights.NAMES)}, {weights.RANDOM}ARCHITECTURE"
        raise ConfigError(f"--network is {name!r}; expected one of {known}, or --weights FILE")
    return weights.load_network(file or name or DEFAULT_NETWORK, pooling=pooling, precision=precision)


def network_record(network: Network, name: str | None, file: Path | None) -> dict[str, str]:
    """What records tell about a network that `read_network` gave for this name and file."""
    return {
        "name": file.name if file else name or DEFAULT_NETWORK,
        "architecture": network.architecture,
        "pooling": network.pooling,
        "precision": network.precision,
        "sha256": network.digest,
    }


def read_opaque(file: Path, size: int, background: str | None) -> np.ndarray:
    """A picture `[H, W, 3]` with that longest side, on the background, or on white without one."""
    return read_picture(file, size=max(size, 1)).over("white" if background is None else background)


def read_styles(
    files: Sequence[Path], network: Network, config: StyleConfig, background: str | None
) -> tuple[list[np.ndarray | Style], list[dict[str, Any]]]:
    """Styles as `stylize` takes them, in order, and what records tell about those among them that were saved.

    Raises:
        JaxStyleError: if one cannot be read, or was saved with another network, without a layer that is needed, or at
            other sizes; ConfigError has the file in front.
    """
    styles: list[np.ndarray | Style] = []
    saved: list[dict[str, Any]] = []
    for file in files:
        if not is_saved(file):
            styles.append(read_opaque(file, round(config.size * config.style_scale), background))
            continue
        found = read_style_file(file)
        try:
            styles.append(check_style(found.style, network, config))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        saved.append(found.about | {"name": file.name, "sizes": list(found.style.sizes)})
    return styles, saved


def read_masks(content: Path | None, styles: Sequence[Path]) -> Masks | None:
    """The masks that pictures of flat colours tell, in order; None without any; ConfigError if some are missing."""
    if content is None and not styles:
        return None
    if content is None or not styles:
        given, missing = ("--style-mask", "--content-mask") if content is None else ("--content-mask", "--style-mask")
        raise ConfigError(f"there is {given} without {missing}; give both")
    return masks_of_colours(read_image(content), [read_image(style) for style in styles])


def is_saved(file: Path) -> bool:
    """Whether a style is a saved one, by its name."""
    return file.suffix.lower() == SUFFIX


def check_replaces_none(output: Path, inputs: Sequence[Path]) -> None:
    """Raise ConfigError if the output is an input, even with --overwrite: the photograph may be the only copy."""
    output, *inputs = [file.expanduser() for file in (output, *inputs)]
    for file in inputs:
        if output.exists() and file.exists() and os.path.samefile(output, file):
            raise ConfigError(f"{output} is one of the pictures to read; choose another name for the result")
