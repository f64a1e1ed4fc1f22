"""One picture of a whole job: contents in rows, styles in columns, and the results where they meet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxstyle.errors import JaxStyleError
from jaxstyle.files import is_saved_style
from jaxstyle.images import GAP, MIN_SIDE, fit_shape, read_image, resize, tile_pictures
from jaxstyle.jobs.tasks import Task
from jaxstyle.styles import load_style

_MAX_CELL, _MAX_SHEET = 192, 8192  # longest side of a thumbnail and of the sheet in pixels


def draw_contact_sheet(tasks: Sequence[Task], results: Sequence[Path | None]) -> np.ndarray:
    """Draw the contact sheet `[H, W, 3]` of pairs, each with the file of its result, if there is one.

    The first row shows the styles and the first column the contents; each combination of styles and settings has its
    own column. A saved style, which has no picture, is shown as its mean color. Files that cannot be read are white.
    """
    rows = list(dict.fromkeys(task.content for task in tasks))
    columns = list(dict.fromkeys((task.styles, task.settings) for task in tasks))
    side = max(MIN_SIDE, min(_MAX_CELL, _MAX_SHEET // (1 + max(len(rows), len(columns))) - GAP))
    files = {(task.content, (task.styles, task.settings)): result for task, result in zip(tasks, results, strict=True)}
    header = [np.concatenate([_cell(style, side, side // len(styles)) for style in styles], 1) for styles, _ in columns]
    body = [
        [_cell(row, side, side), *(_cell(files.get((row, column)), side, side) for column in columns)] for row in rows
    ]
    return tile_pictures([[None, *header], *body])


def _cell(file: Path | None, height: int, width: int) -> np.ndarray:
    """A thumbnail centered in `[height, width, 3]`."""
    cell = np.ones((height, width, 3), np.float32)
    if file is None:
        return cell
    try:
        if is_saved_style(file):
            cell[:] = np.clip(load_style(file).statistics[-1].mean, 0, 1)
            return cell
        picture = read_image(file)
    except JaxStyleError:
        return cell
    tall, wide = picture.shape[:2]
    rows, columns = fit_shape(tall, wide, max(1, round(max(tall, wide) * min(height / tall, width / wide))))
    top, left = (height - rows) // 2, (width - columns) // 2
    cell[top : top + rows, left : left + columns] = resize(picture, rows, columns)
    return cell
