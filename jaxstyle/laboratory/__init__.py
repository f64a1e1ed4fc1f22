"""Experiments with Gram matrices.

Modules:
    measure: Gram matrices of pictures
    describe: summary statistics, eigenvalues and drawings of Gram matrices
    sheets: sheets of these drawings, and of pictures
    maximize: pictures that maximize entries of a Gram matrix
    synthetic: styles with sampled Gram matrices
"""

from jaxstyle.laboratory.describe import (
    GramSummary,
    draw_curve,
    draw_heat_map,
    eigenvalues,
    entry_histogram,
    sort_by_energy,
    summarize_gram,
)
from jaxstyle.laboratory.maximize import MaximizedEntries, check_entries, entry_values, maximize_entries
from jaxstyle.laboratory.measure import largest_entries, measure_grams
from jaxstyle.laboratory.sheets import draw_entries, draw_grams
from jaxstyle.laboratory.synthetic import SAMPLERS, sample_style

__all__ = [
    "SAMPLERS",
    "GramSummary",
    "MaximizedEntries",
    "check_entries",
    "draw_curve",
    "draw_entries",
    "draw_grams",
    "draw_heat_map",
    "eigenvalues",
    "entry_histogram",
    "entry_values",
    "largest_entries",
    "maximize_entries",
    "measure_grams",
    "sample_style",
    "sort_by_energy",
    "summarize_gram",
]
