"""A stylization from files to files: inputs are read, sizes chosen, and results written with a record of their making.

Modules:
    reading: networks, pictures, styles and masks from files
    sizes: the largest size that fits, and the shapes of styles
    size_warnings: warnings of sizes that do not fit
    output: results and what their records hold
    checkpoints: interrupted optimizations
    unfinished: the checkpoint of a single picture, beside it
"""

from jaxstyle.files.checkpoints import GroupCheckpoints, open_checkpoints
from jaxstyle.files.output import ResultWriter, first_and_last_losses, losses_by_step, result_record
from jaxstyle.files.reading import (
    as_array,
    check_network,
    check_network_name,
    check_output_is_no_input,
    is_saved_style,
    network_record,
    read_content,
    read_initial_picture,
    read_masks,
    read_network,
    read_on_background,
    read_strength_mask,
    read_styles,
)
from jaxstyle.files.size_warnings import content_warnings, level_warnings, style_warnings
from jaxstyle.files.sizes import picture_shapes, resolve_size
from jaxstyle.files.unfinished import Unfinished, run_identity

__all__ = [
    "GroupCheckpoints",
    "ResultWriter",
    "Unfinished",
    "as_array",
    "check_network",
    "check_network_name",
    "check_output_is_no_input",
    "content_warnings",
    "first_and_last_losses",
    "is_saved_style",
    "level_warnings",
    "losses_by_step",
    "network_record",
    "open_checkpoints",
    "picture_shapes",
    "read_content",
    "read_initial_picture",
    "read_masks",
    "read_network",
    "read_on_background",
    "read_strength_mask",
    "read_styles",
    "resolve_size",
    "result_record",
    "run_identity",
    "style_warnings",
]
