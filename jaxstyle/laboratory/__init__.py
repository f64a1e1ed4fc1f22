"""Experiments with Gram matrices.

Modules:
    describe: summary statistics, eigenvalues and drawings of Gram matrices
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
from jaxstyle.laboratory.synthetic import SAMPLERS, sample_style

__all__ = [
    "SAMPLERS",
    "GramSummary",
    "MaximizedEntries",
    "check_entries",
    "draw_curve",
    "draw_heat_map",
    "eigenvalues",
    "entry_histogram",
    "entry_values",
    "maximize_entries",
    "sample_style",
    "sort_by_energy",
    "summarize_gram",
]
