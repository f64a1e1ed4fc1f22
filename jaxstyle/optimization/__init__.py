"""The optimization of a picture: targets, losses, initial picture, sizes and solver.

Modules:
    checks: checks of pictures and measured styles
    masks: the masks of a content and its styles
    targets: the content and style targets at each size
    losses: content loss, style loss and total variation
    objective: the weighted sum of losses that is minimized
    windows: overlapping windows that cover a picture, and the tiles in them
    tile_sums: the sums of a tile
    tile_values: values at all positions, put together from those of tiles
    bands: a picture on several devices
    tiles: the loss, its gradient and its targets by tiles
    measuring: the content and style of a picture, as a whole or by tiles
    initial: initial pictures
    colors: matching colors, and keeping those of the content
    strength: how much of the style a result takes
    pyramid: the sizes of a run, coarse to fine
    pair: a content and its styles, checked, and their initial picture
    prepared: the convolutions for pictures of a size
    lbfgs: the directions of steps, from pairs of differences
    solver: the steps of the optimizer, in compiled calls
    progress: all steps at one size, with a callback
    array_bytes: the memory of arrays
    picture_memory: the memory of a step for each picture
    memory: the memory that a run needs, compared with what there is
    available: the memory that there is
    failures: errors of JAX that mean that memory is missing
"""

from jaxstyle.optimization import solver
from jaxstyle.optimization.array_bytes import statistics_bytes
from jaxstyle.optimization.available import AvailableMemory, available_memory, device_memory
from jaxstyle.optimization.bands import Bands, first_rows
from jaxstyle.optimization.checks import (
    as_style_list,
    check_style,
    check_styles,
    check_without_content,
)
from jaxstyle.optimization.colors import match_colors, pictures_to_optimize, with_kept_chroma
from jaxstyle.optimization.failures import is_out_of_memory, memory_message
from jaxstyle.optimization.initial import make_initial_picture, pink_noise, weighted_mean
from jaxstyle.optimization.losses import content_loss, content_targets, style_loss, total_variation
from jaxstyle.optimization.masks import make_masks
from jaxstyle.optimization.measuring import content_of_picture, statistics_of_picture
from jaxstyle.optimization.memory import (
    MemoryNeed,
    Shape,
    Workload,
    check_memory,
    largest_size,
    max_batch_size,
    measure_need,
    memory_error,
    memory_settings,
    network_bytes,
    predict_bytes,
    predict_peak_bytes,
    size_to_retry,
    with_tiles,
)
from jaxstyle.optimization.objective import Objective, Terms, make_objective
from jaxstyle.optimization.pair import (
    Pair,
    check_pair,
    pair_by_tiles,
    pair_initial_picture,
    pair_picture,
    pair_workload,
)
from jaxstyle.optimization.prepared import network_at, prepare_for_one, prepare_network
from jaxstyle.optimization.progress import (
    Progress,
    divergence_error,
    has_diverged,
    optimize_level,
    start_level,
)
from jaxstyle.optimization.pyramid import blend_scale, enlarge, resize_padded, schedule, style_sizes
from jaxstyle.optimization.solver import STEPS_PER_CALL, State, descend
from jaxstyle.optimization.strength import targets_of_strength
from jaxstyle.optimization.targets import Targets, make_targets, pad_picture, style_statistics
from jaxstyle.optimization.tile_sums import tiled_work
from jaxstyle.optimization.tiles import split_over_devices

__all__ = [
    "STEPS_PER_CALL",
    "AvailableMemory",
    "Bands",
    "MemoryNeed",
    "Objective",
    "Pair",
    "Progress",
    "Shape",
    "State",
    "Targets",
    "Terms",
    "Workload",
    "as_style_list",
    "available_memory",
    "blend_scale",
    "check_memory",
    "check_pair",
    "check_style",
    "check_styles",
    "check_without_content",
    "content_loss",
    "content_of_picture",
    "content_targets",
    "descend",
    "device_memory",
    "divergence_error",
    "enlarge",
    "first_rows",
    "has_diverged",
    "is_out_of_memory",
    "largest_size",
    "make_initial_picture",
    "make_masks",
    "make_objective",
    "make_targets",
    "match_colors",
    "max_batch_size",
    "measure_need",
    "memory_error",
    "memory_message",
    "memory_settings",
    "network_at",
    "network_bytes",
    "optimize_level",
    "pad_picture",
    "pair_by_tiles",
    "pair_initial_picture",
    "pair_picture",
    "pair_workload",
    "pictures_to_optimize",
    "pink_noise",
    "predict_bytes",
    "predict_peak_bytes",
    "prepare_for_one",
    "prepare_network",
    "resize_padded",
    "schedule",
    "size_to_retry",
    "solver",
    "split_over_devices",
    "start_level",
    "statistics_bytes",
    "statistics_of_picture",
    "style_loss",
    "style_sizes",
    "style_statistics",
    "targets_of_strength",
    "tiled_work",
    "total_variation",
    "weighted_mean",
    "with_kept_chroma",
    "with_tiles",
]
