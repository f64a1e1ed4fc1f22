"""Which pairs of a job are computed by tiles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from jaxstyle.jobs.known_files import KnownFiles
from jaxstyle.jobs.tasks import Task
from jaxstyle.networks import Network
from jaxstyle.optimization import Shape, Workload, available_memory, with_tiles
from jaxstyle.options import Settings


def by_tiles(
    tasks: Sequence[Task], shapes: Mapping[int, Shape], networks: Callable[[Settings], Network], files: KnownFiles
) -> list[Task]:
    """The tasks, with tiles in the settings of those whose pictures do not fit the memory as a whole.

    Args:
        tasks: all pairs, with resolved settings.
        shapes: the shape of each content, by the index of its pair.
        networks: the network for settings.
        files: the shapes of the styles.
    """
    available = available_memory().bytes

    @cache
    def tile_size(settings: Settings, content: Shape, styles: frozenset[Shape]) -> int | None:
        workload = Workload(networks(settings), settings.config, content, tuple(styles), may_tile=True)
        return with_tiles(workload, available).config.tile_size

    def tiled(pair: int, task: Task) -> Task:
        settings = task.settings
        if pair not in shapes or tile_size(settings, (1, 1), frozenset({(1, 1)})) == settings.config.tile_size:
            return task  # squares, which take the most memory, fit as they are
        styles = frozenset(shape for style in task.styles if (shape := files[style].shape))
        return replace(task, settings=settings.by_tiles(tile_size(settings, shapes[pair], styles)))

    return [tiled(pair, task) for pair, task in enumerate(tasks)]
