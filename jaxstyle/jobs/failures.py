"""The pairs of a job that failed, in words and as plain values."""

from collections.abc import Mapping

from jaxstyle.jobs.plan import Plan
from jaxstyle.jobs.tasks import Task


def failure_message(task: Task, error: str) -> str:
    """The error of a pair, beginning with the result that is missing."""
    return f"{task.output}: {error}"


def failure_cause(task: Task, error: str) -> str:
    """What all pairs have in common that fail by the same file; `failure_message` if no file is to blame."""
    is_by_file = any(error.startswith(f"{file}:") for file in task.files)
    return error if is_by_file else failure_message(task, error)


def describe_failures(plan: Plan, errors: Mapping[int, str]) -> list[dict[str, str]]:
    """The result and the error of each pair of this share that failed."""
    return [
        {"output": str(plan.tasks[pair].output), "error": errors[pair]} for pair in sorted(plan.pairs & errors.keys())
    ]
