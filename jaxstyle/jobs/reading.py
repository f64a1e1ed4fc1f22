"""Read the inputs of a stylization: networks, pictures, saved styles and masks."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.images import read_image, read_picture
from jaxstyle.networks import Network
from jaxstyle.optimization import check_style
from jaxstyle.styles import STYLE_FILE_SUFFIX, Masks, Style, masks_from_colors, read_style_file
from jaxstyle.weights import DEFAULT_NETWORK, NAMES, RANDOM, load_network


def read_network(name: str | None, file: Path | None, pooling: str, precision: str = "auto") -> Network:
    """Load the network for `--network` or `--weights`; the default network if both are None."""
    if name and file:
        raise ConfigError("--network and --weights exclude each other; give one of them")
    if name and name not in NAMES and not name.startswith(RANDOM):
        known = f"{', '.join(NAMES)}, {RANDOM}ARCHITECTURE"
        raise ConfigError(f"--network is {name!r}; expected one of {known}, or --weights FILE")
    return load_network(file or name or DEFAULT_NETWORK, pooling=pooling, precision=precision)


def network_record(network: Network, name: str | None, file: Path | None) -> dict[str, str]:
    """The record of a network that `read_network` loaded for this name and file."""
    return {
        "name": file.name if file else name or DEFAULT_NETWORK,
        "architecture": network.architecture,
        "pooling": network.pooling,
        "precision": network.precision,
        "sha256": network.digest,
    }


def read_on_background(file: Path, size: int, background: str | None) -> np.ndarray:
    """Read a picture `[H, W, 3]` with the longest side `size`, placed on a background color; white by default."""
    return read_picture(file, size=max(size, 1)).over("white" if background is None else background)


def read_styles(
    files: Sequence[Path], network: Network, config: StyleConfig, background: str | None
) -> tuple[list[np.ndarray | Style], list[dict[str, Any]]]:
    """Read style pictures and saved styles, in order, and the records of the saved ones.

    Raises:
        JaxStyleError: if a file cannot be read; or if a style was saved with another network, at other sizes, or
            without a layer that is needed (ConfigError, beginning with the file).
    """
    styles: list[np.ndarray | Style] = []
    records: list[dict[str, Any]] = []
    for file in files:
        if not is_saved_style(file):
            styles.append(read_on_background(file, round(config.size * config.style_scale), background))
            continue
        saved = read_style_file(file)
        try:
            styles.append(check_style(saved.style, network, config))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        records.append(saved.about | {"name": file.name, "sizes": list(saved.style.sizes)})
    return styles, records


def read_masks(content: Path | None, styles: Sequence[Path]) -> Masks | None:
    """Read masks from pictures of flat colors; None without any; ConfigError if only one kind is given."""
    if content is None and not styles:
        return None
    if content is None or not styles:
        given, missing = ("--style-mask", "--content-mask") if content is None else ("--content-mask", "--style-mask")
        raise ConfigError(f"there is {given} without {missing}; give both")
    return masks_from_colors(read_image(content), [read_image(style) for style in styles])


def is_saved_style(file: Path) -> bool:
    """Whether a style file is a saved style and no picture, by its suffix."""
    return file.suffix.lower() == STYLE_FILE_SUFFIX


def check_output_is_no_input(output: Path, inputs: Sequence[Path]) -> None:
    """Raise ConfigError if the output is an input, even with --overwrite: the photograph may be the only copy."""
    output, *inputs = [file.expanduser() for file in (output, *inputs)]
    for file in inputs:
        if output.exists() and file.exists() and os.path.samefile(output, file):
            raise ConfigError(f"{output} is one of the pictures to read; choose another name for the result")
