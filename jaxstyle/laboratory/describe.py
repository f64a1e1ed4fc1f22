"""Summary statistics and drawings of Gram matrices, in NumPy."""

from dataclasses import dataclass

import numpy as np

_SPARSITY_THRESHOLD = 0.01  # as a share of the mean entry
_DECADES = 4  # range of the logarithmic color and height scales, below the largest value
# Black, violet, red, yellow and white, evenly spaced.
_COLOR_MAP = np.array([[0, 0, 0], [0.25, 0.05, 0.45], [0.7, 0.15, 0.35], [0.98, 0.55, 0.1], [1, 1, 0.8]])
_CURVE_COLOR = np.array([0.2, 0.25, 0.45], np.float32)


@dataclass(frozen=True)
class GramSummary:
    """Summary statistics of a Gram matrix.

    Attributes:
        mean: mean of the entries.
        sparsity: share of the entries whose magnitude is below a hundredth of the mean.
        dead: share of the channels that are 0 everywhere.
        effective_rank: exponential of the entropy of the normalized eigenvalues, from 1 to the number of channels
            (Roy and Vetterli, "The effective rank", 2007).
        first: largest eigenvalue as a share of the sum of all eigenvalues.
    """

    mean: float
    sparsity: float
    dead: float
    effective_rank: float
    first: float


def summarize_gram(gram: np.ndarray) -> GramSummary:
    """Summarize a Gram matrix `[C, C]`. If all entries are 0, `first` is 0 and the effective rank is 1."""
    gram = np.asarray(gram, np.float64)
    shares = eigenvalues(gram) / (np.trace(gram) or 1)
    positive = shares[shares > 0]
    return GramSummary(
        mean=float(gram.mean()),
        sparsity=float(np.mean(np.abs(gram) < _SPARSITY_THRESHOLD * abs(gram.mean()))),
        dead=float(np.mean(np.diag(gram) == 0)),
        effective_rank=float(np.exp(-np.sum(positive * np.log(positive)))),
        first=float(shares[0]),
    )


def eigenvalues(gram: np.ndarray) -> np.ndarray:
    """Return the eigenvalues `[C]` of a Gram matrix, largest first. Values below 0, from rounding, become 0."""
    return np.maximum(np.linalg.eigvalsh(np.asarray(gram, np.float64))[::-1], 0)


def sort_by_energy(gram: np.ndarray) -> np.ndarray:
    """Reorder the channels of a Gram matrix by their mean square, largest first."""
    order = np.argsort(-np.diag(gram), kind="stable")
    return gram[np.ix_(order, order)]


def draw_heat_map(gram: np.ndarray, side: int) -> np.ndarray:
    """Draw the entries of a Gram matrix as colors, `[side, side, 3]` in [0, 1].

    The color scale is logarithmic: black at 1/10000 of the largest entry and below, white at the largest. If the
    matrix has more channels than the drawing has pixels, a pixel shows the mean magnitude of its entries.
    """
    pixel_of_channel = np.arange(len(gram)) * side // len(gram)
    pooled = np.zeros((side, side))
    if side < len(gram):
        counts = np.bincount(pixel_of_channel, minlength=side)
        np.add.at(pooled, (pixel_of_channel[:, None], pixel_of_channel[None]), np.abs(gram))
        pooled /= np.outer(counts, counts)
    else:
        channel_of_pixel = np.arange(side) * len(gram) // side
        pooled = np.abs(gram)[np.ix_(channel_of_pixel, channel_of_pixel)]
    levels = _log_scale(pooled) * (len(_COLOR_MAP) - 1)
    channels = [np.interp(levels, range(len(_COLOR_MAP)), channel) for channel in _COLOR_MAP.T]
    return np.stack(channels, -1).astype(np.float32)


def draw_curve(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw values from left to right as a filled curve, `[height, width, 3]`, on a log scale of four decades."""
    heights = np.interp(np.linspace(0, len(values) - 1, width), range(len(values)), _log_scale(values))
    filled = np.arange(height)[::-1, None] < heights[None] * height
    return np.where(filled[..., None], _CURVE_COLOR, np.float32(1))


def entry_histogram(gram: np.ndarray, bins: int = 40) -> np.ndarray:
    """Return the share of the entries in each of `bins` equal log-scale bins, `[bins]`.

    The bins cover the four decades below the largest entry. The first bin also counts all smaller entries.
    """
    counts, _ = np.histogram(_log_scale(np.abs(gram)), bins, (0, 1))
    return counts / counts.sum()


def _log_scale(values: np.ndarray) -> np.ndarray:
    """Map values to [0, 1] logarithmically: 1/10000 of the largest value and below to 0, the largest to 1."""
    largest = np.max(values)
    if largest <= 0:
        return np.zeros(np.shape(values))
    return 1 + np.log10(np.maximum(values / largest, 10.0**-_DECADES)) / _DECADES
