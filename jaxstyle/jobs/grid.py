"""One pair with settings that vary along the rows and columns of a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath

import numpy as np

from jaxstyle.errors import ConfigError
from jaxstyle.images import add_caption, add_titles, fit_shape, resize
from jaxstyle.jobs.manifest import Task, check_styles, match_column, parse_cell
from jaxstyle.jobs.options import Options

_MAX_CELL = 320  # longest side of a picture on the sheet in pixels
_OPTIONS = tuple(field.name for field in fields(Options))
AXIS_EXAMPLE = "'init=content;noise'"


@dataclass(frozen=True)
class Axis:
    """An option and the texts of its values along one axis of the grid."""

    flag: str
    option: str
    values: tuple[str, ...]

    @property
    def titles(self) -> list[str]:
        """The titles of the rows or columns."""
        return [f"{self.option}\n{value or '(none)'}" for value in self.values]

    def vary(self, options: Options, value: str) -> Options:
        """The options with this value; ConfigError, naming the flag, if it is invalid."""
        return replace(options, **{self.option: parse_cell(f"{self.flag}, {self.option}", self.option, value, Path())})


def parse_axis(flag: str, text: str) -> Axis:
    """Parse `OPTION=VALUE;VALUE;...`; ConfigError, naming the flag, for another form or an unknown option."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(f"{flag} has {text!r}; expected OPTION=VALUE;VALUE;..., such as {AXIS_EXAMPLE}")
    option = match_column(f"{flag} has", name, _OPTIONS)
    return Axis(flag, option, tuple(value.strip() for value in values.split(";")))


def grid_tasks(
    content: Path, styles: tuple[Path, ...], options: Options, rows: Axis | None, columns: Axis
) -> list[Task]:
    """The pairs, row by row. The result of row 2 and column 3 is `2-3.png`.

    Raises:
        ConfigError: if both axes vary the same option, or for an invalid value.
    """
    if rows and rows.option == columns.option:
        raise ConfigError(f"--rows and --columns both vary {rows.option}; expected two options, or --columns alone")
    tasks = []
    row_options = [rows.vary(options, value) for value in rows.values] if rows else [options]
    for row, options_of_row in enumerate(row_options, 1):
        for column, value in enumerate(columns.values, 1):
            settings = columns.vary(options_of_row, value).settings()
            check_styles(styles, settings.config)
            tasks.append(Task(content, styles, settings, PurePath(f"{row}-{column}.png")))
    return tasks


def draw_grid(
    pictures: Mapping[int, np.ndarray], losses: Mapping[int, float], rows: Axis | None, columns: Axis
) -> np.ndarray:
    """Draw a sheet `[H, W, 3]` of results with titles and losses.

    Args:
        pictures: the result `[h, w, 3]` of each pair, by its index; a missing result leaves its cell empty.
        losses: the final loss of each pair, by its index.
        rows: the vertical axis; None for a single row.
        columns: the horizontal axis.
    """
    width = len(columns.values)
    cells = [
        add_caption(_thumbnail(pictures[pair]), f"loss {losses[pair]:.3g}") if pair in pictures else None
        for pair in range(width * (len(rows.values) if rows else 1))
    ]
    lines = [cells[first : first + width] for first in range(0, len(cells), width)]
    return add_titles(lines, rows.titles if rows else [], columns.titles)


def picture_distances(pictures: Sequence[np.ndarray]) -> list[list[float]]:
    """The root mean square difference of every two pictures, at the size of the first."""
    resized = [resize(picture, *pictures[0].shape[:2]) for picture in pictures]
    return [[float(np.sqrt(np.mean((one - other) ** 2))) for other in resized] for one in resized]


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return resize(picture, *fit_shape(height, width, min(_MAX_CELL, max(height, width))))
