"""What a worker takes of a Ray cluster, and how many workers it has room for.

A worker runs on one node, so what counts is what each node has, not the cluster's total.
"""

from collections.abc import Iterable, Mapping
from typing import Any


def worker_resources(nodes: Iterable[Mapping[str, Any]], cores: int) -> dict[str, int]:
    """The options of an actor: a GPU, or `cores` CPU cores, or those of the largest node if none has as many.

    Args:
        nodes: as from `ray.nodes()`.
        cores: CPU cores of a worker, if no node has a GPU.
    """
    resources = _living(nodes)
    if any(_count(node, "GPU") for node in resources):
        return {"num_gpus": 1}
    largest = max((_count(node, "CPU") for node in resources), default=0)
    return {"num_cpus": max(1, min(cores, largest))}  # without any node with cores, what an autoscaler surely can add


def worker_room(nodes: Iterable[Mapping[str, Any]], cores: int) -> int:
    """How many workers of `worker_resources` all nodes have room for together, at least one."""
    resources = _living(nodes)
    if gpus := sum(_count(node, "GPU") for node in resources):
        return gpus
    needed = worker_resources(nodes, cores)["num_cpus"]
    return max(1, sum(_count(node, "CPU") // needed for node in resources))


def _living(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, float]]:
    return [node["Resources"] for node in nodes if node["Alive"]]


def _count(resources: Mapping[str, float], name: str) -> int:
    return int(resources.get(name, 0))
