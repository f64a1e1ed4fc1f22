"""Jobs of many pairs, from files to files: `run_job` runs one from Python, prints nothing, and reports events.

Modules:
    job: `Job`, `run_job`, `describe_job` and the summary of a job
    events: what a job reports while it runs
    failures: the pairs that failed, in words and as plain values
    options: the options of a stylization, as the command and manifests have them
    network_options: those of the network
    file_options: those of the files of results
    settings: the parsed options
    described: what the help says of an option
    paper: the size in pixels from that of the paper
    parsing: values of options
    folders: the pictures in a folder, or those that a pattern matches
    manifest: the pairs of a job, from pictures or a manifest
    names: names for results
    known_files: digests and shapes of files, each read once
    results: which results exist, and that they replace nothing
    plan: which pairs are done, and groups for the others
    memory: the largest size that fits, and the check before a run
    run: the threads that read, compute and write
    inputs: files and networks, each read once
    reading: networks, pictures, styles and masks from files
    size_warnings: warnings of sizes that do not fit
    output: results and what their records hold
    cost: what results have cost, in time of devices and energy
    records: the file of records, keys and locks
    record_objects: the records in an object store
    checkpoints: interrupted optimizations
    tiling: which pairs are computed by tiles
    prediction: the time that a stylization will take
    unfinished: the checkpoint of a single picture, beside it
    cluster: a job on a Ray cluster
    ray_connection: the connection to one
    worker: the process on a machine of a cluster
    shares: parts of a job for machines that do not talk to each other
    environment: device and versions
    contact_sheet: one picture of a whole job
    grid: one pair with settings that vary along two axes
"""

from jaxstyle.images import as_path
from jaxstyle.jobs.cluster import run_job_on_ray
from jaxstyle.jobs.contact_sheet import draw_contact_sheet
from jaxstyle.jobs.cost import Cost
from jaxstyle.jobs.environment import device, device_name, versions
from jaxstyle.jobs.events import Event, Failed, Finished, Planned, Started, Step, Written
from jaxstyle.jobs.failures import failure_cause, failure_message
from jaxstyle.jobs.file_options import FILE
from jaxstyle.jobs.folders import find_pictures
from jaxstyle.jobs.grid import AXIS_EXAMPLE, draw_grid, grid_tasks, parse_axis, picture_distances
from jaxstyle.jobs.job import Job, Summary, describe_job, run_job
from jaxstyle.jobs.manifest import Task, check_styles, match_column, pair_up, parse_cell, read_manifest
from jaxstyle.jobs.memory import picture_shapes, resolve_size
from jaxstyle.jobs.options import STYLE, Options
from jaxstyle.jobs.output import ResultWriter, first_and_last_losses, losses_by_step, result_record
from jaxstyle.jobs.paper import check_print_memory, check_print_shape, fit_paper, for_print, parse_paper
from jaxstyle.jobs.parsing import MAX_SIZE, check_size, parse_layers, parse_numbers, parse_scales, parse_size
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.prediction import predict_seconds
from jaxstyle.jobs.reading import (
    as_array,
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
from jaxstyle.jobs.records import STATE_FOLDER, has_job, read_records
from jaxstyle.jobs.results import check_output_folder
from jaxstyle.jobs.settings import Settings
from jaxstyle.jobs.shares import WHOLE, Share, parse_share, share_from_variables
from jaxstyle.jobs.size_warnings import content_warnings, level_warnings, style_warnings
from jaxstyle.jobs.unfinished import Unfinished, run_identity

__all__ = [
    "AXIS_EXAMPLE",
    "FILE",
    "MAX_SIZE",
    "STATE_FOLDER",
    "STYLE",
    "WHOLE",
    "Cost",
    "Event",
    "Failed",
    "Finished",
    "Job",
    "Options",
    "Plan",
    "Planned",
    "ResultWriter",
    "Settings",
    "Share",
    "Started",
    "Step",
    "Summary",
    "Task",
    "Unfinished",
    "Written",
    "as_array",
    "as_path",
    "check_network_name",
    "check_output_folder",
    "check_output_is_no_input",
    "check_print_memory",
    "check_print_shape",
    "check_size",
    "check_styles",
    "content_warnings",
    "describe_job",
    "device",
    "device_name",
    "draw_contact_sheet",
    "draw_grid",
    "failure_cause",
    "failure_message",
    "find_pictures",
    "first_and_last_losses",
    "fit_paper",
    "for_print",
    "grid_tasks",
    "has_job",
    "is_saved_style",
    "level_warnings",
    "losses_by_step",
    "match_column",
    "network_record",
    "pair_up",
    "parse_axis",
    "parse_cell",
    "parse_layers",
    "parse_numbers",
    "parse_paper",
    "parse_scales",
    "parse_share",
    "parse_size",
    "picture_distances",
    "picture_shapes",
    "predict_seconds",
    "read_content",
    "read_initial_picture",
    "read_manifest",
    "read_masks",
    "read_network",
    "read_on_background",
    "read_records",
    "read_strength_mask",
    "read_styles",
    "resolve_size",
    "result_record",
    "run_identity",
    "run_job",
    "run_job_on_ray",
    "share_from_variables",
    "style_warnings",
    "versions",
]
