"""Many pairs in one program.

Modules:
    stylize: `stylize_batch`, the public function, and how many pairs are computed at a time
    group: the optimization of the pairs of one group, coarse to fine
    buckets: which pairs share a compiled program
    measurements: the targets of one pair, from measurements that pairs share
    turns: which groups compute at the same time, and which take turns
    vmapped: the solver for a batch, vmapped and sharded over devices
    benchmark: the speed of a step, and the arithmetic that it takes
    prediction: the time that a stylization will take
"""

from jaxstyle.batch.benchmark import count_operations, matrix_product_rate, time_steps
from jaxstyle.batch.buckets import (
    MAX_PROGRAMS,
    Group,
    PaddedShape,
    PairKind,
    Shape,
    count_programs,
    group_kinds,
    plan_groups,
    plan_kinds,
)
from jaxstyle.batch.group import stylize_group
from jaxstyle.batch.measurements import CACHE_BYTES, MeasurementCache
from jaxstyle.batch.prediction import predict_seconds
from jaxstyle.batch.stylize import concurrent_groups, default_batch_size, stylize_batch
from jaxstyle.batch.turns import Turn, computing_lock, takes_turns
from jaxstyle.batch.vmapped import BatchSolver

__all__ = [
    "CACHE_BYTES",
    "MAX_PROGRAMS",
    "BatchSolver",
    "Group",
    "MeasurementCache",
    "PaddedShape",
    "PairKind",
    "Shape",
    "Turn",
    "computing_lock",
    "concurrent_groups",
    "count_operations",
    "count_programs",
    "default_batch_size",
    "group_kinds",
    "matrix_product_rate",
    "plan_groups",
    "plan_kinds",
    "predict_seconds",
    "stylize_batch",
    "stylize_group",
    "takes_turns",
    "time_steps",
]
