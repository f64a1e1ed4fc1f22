"""Jobs of many pairs, from files to files: `run_job` runs one from Python, prints nothing, and reports events.

Modules:
    job: `Job`, `run_job`, `describe_job` and the summary of a job
    events: what a job reports while it runs
    failures: the pairs that failed, in words and as plain values
    folders: the pictures in a folder, or those that a pattern matches
    tasks: the pairs of a job
    manifest: pairs from a table
    cells: the values in its cells
    names: names for results
    known_files: digests and shapes of files, each read once
    results: which results exist, and that they replace nothing
    plan: which pairs are done, and groups for the others
    memory: how many groups fit at the same time
    run: the threads that read, compute and write
    leftovers: what killed processes leave behind
    inputs: files and networks, each read once
    cost: what results have cost, in time of devices and energy
    records: the file of records, keys and locks
    record_objects: the records in an object store
    tiling: which pairs are computed by tiles
    cluster: a job on a Ray cluster
    cluster_room: how many workers it has room for
    ray_connection: the connection to one
    worker: the process on a machine of a cluster
    shares: parts of a job for machines that do not talk to each other
    contact_sheet: one picture of a whole job
    grid: one pair with settings that vary along two axes
"""

from jaxstyle.images import as_path
from jaxstyle.jobs.cluster import run_job_on_ray
from jaxstyle.jobs.contact_sheet import draw_contact_sheet
from jaxstyle.jobs.cost import Cost
from jaxstyle.jobs.events import Event, Failed, Finished, Planned, Started, Step, Waiting, Written
from jaxstyle.jobs.failures import failure_cause, failure_message
from jaxstyle.jobs.folders import find_pictures
from jaxstyle.jobs.grid import AXIS_EXAMPLE, draw_grid, grid_tasks, parse_axis, picture_distances
from jaxstyle.jobs.job import Job, Summary, describe_job, run_job
from jaxstyle.jobs.manifest import read_manifest
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.records import STATE_FOLDER, has_job, read_records
from jaxstyle.jobs.results import check_output_folder
from jaxstyle.jobs.shares import WHOLE, Share, parse_share, share_from_variables
from jaxstyle.jobs.tasks import Task, pair_up
from jaxstyle.options import Options

__all__ = [
    "AXIS_EXAMPLE",
    "STATE_FOLDER",
    "WHOLE",
    "Cost",
    "Event",
    "Failed",
    "Finished",
    "Job",
    "Options",
    "Plan",
    "Planned",
    "Share",
    "Started",
    "Step",
    "Summary",
    "Task",
    "Waiting",
    "Written",
    "as_path",
    "check_output_folder",
    "describe_job",
    "draw_contact_sheet",
    "draw_grid",
    "failure_cause",
    "failure_message",
    "find_pictures",
    "grid_tasks",
    "has_job",
    "pair_up",
    "parse_axis",
    "parse_share",
    "picture_distances",
    "read_manifest",
    "read_records",
    "run_job",
    "run_job_on_ray",
    "share_from_variables",
]
