"""Styles with synthetic Gram matrices, sampled to match the sparsity and the entry distribution of a real style.

Gram matrices of rectified features are symmetric, positive semidefinite and have no negative entries. The samples have
the same properties. A sampler takes the matrices of one layer at all sizes of a style, and uses the same random draws
for all of them, so that the sizes stay consistent. Color statistics are unchanged. The abstract of the paper (Nikulin
and Novak, arXiv 1602.07188) does not say how it samples; the samplers here are our own.
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np

from jaxstyle.arguments import check_choice, check_seed, check_type
from jaxstyle.errors import ConfigError
from jaxstyle.styles import Style

_ITERATIONS = 15  # of alternating projections
Sampler = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # from matrices [sizes, C, C] to the same shape


def permute_channels(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sample P G P^T with a random permutation P of the channels. Entries and eigenvalues are those of G."""
    order = random.permutation(grams.shape[-1])
    return grams[:, order[:, None], order[None]]


def shuffle_entries(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shuffle the entries, on and off the diagonal separately, and restore positive semidefiniteness.

    Two projections alternate: onto positive semidefinite matrices, by dropping negative eigenvalues, and onto matrices
    with the entries of G, by replacing the k-th largest entry with the k-th largest entry of G. A multiple of the
    identity then makes the matrix positive semidefinite.
    """
    channels = grams.shape[-1]
    upper, diagonal = np.triu_indices(channels, 1), np.diag_indices(channels)
    entry_order, diagonal_order = random.permutation(len(upper[0])), random.permutation(channels)

    def shuffle(gram: np.ndarray) -> np.ndarray:
        sorted_entries, sorted_diagonal = np.sort(gram[upper]), np.sort(gram[diagonal])
        sample = _symmetric(gram[upper][entry_order], gram[diagonal][diagonal_order])
        for _ in range(_ITERATIONS):
            sample = _nearest_semidefinite(sample)
            sample = _symmetric(
                _replace_by_rank(sample[upper], sorted_entries), _replace_by_rank(sample[diagonal], sorted_diagonal)
            )
        return _make_feasible(_nearest_semidefinite(sample))

    return np.stack([shuffle(gram) for gram in grams])


def resample_spectrum(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sample new eigenvectors and eigenvalues.

    The leading eigenvector, whose entries all have the same sign, is permuted. The others are random orthogonal
    directions, from the QR decomposition of a normal matrix. The leading eigenvalue is that of G. The others are drawn
    with replacement from those of G, with the same draws at all sizes, and scaled to the same sum, unless all draws
    are 0. Alternating projections then remove negative entries, which changes the eigenvalues slightly.
    """
    channels = grams.shape[-1]
    order, draws = random.permutation(channels), np.sort(random.integers(1, channels, channels - 1))[::-1]
    directions = random.standard_normal((channels, channels))

    def resample(gram: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(gram)
        values, leading = np.maximum(values, 0), np.abs(vectors[order, -1])
        others = values[:-1][draws - 1]
        if others.sum() > np.finfo(float).eps * values[-1]:  # otherwise there is nothing to scale
            others *= values[:-1].sum() / others.sum()
        basis, _ = np.linalg.qr(np.column_stack([leading, directions[:, 1:]]))
        sample = (basis * np.append(values[-1], others[::-1])) @ basis.T
        for _ in range(_ITERATIONS):
            sample = _nearest_semidefinite(np.maximum(sample, 0))
        return _make_feasible(sample)

    return np.stack([resample(gram) for gram in grams])


SAMPLERS: dict[str, Sampler] = {
    "permuted": permute_channels,
    "shuffled": shuffle_entries,
    "spectral": resample_spectrum,
}


def sample_style(style: Style, sampler: str, *, seed: int = 0, strength: float = 1.0) -> Style:
    """Sample a style with synthetic Gram matrices at every size, and the color statistics of the original.

    Args:
        style: a style measured as one Gram matrix for each layer, without regions.
        sampler: a key of `SAMPLERS`.
        seed: seed of the random draws, which are independent for each layer.
        strength: t in the mixture (1 - t) G + t S of the original G and the sample S, from 0 to 1. Feasible matrices
            form a convex cone, so every mixture is feasible too.

    Raises:
        ConfigError: for an unknown sampler, a strength outside [0, 1], or a style with other statistics.
    """
    check_type("style", style, Style, "a Style: measure the picture first, by measure_style")
    check_seed(seed)
    check_choice("sampler", sampler, SAMPLERS)
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is {strength}; expected a number from 0 to 1")
    if not style.has_grams:
        raise ConfigError(
            "the style has other statistics than one Gram matrix per layer; "
            "measure it with representation gram and without regions"
        )
    mixtures = {}
    for index, layer in enumerate(style.layers):
        grams = np.stack([np.asarray(statistics.measured[layer], np.float64) for statistics in style.statistics])
        samples = SAMPLERS[sampler](grams, np.random.default_rng([seed, index]))
        mixtures[layer] = ((1 - strength) * grams + strength * samples).astype(np.float32)
    sampled = tuple(
        replace(statistics, measured={layer: jax.device_put(grams[index]) for layer, grams in mixtures.items()})
        for index, statistics in enumerate(style.statistics)
    )
    return replace(style, statistics=sampled)


def _symmetric(entries: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Build a symmetric matrix from the entries above its diagonal, row by row, and its diagonal."""
    matrix = np.zeros((len(diagonal),) * 2)
    matrix[np.triu_indices(len(diagonal), 1)] = entries
    return matrix + matrix.T + np.diag(diagonal)


def _replace_by_rank(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Replace the k-th smallest of the values with the k-th of the ascending values."""
    replaced = np.empty_like(values)
    replaced[np.argsort(values, kind="stable")] = ascending
    return replaced


def _nearest_semidefinite(matrix: np.ndarray) -> np.ndarray:
    """Project a symmetric matrix onto the positive semidefinite matrices."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def _make_feasible(matrix: np.ndarray) -> np.ndarray:
    """Set negative entries to 0, and add to the diagonal until the matrix is positive semidefinite."""
    matrix = np.maximum((matrix + matrix.T) / 2, 0)
    smallest = np.linalg.eigvalsh(matrix)[0]
    return matrix + max(0.0, -smallest) * np.eye(len(matrix))
