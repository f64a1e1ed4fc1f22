"""One pair with settings that vary along the rows and columns of a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePath

import numpy as np

from jaxstyle.errors import ConfigError
from jaxstyle.images import add_caption, add_titles, fit_shape, resize
from jaxstyle.jobs.cells import match_column, parse_cell
from jaxstyle.jobs.tasks import Task, check_styles
from jaxstyle.options import Options

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


def parse_axis(flag: str, text: str, options: Options = Options()) -> Axis:  # noqa: B008 - frozen
    """Parse `OPTION=VALUE;VALUE;...`.

    Raises:
        ConfigError: naming the flag, for another form, an unknown option, or one that has a value in `options` too.
    """
    name, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(f"{flag} has {text!r}; expected OPTION=VALUE;VALUE;..., such as {AXIS_EXAMPLE}")
    option = match_column(f"{flag} has", name, _OPTIONS)
    if (value := getattr(options, option)) != getattr(Options(), option):
        dashed = f"--{option.replace('_', '-')}"
        raise ConfigError(f"there is {dashed} {value} too, and {flag} varies it; give one of them")
    return Axis(flag, option, tuple(value.strip() for value in values.split(";")))


def grid_tasks(
    content: Path, styles: tuple[Path, ...], options: Options, rows: Axis | None, columns: Axis | None
) -> list[Task]:
    """The pairs, row by row. The result of row 2 and column 3 is `2-3.png`.

    Raises:
        ConfigError: if there is no axis, if both vary the same option, or for an invalid value.
    """
    if not rows and not columns:
        raise ConfigError(f"there is nothing to vary; give --columns, --rows or both, such as --columns {AXIS_EXAMPLE}")
    if rows and columns and rows.option == columns.option:
        raise ConfigError(f"--rows and --columns both vary {rows.option}; expected two options, or --columns alone")
    tasks = []
    row_options = [rows.vary(options, value) for value in rows.values] if rows else [options]
    for row, options_of_row in enumerate(row_options, 1):
        varied = [columns.vary(options_of_row, value) for value in columns.values] if columns else [options_of_row]
        for column, options_of_cell in enumerate(varied, 1):
            settings = options_of_cell.settings()
            check_styles(styles, settings.config)
            tasks.append(Task(content, styles, settings, PurePath(f"{row}-{column}.png")))
    return tasks


def draw_grid(
    pictures: Mapping[int, np.ndarray], losses: Mapping[int, float], rows: Axis | None, columns: Axis | None
) -> np.ndarray:
    """Draw a sheet `[H, W, 3]` of results with titles and losses.

    Args:
        pictures: the result `[h, w, 3]` of each pair, by its index; a missing result leaves its cell empty.
        losses: the final loss of each pair, by its index.
        rows: the vertical axis; None for a single row.
        columns: the horizontal axis; None for a single column.
    """
    width = len(columns.values) if columns else 1
    cells = [
        add_caption(_thumbnail(pictures[pair]), f"loss {losses[pair]:.3g}") if pair in pictures else None
        for pair in range(width * (len(rows.values) if rows else 1))
    ]
    lines = [cells[first : first + width] for first in range(0, len(cells), width)]
    return add_titles(lines, rows.titles if rows else [], columns.titles if columns else [])


def picture_distances(pictures: Sequence[np.ndarray]) -> list[list[float]]:
    """The root mean square difference of every two pictures, at the size of the first."""
    resized = [resize(picture, *pictures[0].shape[:2]) for picture in pictures]
    return [[float(np.sqrt(np.mean((one - other) ** 2))) for other in resized] for one in resized]


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return resize(picture, *fit_shape(height, width, min(_MAX_CELL, max(height, width))))
