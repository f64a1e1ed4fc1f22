"""What `jaxstyle batch --dry-run` prints: the state of a job, and what the rest of it takes."""

from typing import Any

from jaxstyle.cli.job import format_cost
from jaxstyle.cli.progress import format_duration
from jaxstyle.environment import device_name
from jaxstyle.errors import counted, escape_unprintable
from jaxstyle.jobs import Cost, Task, failure_cause, failure_message

_MAX_PAIRS = 20  # to list


def format_description(description: dict[str, Any], tasks: list[Task]) -> str:
    """Format the description of a job as lines of text."""
    is_shared = len(description["shares"]) > 1
    share = f"share {description['share']} of the job: " if is_shared else ""
    lines = [
        f"{share}{counted(description['pairs'], 'pair')}: {description['done']} done, "
        f"{len(description['failed'])} failed, {len(description['todo'])} to do",
        *_format_failures(description["failed"], tasks),
    ]
    lines += _format_pairs(description["todo"], tasks)
    if description["replaced"]:
        lines.append(f"{counted(description['replaced'], 'result')} of other files or settings will be replaced")
    if description["todo"]:
        at_once = f"{counted(description['at_once'], 'program')} at a time"
        lines.append(f"on {device_name(description['device'])}, {at_once}:")
    if memory := description["memory"]:
        lines.append(f"about {memory['needed'] / 2**30:.1f} of {memory['available'] / 2**30:.1f} GiB of memory")
    for group in description["groups"]:
        shapes = ", ".join(f"{width} x {height}" for height, width in group["shapes"])
        batches = f", {group['together']} in a program" if group["together"] > 1 else ", 1 in a program"
        memory = f"{group['bytes'] / 2**30:.1f} GiB each time"
        lines.append(f"  {counted(group['pairs'], 'pair')} at {shapes} pixels{batches}, {memory}")
    if description["todo"]:
        seconds = description["seconds"]
        duration = "unknown until a pair has been computed here" if seconds is None else format_duration(seconds)
        lines.append(f"time, without compilation: {duration}")
    if (spent := Cost(**description["spent"])).pairs:
        lines.append(f"spent on {counted(spent.pairs, 'result')} so far: {format_cost(spent)}")
    if is_shared:
        lines += ["all shares of the job:", *map(_format_share, description["shares"])]
    return "\n".join(map(escape_unprintable, lines))


def _format_pairs(todo: list[str], tasks: list[Task]) -> list[str]:
    """A line for each of the first pairs to compute."""
    task_of = {str(task.output): task for task in tasks}
    lines = [
        f"  {task_of[output].content} with {', '.join(map(str, task_of[output].styles))}: {output}"
        for output in todo[:_MAX_PAIRS]
    ]
    return [*lines, *([f"  and {len(todo) - _MAX_PAIRS} more"] if len(todo) > _MAX_PAIRS else [])]


def _format_failures(failures: list[dict[str, str]], tasks: list[Task]) -> list[str]:
    """A line for each cause, with the first pair that failed by it, and their number."""
    task_of = {str(task.output): task for task in tasks}
    lines: dict[str, list[str]] = {}
    for failure in failures:
        task, error = task_of[failure["output"]], failure["error"]
        lines.setdefault(failure_cause(task, error), []).append(f"  failed: {failure_message(task, error)}")
    return [same[0] + (f" ({len(same)} pairs)" if len(same) > 1 else "") for same in lines.values()]


def _format_share(share: dict[str, Any]) -> str:
    counts = (
        f"{share['done']} of {counted(share['pairs'], 'pair')} done, {share['failed']} failed, {share['todo']} to do"
    )
    return f"  share {share['share']}: {counts}{', running' if share['running'] else ''}"
