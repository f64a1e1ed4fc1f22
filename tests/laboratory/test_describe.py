"""Gram matrices in numbers and drawings, against matrices of which both are known."""

import numpy as np
import pytest

from jaxstyle.laboratory import describe
from jaxstyle.laboratory.describe import by_energy, curve, heat_map, intensities, spectrum


class TestNumbers:
    def test_of_independent_channels(self):
        found = describe(np.eye(8))
        assert (found.mean, found.dead) == (1 / 8, 0)
        assert found.sparsity == 56 / 64
        assert found.effective_rank == pytest.approx(8) and found.first == pytest.approx(1 / 8)

    def test_of_one_pattern(self):
        features = np.arange(1.0, 6.0)
        found = describe(np.outer(features, features))
        assert found.effective_rank == pytest.approx(1) and found.first == pytest.approx(1)
        assert found.sparsity == 0 and found.mean == 9

    def test_of_dead_channels(self):
        found = describe(np.diag([2.0, 1.0, 0.0, 0.0]))
        assert found.dead == 0.5
        assert found.effective_rank == pytest.approx(np.exp(2 / 3 * np.log(3 / 2) + 1 / 3 * np.log(3)))

    def test_of_nothing(self):
        found = describe(np.zeros((3, 3)))
        assert (found.dead, found.effective_rank, found.first) == (1, 1, 0)

    def test_do_not_depend_on_the_order_of_channels(self):
        features = np.random.default_rng(0).random((9, 6))
        gram = features.T @ features
        shuffled = gram[np.ix_([3, 1, 0, 5, 4, 2], [3, 1, 0, 5, 4, 2])]
        for found, expected in zip(vars(describe(shuffled)).values(), vars(describe(gram)).values(), strict=True):
            assert found == pytest.approx(expected)


def test_spectrum_is_that_of_the_singular_values():
    features = np.random.default_rng(0).random((9, 6))
    expected = np.linalg.svd(features, compute_uv=False) ** 2
    np.testing.assert_allclose(spectrum(features.T @ features), expected, rtol=1e-8)


def test_by_energy_orders_the_diagonal():
    found = by_energy(np.array([[1.0, 5, 6], [5, 3, 7], [6, 7, 2]]))
    np.testing.assert_array_equal(found, [[3, 7, 5], [7, 2, 6], [5, 6, 1]])


class TestHeatMap:
    @pytest.mark.parametrize("side", [4, 9, 2])
    def test_brighter_means_larger(self, side):
        gram = np.diag([1.0, 1.0, 1e-2, 1e-2])
        brightness = heat_map(gram, side).sum(-1)
        assert brightness.shape == (side, side)
        assert brightness[0, 0] == brightness.max() > brightness[-1, -1] > brightness[0, -1] == 0

    def test_a_cell_is_a_mean(self):
        """Four entries in one cell are as bright as one of their mean."""
        gram = np.kron(np.array([[1.0, 0.1], [0.1, 1.0]]), np.ones((2, 2)))
        uneven = gram * np.kron(np.ones((2, 2)), np.array([[1.5, 0.5], [0.5, 1.5]]))
        np.testing.assert_allclose(heat_map(uneven, 2), heat_map(gram, 2), atol=1e-6)

    def test_of_nothing_is_black(self):
        assert not heat_map(np.zeros((3, 3)), 6).any()


def test_curve_is_as_high_as_the_logarithm():
    """From 1 to 1/100 of the largest: half of four decades."""
    dark = curve(np.array([1.0, 0.1, 0.01]), 80, 30).sum(-1) < 2
    np.testing.assert_array_equal(dark[:, 0].sum(), 80)
    assert abs(dark[:, -1].sum() - 40) <= 1 and dark[-1].all()


def test_intensities_are_shares():
    found = intensities(np.array([[1.0, 1e-6], [1e-6, 0.9]]), bins=4)
    np.testing.assert_array_equal(found, [0.5, 0, 0, 0.5])
