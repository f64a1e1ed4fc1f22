"""What a Gram matrix looks like: a few numbers, and drawings that need nothing but NumPy."""

from dataclasses import dataclass

import numpy as np

_FAINT = 0.01  # entries below this share of the mean entry count as nothing
_DECADES = 4  # that a heat map and a curve show below the largest value
# From black over violet, red and yellow to white, evenly spaced.
_HEAT = np.array([[0, 0, 0], [0.25, 0.05, 0.45], [0.7, 0.15, 0.35], [0.98, 0.55, 0.1], [1, 1, 0.8]])

_DARK = np.array([0.2, 0.25, 0.45], np.float32)


@dataclass(frozen=True)
class GramNumbers:
    """A Gram matrix in numbers.

    Attributes:
        mean: of its entries.
        sparsity: share of the entries that are smaller than a hundredth of the mean.
        dead: share of the channels that are 0 everywhere.
        effective_rank: exp of the entropy of the eigenvalues as shares of their sum (Roy and Vetterli, "The effective
            rank", 2007): from 1 to the number of channels.
        first: the largest eigenvalue as a share of their sum.
    """

    mean: float
    sparsity: float
    dead: float
    effective_rank: float
    first: float


def describe(gram: np.ndarray) -> GramNumbers:
    """The numbers of a Gram matrix `[C, C]`; all shares are 0 for one of zeros, and its rank 1."""
    gram = np.asarray(gram, np.float64)
    shares = spectrum(gram) / (np.trace(gram) or 1)
    positive = shares[shares > 0]
    return GramNumbers(
        mean=float(gram.mean()),
        sparsity=float(np.mean(np.abs(gram) < _FAINT * abs(gram.mean()))),
        dead=float(np.mean(np.diag(gram) == 0)),
        effective_rank=float(np.exp(-np.sum(positive * np.log(positive)))),
        first=float(shares[0]),
    )


def spectrum(gram: np.ndarray) -> np.ndarray:
    """The eigenvalues of a symmetric matrix, the largest first, `[C]`; what is below 0 by rounding is 0."""
    return np.maximum(np.linalg.eigvalsh(np.asarray(gram, np.float64))[::-1], 0)


def by_energy(gram: np.ndarray) -> np.ndarray:
    """The matrix with its channels in the order of their mean square, the largest first."""
    order = np.argsort(-np.diag(gram), kind="stable")
    return gram[np.ix_(order, order)]


def heat_map(gram: np.ndarray, side: int) -> np.ndarray:
    """The entries as colors, `[side, side, 3]`: from black at 1/10000 of the largest, in logarithms, to white.

    A cell shows the mean of the entries that fall into it.
    """
    places = np.arange(len(gram)) * side // len(gram)
    pooled = np.zeros((side, side))
    if side < len(gram):
        counts = np.bincount(places, minlength=side)
        np.add.at(pooled, (places[:, None], places[None]), np.abs(gram))
        pooled /= np.outer(counts, counts)
    else:
        nearest = np.arange(side) * len(gram) // side
        pooled = np.abs(gram)[np.ix_(nearest, nearest)]
    heights = _logarithms(pooled) * (len(_HEAT) - 1)
    return np.stack([np.interp(heights, range(len(_HEAT)), channel) for channel in _HEAT.T], -1).astype(np.float32)


def curve(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values from left to right as a dark area on white, `[height, width, 3]`: logarithms, over four decades."""
    columns = np.interp(np.linspace(0, len(values) - 1, width), range(len(values)), _logarithms(values))
    filled = np.arange(height)[::-1, None] < columns[None] * height
    return np.where(filled[..., None], _DARK, np.float32(1))


def intensities(gram: np.ndarray, bins: int = 40) -> np.ndarray:
    """How the entries are distributed: the share of them in each of the equal bins of four decades, `[bins]`.

    The lowest bin has all smaller ones too.
    """
    counts, _ = np.histogram(_logarithms(np.abs(gram)), bins, (0, 1))
    return counts / counts.sum()


def _logarithms(values: np.ndarray) -> np.ndarray:
    """0 for a value of 1/10000 of the largest and all below, 1 for the largest."""
    largest = np.max(values)
    if largest <= 0:
        return np.zeros(np.shape(values))
    return 1 + np.log10(np.maximum(values / largest, 10.0**-_DECADES)) / _DECADES
