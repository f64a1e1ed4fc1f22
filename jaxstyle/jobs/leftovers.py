"""What killed processes leave behind: checkpoints to go on from, by their names, and files to delete."""

import hashlib
import json
import re
import shutil
from functools import cache
from pathlib import Path

import jax

from jaxstyle.batch import Group
from jaxstyle.environment import versions
from jaxstyle.files import open_checkpoints
from jaxstyle.images import RemotePath
from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.records import STATE_FOLDER

CHECKPOINTS = Path(STATE_FOLDER, "checkpoints")


def delete_leftovers(plan: Plan, folder: Path) -> None:
    """Delete what killed processes with this share, or of another split of the job, have left behind."""
    running = re.compile(rf"(?!{plan.share.name}-)[0-9]+-of-{plan.share.count}-.*")  # perhaps
    names = cache(lambda: {checkpoint_name(plan, group) for group in plan.groups_to_do})  # rarely needed
    open_checkpoints(folder / CHECKPOINTS).drop_all(lambda name: not running.fullmatch(name) and name not in names())
    for path in () if isinstance(folder, RemotePath) else (folder / STATE_FOLDER).glob("writing-*"):
        if not running.fullmatch(path.name.removeprefix("writing-")):
            shutil.rmtree(path, ignore_errors=True)


def checkpoint_name(plan: Plan, group: Group) -> str:
    """A digest of everything that the state of a group depends on, versions and device included."""
    device = jax.local_devices()[0]
    identity = [
        [plan.keys[pair] for pair in group.pairs],
        group.batch_size,
        [str(padded_shape) for padded_shape in group.padded_shapes],
        versions(),
        [device.platform, device.device_kind],
    ]
    return f"{plan.share.name}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]}"
