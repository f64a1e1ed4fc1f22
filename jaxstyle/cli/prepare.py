"""Prepare the run of `jaxstyle stylize` or `jaxstyle texture`: check everything, then read the network and pictures."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from jaxstyle.cli.messages import print_warnings
from jaxstyle.cli.monitor import Run
from jaxstyle.environment import device
from jaxstyle.files import (
    ResultWriter,
    as_array,
    check_output_is_no_input,
    content_warnings,
    level_warnings,
    picture_shapes,
    read_content,
    read_initial_picture,
    read_network,
    read_strength_mask,
    read_styles,
    result_record,
    style_warnings,
)
from jaxstyle.images import SRGB, Picture, read_printer_profile, read_shape
from jaxstyle.optimization import Pair, Shape, Workload, check_memory, measure_need, memory_error
from jaxstyle.options import Paper, Settings, check_print_memory, print_memory_error
from jaxstyle.styles import Masks
from jaxstyle.texture import texture_content


def prepare_run(
    settings: Settings,
    content: Path | Shape,
    styles: Sequence[Path],
    output: Path,
    *,
    masks: Masks | None = None,
    mask_files: Sequence[Path] = (),
    paper: Paper | None,
    proof: Path | None,
    overwrite: bool,
    save_every: int | None,
) -> Run:
    """The run of a stylization with everything that it reads, after warnings of sizes that do not fit.

    The content is a file, or for a texture, with settings from `texture_config`, its shape. If there is a
    `paper`, the size is that of it at the resolution of the settings. The others are attributes of the run.

    Raises:
        JaxStyleError: if something cannot be read or does not fit the rest, or if there is not enough memory.
    """
    file = content if isinstance(content, Path) else None
    inputs = (file, *styles, *settings.files, *mask_files, proof)
    check_output_is_no_input(output, [path for path in inputs if path])
    printer = read_printer_profile(proof) if proof else None
    device_record = device()
    network = read_network(*settings.network_key)
    settings = settings.resolve(network)
    size, background = settings.config.size, settings.background
    shape = read_shape(content, size=size) if isinstance(content, Path) else content
    config = replace(settings.config, regions=max(len(masks.content) if masks else 1, settings.config.regions))
    need = measure_need([Workload(network, config, shape, picture_shapes(styles, settings.config), may_tile=True)])
    dpi = settings.file.dpi
    memory = check_print_memory(need, paper, dpi) if paper and dpi else check_memory(need)
    settings = settings.by_tiles(memory.workload.config.tile_size)
    picture = read_content(file, size, background, settings.file.profile) if file else Picture(texture_content(*shape))
    profile = picture.profile or SRGB
    style_inputs, saved = read_styles(styles, network, settings.config, background, crop=masks is None, profile=profile)
    initial, strength = settings.initial_picture, settings.strength_mask
    initial_picture = read_initial_picture(initial, size, background, content, profile) if initial else None
    strength_mask = read_strength_mask(strength, size, file) if strength and file else None
    print_warnings(*(masks.warnings if masks else ()), *style_warnings([(tuple(styles), settings.config)]))
    enlarged = content_warnings([(file, read_shape(file), size)]) if file else []
    print_warnings(*enlarged, *level_warnings([settings.config], shape))
    record = result_record(file, styles, settings, network, saved_styles=saved, device=device_record)
    if mask_files:
        record["masks"] = [mask.name for mask in mask_files]
    return Run(
        pair=Pair(
            as_array(picture), tuple(style_inputs), settings.config, settings.seed, initial_picture, strength_mask
        ),
        network=network,
        writer=ResultWriter(picture, record, settings.file, overwrite=overwrite),
        output=output,
        memory=memory,
        masks=masks,
        printer=printer,
        save_every=save_every,
        memory_error=partial(print_memory_error, paper=paper, dpi=dpi) if paper and dpi else memory_error,
    )
