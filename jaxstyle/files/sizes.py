"""The sizes of a stylization from files: the largest that fits the memory, and those of its style pictures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from jaxstyle.config import DEFAULTS, StyleConfig
from jaxstyle.environment import device
from jaxstyle.files.reading import is_saved_style, read_network, style_shape
from jaxstyle.images import largest_side, read_shape
from jaxstyle.optimization import Shape, Workload, check_memory, largest_size, measure_need
from jaxstyle.options import MAX_SIZE, Options, Settings


def resolve_size(
    options: Options,
    content: Path | Shape,
    styles: Sequence[Path],
    *,
    regions: int = 1,
    settings_of: Callable[[Options], Iterable[Settings]] = lambda options: [options.settings()],
) -> Options:
    """The options with a number as `size`: for "max" the largest size that fits the memory and the limits of pictures.

    Args:
        options: the options of one or more runs with the same content and styles.
        content: the file or the shape of the content.
        styles: style pictures and saved styles.
        regions: the number of regions in masks.
        settings_of: the settings of all runs, for options whose size is a number.

    Raises:
        MemoryLimitError: if no size fits.
        JaxStyleError: if the options are wrong, or a picture or the network cannot be read.
    """
    if options.size != MAX_SIZE:
        return options
    device()  # raises if there is none
    shape = content if isinstance(content, tuple) else read_shape(content)
    shapes = {style: read_shape(style) for style in styles if not is_saved_style(style)}
    sizes = []
    for settings in settings_of(replace(options, size=DEFAULTS.size)):
        network = read_network(*settings.network_key)
        config = replace(settings.resolve(network).config, regions=max(regions, settings.config.regions))
        workload = Workload(network, config, shape, tuple(shapes.values()), may_tile=True)
        sizes += [largest_size(workload), largest_side(*shape)]
        sizes += [int(largest_side(*style) / max(config.style_scales)) for style in shapes.values()]
        if not min(sizes):
            check_memory(measure_need([replace(workload, config=replace(config, size=1))]))
    return replace(options, size=min(sizes))


def picture_shapes(files: Sequence[Path], config: StyleConfig) -> tuple[Shape, ...]:
    """The shapes of style pictures at full size, without those of saved styles; PictureError as `read_shape`."""
    styles = zip(files, config.of_each_style(len(files)), strict=True)
    return tuple(style_shape(file, style_config) for file, style_config in styles if not is_saved_style(file))
