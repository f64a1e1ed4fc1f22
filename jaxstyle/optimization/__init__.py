"""The optimization of a picture: targets, objective, initial picture, sizes, solver.

Modules:
    targets: checked inputs, and what a picture is optimized towards at each size
    objective: the loss and its terms
    initial: initial pictures
    pyramid: the sizes, coarse to fine
    solver: steps in compiled calls
    progress: the steps at one size, with a callback
    memory: predicted and available memory
"""

from jaxstyle.optimization.initial import make_initial_picture, match_colors, pink_noise, weighted_mean
from jaxstyle.optimization.memory import device_memory, max_batch_size, predict_bytes
from jaxstyle.optimization.objective import (
    Objective,
    Terms,
    content_loss,
    content_targets,
    make_objective,
    style_loss,
    total_variation,
)
from jaxstyle.optimization.progress import Progress, divergence_error, has_diverged, optimize_level, start_level
from jaxstyle.optimization.pyramid import enlarge, schedule, style_sizes
from jaxstyle.optimization.solver import STEPS_PER_CALL, State, descend
from jaxstyle.optimization.targets import (
    Targets,
    as_style_list,
    check_content,
    check_no_regions,
    check_style,
    make_masks,
    make_targets,
    pad_picture,
    style_statistics,
)

__all__ = [
    "STEPS_PER_CALL",
    "Objective",
    "Progress",
    "State",
    "Targets",
    "Terms",
    "as_style_list",
    "check_content",
    "check_no_regions",
    "check_style",
    "content_loss",
    "content_targets",
    "descend",
    "device_memory",
    "divergence_error",
    "enlarge",
    "has_diverged",
    "make_initial_picture",
    "make_masks",
    "make_objective",
    "make_targets",
    "match_colors",
    "max_batch_size",
    "optimize_level",
    "pad_picture",
    "pink_noise",
    "predict_bytes",
    "schedule",
    "start_level",
    "style_loss",
    "style_sizes",
    "style_statistics",
    "total_variation",
    "weighted_mean",
]
