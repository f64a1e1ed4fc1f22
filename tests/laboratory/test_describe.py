"""Summaries and drawings of Gram matrices, checked on matrices whose statistics are known."""

import numpy as np
import pytest

from jaxstyle.laboratory import (
    draw_curve,
    draw_heat_map,
    eigenvalues,
    entry_histogram,
    sort_by_energy,
    summarize_gram,
)


class TestSummary:
    def test_independent_channels(self):
        summary = summarize_gram(np.eye(8))
        assert (summary.mean, summary.dead) == (1 / 8, 0)
        assert summary.sparsity == 56 / 64
        assert summary.effective_rank == pytest.approx(8) and summary.first == pytest.approx(1 / 8)

    def test_rank_one(self):
        features = np.arange(1.0, 6.0)
        summary = summarize_gram(np.outer(features, features))
        assert summary.effective_rank == pytest.approx(1) and summary.first == pytest.approx(1)
        assert summary.sparsity == 0 and summary.mean == 9

    def test_dead_channels(self):
        summary = summarize_gram(np.diag([2.0, 1.0, 0.0, 0.0]))
        assert summary.dead == 0.5
        assert summary.effective_rank == pytest.approx(np.exp(2 / 3 * np.log(3 / 2) + 1 / 3 * np.log(3)))

    def test_zeros(self):
        summary = summarize_gram(np.zeros((3, 3)))
        assert (summary.dead, summary.effective_rank, summary.first) == (1, 1, 0)

    def test_does_not_depend_on_the_order_of_channels(self):
        features = np.random.default_rng(0).random((9, 6))
        gram = features.T @ features
        shuffled = gram[np.ix_([3, 1, 0, 5, 4, 2], [3, 1, 0, 5, 4, 2])]
        expected = vars(summarize_gram(gram))
        for name, value in vars(summarize_gram(shuffled)).items():
            assert value == pytest.approx(expected[name])


def test_eigenvalues_are_squared_singular_values():
    features = np.random.default_rng(0).random((9, 6))
    expected = np.linalg.svd(features, compute_uv=False) ** 2
    np.testing.assert_allclose(eigenvalues(features.T @ features), expected, rtol=1e-8)


def test_sort_by_energy_sorts_the_diagonal():
    result = sort_by_energy(np.array([[1.0, 5, 6], [5, 3, 7], [6, 7, 2]]))
    np.testing.assert_array_equal(result, [[3, 7, 5], [7, 2, 6], [5, 6, 1]])


class TestHeatMap:
    @pytest.mark.parametrize("side", [4, 9, 2])
    def test_larger_entries_are_brighter(self, side):
        gram = np.diag([1.0, 1.0, 1e-2, 1e-2])
        brightness = draw_heat_map(gram, side).sum(-1)
        assert brightness.shape == (side, side)
        assert brightness[0, 0] == brightness.max() > brightness[-1, -1] > brightness[0, -1] == 0

    def test_a_pixel_shows_the_mean_of_its_entries(self):
        """Four entries in one pixel are as bright as four entries equal to their mean."""
        gram = np.kron(np.array([[1.0, 0.1], [0.1, 1.0]]), np.ones((2, 2)))
        uneven = gram * np.kron(np.ones((2, 2)), np.array([[1.5, 0.5], [0.5, 1.5]]))
        np.testing.assert_allclose(draw_heat_map(uneven, 2), draw_heat_map(gram, 2), atol=1e-6)

    def test_zeros_are_black(self):
        assert not draw_heat_map(np.zeros((3, 3)), 6).any()


def test_curve_height_is_logarithmic():
    """1/100 of the largest value is drawn at half the height of four decades."""
    dark = draw_curve(np.array([1.0, 0.1, 0.01]), 80, 30).sum(-1) < 2
    np.testing.assert_array_equal(dark[:, 0].sum(), 80)
    assert abs(dark[:, -1].sum() - 40) <= 1 and dark[-1].all()


def test_histogram_gives_shares():
    shares = entry_histogram(np.array([[1.0, 1e-6], [1e-6, 0.9]]), bins=4)
    np.testing.assert_array_equal(shares, [0.5, 0, 0, 0.5])
