"""Experiments with Gram matrices: descriptions, pictures that maximize single entries, sampled matrices.

Modules:
    describe: spectrum, numbers and heat maps of Gram matrices
    maximize: pictures that maximize entries of a Gram matrix
    synthetic: styles with sampled Gram matrices
"""

from jaxstyle.laboratory.describe import by_energy, curve, describe, heat_map, intensities, spectrum
from jaxstyle.laboratory.maximize import Maximized, check_entries, entry_values, maximize_entries
from jaxstyle.laboratory.synthetic import SAMPLERS, sample_style

__all__ = [
    "SAMPLERS",
    "Maximized",
    "by_energy",
    "check_entries",
    "curve",
    "describe",
    "entry_values",
    "heat_map",
    "intensities",
    "maximize_entries",
    "sample_style",
    "spectrum",
]
