"""One picture of a whole job: contents down, styles across, and where they meet the results."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxstyle.cli.inputs import is_saved
from jaxstyle.cli.job.manifest import Task
from jaxstyle.cli.sheet import GAP, tiled
from jaxstyle.errors import JaxStyleError
from jaxstyle.images import MIN_SIDE, fit, read_image, resize
from jaxstyle.style_files import load_style

_LARGEST, _WIDEST = 192, 8192  # pixels: of a thumbnail, and of the sheet


def contact_sheet(tasks: Sequence[Task], results: Sequence[Path | None]) -> np.ndarray:
    """The sheet `[H, W, 3]` of pairs, each with the file of its result, if there is one.

    The first row shows the styles and the first column the contents. Settings that differ have columns of their own. A
    saved style, of which there is no picture, is shown in its mean colour. What cannot be read stays white.
    """
    rows = list(dict.fromkeys(task.content for task in tasks))
    columns = list(dict.fromkeys((task.styles, task.settings) for task in tasks))
    side = max(MIN_SIDE, min(_LARGEST, _WIDEST // (1 + max(len(rows), len(columns))) - GAP))
    made = {(task.content, (task.styles, task.settings)): result for task, result in zip(tasks, results, strict=True)}
    head = [np.concatenate([_cell(style, side, side // len(styles)) for style in styles], 1) for styles, _ in columns]
    below = [
        [_cell(row, side, side), *(_cell(made.get((row, column)), side, side) for column in columns)] for row in rows
    ]
    return tiled([[None, *head], *below])


def _cell(file: Path | None, height: int, width: int) -> np.ndarray:
    """A thumbnail in the middle of `[height, width, 3]`."""
    cell = np.ones((height, width, 3), np.float32)
    if file is None:
        return cell
    try:
        if is_saved(file):
            cell[:] = np.clip(load_style(file).statistics[-1].mean, 0, 1)
            return cell
        picture = read_image(file)
    except JaxStyleError:
        return cell
    tall, wide = picture.shape[:2]
    rows, columns = fit(tall, wide, max(1, round(max(tall, wide) * min(height / tall, width / wide))))
    top, left = (height - rows) // 2, (width - columns) // 2
    cell[top : top + rows, left : left + columns] = resize(picture, rows, columns)
    return cell
