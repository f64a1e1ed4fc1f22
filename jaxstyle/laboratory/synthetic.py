"""Gram matrices that no picture had, after those of one that exists: its sparsity and intensities, another structure.

Gram matrices of rectified features are symmetric, positive semidefinite and nowhere negative, and so is all that is
sampled here. A sampler takes the matrices of one layer at all sizes of a style, and does the same to each of them, so
that the sizes stay alike. Colors are kept as they are. The paper leaves open how it sampled: these ways are ours.
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np

from jaxstyle.errors import ConfigError
from jaxstyle.styles.measured import Style

_ROUNDS = 15  # of alternating projections
Sampler = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def permuted(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """P G P^T with a random permutation P: other channels do the same. Entries and spectrum are exactly those of G."""
    order = random.permutation(grams.shape[-1])
    return grams[:, order[:, None], order[None]]


def shuffled(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The entries in random places, those of the diagonal on the diagonal, and from there back to the cone.

    Two projections take turns: to positive semidefinite matrices by dropping negative eigenvalues, and to matrices
    with exactly the entries of G, by giving the k-th largest entry the value of the k-th largest of G. What is then
    still missing to both is added to the diagonal.
    """
    channels = grams.shape[-1]
    upper, diagonal = np.triu_indices(channels, 1), np.diag_indices(channels)
    places, order = random.permutation(len(upper[0])), random.permutation(channels)

    def shuffle(gram: np.ndarray) -> np.ndarray:
        entries, energies = np.sort(gram[upper]), np.sort(gram[diagonal])
        found = _symmetric(gram[upper][places], gram[diagonal][order])
        for _ in range(_ROUNDS):
            found = _semidefinite(found)
            found = _symmetric(_ranked(found[upper], entries), _ranked(found[diagonal], energies))
        return _into_cone(_semidefinite(found))

    return np.stack([shuffle(gram) for gram in grams])


def spectral(grams: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Other eigenvectors, and eigenvalues drawn again.

    The first eigenvector, which has no negative parts, is permuted; the others are random directions at right angles
    to it (uniform ones, of a normal matrix's QR). The first eigenvalue stays, the others are drawn with replacement
    from those of G, with the same draws at all sizes, and scaled to the same sum, unless all drawn are 0. Negative
    entries are then projected away, which changes the spectrum somewhat.
    """
    channels = grams.shape[-1]
    order, draws = random.permutation(channels), np.sort(random.integers(1, channels, channels - 1))[::-1]
    directions = random.standard_normal((channels, channels))

    def resample(gram: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(gram)
        values, first = np.maximum(values, 0), np.abs(vectors[order, -1])
        others = values[:-1][draws - 1]
        if others.sum() > np.finfo(float).eps * values[-1]:  # or there is nothing to scale
            others *= values[:-1].sum() / others.sum()
        basis, _ = np.linalg.qr(np.column_stack([first, directions[:, 1:]]))
        found = (basis * np.append(values[-1], others[::-1])) @ basis.T
        for _ in range(_ROUNDS):
            found = _semidefinite(np.maximum(found, 0))
        return _into_cone(found)

    return np.stack([resample(gram) for gram in grams])


SAMPLERS: dict[str, Sampler] = {"permuted": permuted, "shuffled": shuffled, "spectral": spectral}


def sample_style(style: Style, sampler: str, *, seed: int = 0, strength: float = 1.0) -> Style:
    """A style with sampled Gram matrices at every size, and the colors of the one that it was sampled after.

    Args:
        style: measured in Gram matrices, as a whole.
        sampler: a key of `SAMPLERS`.
        seed: the same seed gives the same style; each layer is sampled by itself.
        strength: t in (1 - t) G + t S for a sample S of G. The cone is convex, so that all on the way are in it.

    Raises:
        ConfigError: for an unknown sampler, a strength that is not from 0 to 1, or a style of other statistics.
    """
    if sampler not in SAMPLERS:
        raise ConfigError(f"sampler is {sampler!r}; expected one of {', '.join(SAMPLERS)}")
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is {strength}; expected a number from 0 to 1")
    if not style.has_grams:
        raise ConfigError(
            "the style has other statistics than one Gram matrix a layer; measure it as gram, without regions"
        )
    sampled = {}
    for index, layer in enumerate(style.layers):
        grams = np.stack([np.asarray(part.measured[layer], np.float64) for part in style.statistics])
        found = SAMPLERS[sampler](grams, np.random.default_rng([seed, index]))
        sampled[layer] = ((1 - strength) * grams + strength * found).astype(np.float32)
    statistics = tuple(
        replace(part, measured={layer: jax.device_put(grams[size]) for layer, grams in sampled.items()})
        for size, part in enumerate(style.statistics)
    )
    return replace(style, statistics=statistics)


def _symmetric(entries: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """The symmetric matrix with these entries above the diagonal, row by row."""
    matrix = np.zeros((len(diagonal),) * 2)
    matrix[np.triu_indices(len(diagonal), 1)] = entries
    return matrix + matrix.T + np.diag(diagonal)


def _ranked(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """The ascending values in the order that these have."""
    ranked = np.empty_like(values)
    ranked[np.argsort(values, kind="stable")] = ascending
    return ranked


def _semidefinite(matrix: np.ndarray) -> np.ndarray:
    """The nearest positive semidefinite matrix to a symmetric one."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def _into_cone(matrix: np.ndarray) -> np.ndarray:
    """Without negative entries, and with as much on the diagonal as makes it positive semidefinite again."""
    matrix = np.maximum((matrix + matrix.T) / 2, 0)
    lowest = np.linalg.eigvalsh(matrix)[0]
    return matrix + max(0.0, -lowest) * np.eye(len(matrix))
