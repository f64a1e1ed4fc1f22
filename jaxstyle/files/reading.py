"""Read the inputs of a stylization: networks, pictures, saved styles and masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import (
    SRGB,
    Picture,
    check_same_proportions,
    is_same_file,
    read_image,
    read_picture,
    read_shape,
)
from jaxstyle.networks import ARCHITECTURES, Network
from jaxstyle.optimization import check_style
from jaxstyle.styles import (
    STYLE_FILE_SUFFIX,
    Masks,
    Style,
    check_mask_count,
    check_transparent,
    crop_to_visible,
    describe_invisible,
    masks_from_colors,
    read_style_file,
    resample_masks,
)
from jaxstyle.weights import DEFAULT_NETWORK, NAMES, RANDOM, load_network

_MASK_SIZE = 1024  # largest longest side of masks, whose edges may be soft in larger results
_GRAY_NOISE, _BLACK = 12.5 / 255, 2.5 / 255  # between the channels of a gray; levels that count as black
_MAX_CROPPED = 4  # times the size at which a mostly transparent style is read


def read_network(name: str | None, file: Path | None, pooling: str, precision: str = "auto") -> Network:
    """Load the network for `--network` or `--weights`; the default network if both are None."""
    check_network(name, file)
    network = load_network(file or name or DEFAULT_NETWORK, pooling=pooling, precision=precision)
    if pooling != "max" and not any("pool" in layer for layer in network.layers):
        raise ConfigError(f"--pooling is {pooling}, but {network.architecture} has no pooling; leave it out")
    return network


def check_network(name: str | None, file: Path | None) -> None:
    """Raise ConfigError for an unknown name of a network, or both a name and a file."""
    if name and file:
        raise ConfigError("--network and --weights exclude each other; give one of them")
    if name:
        check_network_name("--network", name, ", or --weights FILE")


def check_network_name(argument: str, name: str, others: str = "") -> None:
    """Raise ConfigError, naming the argument and what `others` it could have, for an unknown name of a network."""
    if name not in (*NAMES, *(RANDOM + architecture for architecture in ARCHITECTURES)):
        known = f"{', '.join(NAMES)}, {RANDOM}ARCHITECTURE"
        raise ConfigError(f"{argument} is {name!r}; expected one of {known}{others}")


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
    return read_picture(file, size=size).over("white" if background is None else background)


def read_visible(file: Path, size: int, background: str | None, profile: str | bytes = SRGB) -> np.ndarray:
    """Read a picture with the longest side `size`: `[H, W, 4]` if it is transparent and has no background."""
    return as_array(read_content(file, size, background, profile))


def read_content(file: Path, size: int, background: str | None, profile: str | bytes = SRGB) -> Picture:
    """Read a picture with the longest side `size`, placed on a background color if there is one.

    Colors are converted to the profile as by `read_picture`.

    Raises:
        PictureError: as `read_picture`, and if no pixel is visible.
    """
    picture = read_picture(file, size=size, profile=profile)
    if background is not None:
        return Picture(picture.over(background), profile=picture.profile)
    if picture.alpha is not None and (found := describe_invisible(picture.alpha)):
        raise PictureError(f"{file}: {found}, or a --background")
    return picture


def as_array(picture: Picture) -> np.ndarray:
    """The picture as an array `[H, W, 3]`, or `[H, W, 4]` if it is transparent."""
    return picture.rgb if picture.alpha is None else np.dstack([picture.rgb, picture.alpha])


def read_initial_picture(
    file: Path, size: int, background: str | None, content: Path | tuple[int, int], profile: str | bytes = SRGB
) -> np.ndarray:
    """Read the picture to start from, `[H, W, 3]`; without a background, hidden colors continue the visible ones.

    Colors are converted to the profile, that of the content.

    Raises:
        PictureError: if it has other proportions than the content, a file or a shape.
    """
    shape, name = (content, "the result") if isinstance(content, tuple) else (read_shape(content), str(content))
    check_same_proportions(str(file), read_shape(file), name, shape)
    return check_transparent(read_visible(file, size, background, profile))[..., :3]


def read_strength_mask(file: Path, size: int, content: Path) -> np.ndarray:
    """Read a gray picture as the mask `[h, w]` of where to paint a content with the longest side `size`.

    Hidden pixels count as black, and so do levels up to 2, of JPEG's noise.

    Raises:
        PictureError: if it has other proportions than the content, colors, or is black everywhere.
    """
    check_same_proportions(str(file), read_shape(file), str(content), read_shape(content))
    picture = read_picture(file).over("black")
    if (found := np.ptp(picture, axis=-1)).max() > _GRAY_NOISE:
        row, column = np.unravel_index(found.argmax(), found.shape)
        color = "#" + bytes(np.rint(255 * picture[row, column]).astype(np.uint8)).hex()
        raise PictureError(f"{file}: has colors, such as {color}; expected a gray picture as the strength mask")
    levels = picture.mean(-1)
    mask = np.where(levels <= _BLACK, 0, levels)
    if not mask.any():
        raise PictureError(f"{file}: is black everywhere, where the content stays; expected gray or white to paint")
    return resample_masks(mask[None], *read_shape(content, size=size))[0]


def read_styles(
    files: Sequence[Path],
    network: Network,
    config: StyleConfig,
    background: str | None,
    *,
    crop: bool = True,
    profile: str | bytes = SRGB,
) -> tuple[list[np.ndarray | Style], list[dict[str, Any]]]:
    """Read style pictures and saved styles, in order, and the records of the saved ones.

    Transparent pictures are `[H, W, 4]`, and without their transparent borders unless `crop` is False. Colors are
    converted to the profile, that of the content.

    Raises:
        JaxStyleError: if a file cannot be read; or if a style was saved with another network, at other sizes, without a
            layer that is needed, or in another profile (ConfigError, beginning with the file).
    """
    styles: list[np.ndarray | Style] = []
    records: list[dict[str, Any]] = []
    for file, style_config in zip(files, config.of_each_style(len(files)), strict=True):
        if not is_saved_style(file):
            size = max(style_shape(file, style_config))
            styles.append((_read_cropped if crop else read_visible)(file, size, background, profile))
            continue
        if profile != SRGB:
            found = f"{file}: is a saved style, which was measured in sRGB, and the content is in another profile"
            raise ConfigError(f"{found}; use the style picture itself, or --profile {SRGB}")
        saved = read_style_file(file)
        try:
            styles.append(check_style(saved.style, network, style_config))
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        records.append(saved.about | {"name": file.name, "sizes": list(saved.style.sizes)})
    return styles, records


def style_shape(file: Path, config: StyleConfig) -> tuple[int, int]:
    """The shape of a style picture at full size, for its settings from `of_each_style`.

    Raises:
        PictureError: as `read_shape`, or for a `style_scale` that is wrong.
    """
    (scale,) = config.style_scales
    longest = config.size * scale
    try:
        return read_shape(file, size=max(1, round(min(longest, 1e9))))
    except PictureError:
        if scale == 1:
            raise
        read_shape(file)  # raises if not the size is at fault
        raise PictureError(
            f"{file}: would be read with a longest side of {longest:.4g} pixels, by --style-scale "
            f"{scale:g} at --size {config.size}; choose a --style-scale closer to 1"
        ) from None


def _read_cropped(file: Path, size: int, background: str | None, profile: str | bytes) -> np.ndarray:
    """`read_visible` without transparent borders; what remains has the longest side `size`, if it is not very small."""
    picture = read_visible(file, size, background, profile)
    if picture.shape[-1] == 3:
        return picture
    share = max(crop_to_visible(picture).shape) / max(picture.shape)
    return crop_to_visible(read_visible(file, round(size * min(1 / share, _MAX_CROPPED)), None, profile))


def read_masks(
    content_mask: Path | None, style_masks: Sequence[Path], content: Path, styles: Sequence[Path]
) -> Masks | None:
    """Read masks from pictures of flat colors; None without any.

    Raises:
        ConfigError: if masks are missing, or as `masks_from_colors`.
        PictureError: if one cannot be read, or has other proportions than its picture.
    """
    if content_mask is None and not style_masks:
        return None
    if content_mask is None or not style_masks:
        names = ("--style-mask", "--content-mask")
        given, missing = names if content_mask is None else names[::-1]
        raise ConfigError(f"there is {given} without {missing}; give both")
    check_mask_count(style_masks, len(styles))
    masks = [content_mask, *style_masks]
    for mask, picture in zip(masks, [content, *styles], strict=True):
        if not is_saved_style(picture):
            check_same_proportions(str(mask), read_shape(mask), str(picture), read_shape(picture))
    content_colors, *style_colors = map(_read_mask, masks)
    return masks_from_colors(content_colors, style_colors, list(map(str, masks)))


def _read_mask(file: Path) -> np.ndarray:
    longest = max(read_shape(file))
    return read_image(file, size=_MASK_SIZE if longest > _MASK_SIZE else None)


def is_saved_style(file: Path) -> bool:
    """Whether a style file is a saved style and no picture, by its suffix."""
    return file.suffix.lower() == STYLE_FILE_SUFFIX


def check_output_is_no_input(output: Path, inputs: Sequence[Path]) -> None:
    """Raise ConfigError if the output is an input, even with --overwrite: the photograph may be the only copy."""
    for file in inputs:
        if is_same_file(output, file):
            raise ConfigError(f"{output} is one of the pictures to read; choose another name for the result")
