"""Sheets of drawings: Gram matrices of layers, and pictures that maximize entries."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxstyle.images import add_titles
from jaxstyle.laboratory.describe import draw_curve, draw_heat_map, eigenvalues, entry_histogram, sort_by_energy

_CELL = 192  # side of a drawing in pixels
_COLUMNS = 6  # pictures in a row


def draw_grams(grams: Mapping[str, np.ndarray]) -> np.ndarray:
    """Draw Gram matrices `{layer: [C, C]}` as a sheet `[H, W, 3]`, with one row for each layer.

    A row has heat maps of the matrix, in the order of the channels and by energy, its eigenvalues, and a histogram of
    its entries. All scales are logarithmic.
    """
    columns = ["as it is", "by energy", "eigenvalues", "entries"]
    return add_titles([_draw_gram(gram) for gram in grams.values()], list(grams), columns)


def draw_entries(pictures: np.ndarray, entries: Sequence[tuple[int, int]]) -> np.ndarray:
    """Draw pictures `[N, H, W, 3]` in rows with their entries above them; a single picture stays as it is."""
    if len(pictures) == 1:
        return pictures[0]
    titles = [f"{i},{j}" for i, j in entries]
    rows = [
        add_titles([list(pictures[first : first + _COLUMNS])], columns=titles[first : first + _COLUMNS])
        for first in range(0, len(pictures), _COLUMNS)
    ]
    missing = rows[0].shape[1] - rows[-1].shape[1]
    rows[-1] = np.pad(rows[-1], ((0, 0), (0, missing), (0, 0)), constant_values=1)
    return np.concatenate(rows)


def _draw_gram(gram: np.ndarray) -> list[np.ndarray | None]:
    curves = [draw_curve(values, _CELL, _CELL) for values in (eigenvalues(gram), entry_histogram(gram))]
    return [draw_heat_map(gram, _CELL), draw_heat_map(sort_by_energy(gram), _CELL), *curves]
