"""One picture of a whole job: contents down, styles across, and where they meet the results."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxstyle.cli.inputs import is_saved
from jaxstyle.cli.job.manifest import Task
from jaxstyle.errors import JaxStyleError
from jaxstyle.images import MIN_SIDE, fit, read_image, resize
from jaxstyle.style_files import load_style

_LARGEST, _WIDEST = 192, 8192  # pixels: of a thumbnail, and of the sheet
_GAP = 4


def contact_sheet(tasks: Sequence[Task], results: Sequence[Path | None]) -> np.ndarray:
    """The sheet `[H, W, 3]` of pairs, each with the file of its result, if there is one.

    The first row shows the styles and the first column the contents. Settings that differ have columns of their own. A
    saved style, of which there is no picture, is shown in its mean colour. What cannot be read stays white.
    """
    rows = list(dict.fromkeys(task.content for task in tasks))
    columns = list(dict.fromkeys((task.styles, task.settings) for task in tasks))
    side = max(MIN_SIDE, min(_LARGEST, _WIDEST // (1 + max(len(rows), len(columns))) - _GAP))
    sheet = np.ones(((1 + len(rows)) * (side + _GAP), (1 + len(columns)) * (side + _GAP), 3), np.float32)

    def place(row: int, column: int, file: Path, strip: int = 0, strips: int = 1) -> None:
        width = side // strips
        top, left = row * (side + _GAP), column * (side + _GAP) + strip * width
        _draw(sheet[top : top + side, left : left + width], file)

    for row, content in enumerate(rows, 1):
        place(row, 0, content)
    for column, (styles, _) in enumerate(columns, 1):
        for strip, style in enumerate(styles):
            place(0, column, style, strip, len(styles))
    for task, result in zip(tasks, results, strict=True):
        if result:
            place(rows.index(task.content) + 1, columns.index((task.styles, task.settings)) + 1, result)
    return sheet


def _draw(place: np.ndarray, file: Path) -> None:
    """Fill the middle of a place `[h, w, 3]` with a thumbnail."""
    try:
        if is_saved(file):
            place[:] = np.clip(load_style(file).statistics[-1].mean, 0, 1)
            return
        picture = read_image(file)
    except JaxStyleError:
        return
    height, width = picture.shape[:2]
    longest = round(max(height, width) * min(place.shape[0] / height, place.shape[1] / width))
    height, width = fit(height, width, max(1, longest))
    top, left = (place.shape[0] - height) // 2, (place.shape[1] - width) // 2
    place[top : top + height, left : left + width] = resize(picture, height, width)
