"""Sampled Gram matrices: they are feasible, and each sampler preserves what it promises.

A matrix is feasible if it is symmetric, positive semidefinite and has no negative entries.
"""

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.laboratory import SAMPLERS, sample_style
from jaxstyle.styles import Style
from jaxstyle.stylize import measure_style

quick = settings(max_examples=25, deadline=None)


@st.composite
def gram_stacks(draw) -> np.ndarray:
    """Gram matrices of rectified noise at two sizes, `[2, C, C]`; some channels are dead and some much stronger."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, positions = draw(st.integers(2, 12)), draw(st.integers(1, 30))
    scales = 10 ** random.uniform(-2, 2, channels) * (random.random(channels) > draw(st.sampled_from([0, 0.3])))
    features = np.maximum(random.standard_normal((2, positions, channels)), 0) * scales
    return features.mT @ features / positions


@pytest.fixture(scope="module")
def style(network, painting) -> Style:
    """A painting's style, measured at two sizes in a layer of 64 channels."""
    config = StyleConfig(size=256, style_layers=(("relu1_1", 1.0),))
    return measure_style(np.asarray(painting), network=network, config=config)


def gram_at(style: Style, size: int, layer: str) -> np.ndarray:
    return np.asarray(style.at(size).measured[layer], np.float64)


@pytest.mark.parametrize("sampler", SAMPLERS)
class TestEverySampler:
    @quick
    @given(grams=gram_stacks(), seed=st.integers(0, 99))
    @example(grams=np.stack([np.diag([40.0, 10.0, 0.0])] * 2), seed=0)  # all drawn eigenvalues are 0
    def test_samples_are_feasible(self, sampler, grams, seed):
        samples = SAMPLERS[sampler](grams, np.random.default_rng(seed))
        assert samples.shape == grams.shape
        for gram, sample in zip(grams, samples, strict=True):
            tolerance = 1e-9 * (np.trace(gram) + 1e-30)
            np.testing.assert_allclose(sample, sample.T, atol=tolerance)
            assert sample.min() >= 0
            assert np.linalg.eigvalsh(sample)[0] >= -tolerance

    def test_preserves_the_entry_distribution_in_a_different_matrix(self, sampler, style):
        """The sorted entries of a painting change by less than a fifth, and their positions by far more."""
        sampled = sample_style(style, sampler, seed=3)
        for layer in style.layers:
            real, sample = gram_at(style, 256, layer), gram_at(sampled, 256, layer)
            assert distance(np.sort(sample, None), np.sort(real, None)) < 0.2
            assert distance(sample, real) > 0.7

    def test_sizes_stay_consistent(self, sampler, style):
        """Matrices that differ little between two sizes give samples that differ little."""
        sampled = sample_style(style, sampler)
        for layer in style.layers:
            small, large = (statistics.measured[layer] for statistics in style.statistics)
            small_sample, large_sample = (statistics.measured[layer] for statistics in sampled.statistics)
            assert distance(large_sample, small_sample) < 2 * distance(large, small) + 0.1 < 1

    def test_depends_on_the_seed_alone(self, sampler, style):
        first, again, other = (sample_style(style, sampler, seed=seed) for seed in (0, 0, 1))
        for x, y in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
            np.testing.assert_array_equal(x, y)
        assert distance(other.at(256).measured["relu1_1"], first.at(256).measured["relu1_1"]) > 0.3

    def test_colors_and_metadata_are_unchanged(self, sampler, style):
        sampled = sample_style(style, sampler)
        assert (sampled.sizes, sampled.layers, sampled.digest) == (style.sizes, style.layers, style.digest)
        np.testing.assert_array_equal(sampled.at(256).color, style.at(256).color)

    @pytest.mark.parametrize("strength", [0.0, 0.4])
    def test_strength_interpolates(self, sampler, style, strength):
        full, mixed = sample_style(style, sampler), sample_style(style, sampler, strength=strength)
        for layer in style.layers:
            real, sample, mixture = (np.asarray(s.at(128).measured[layer]) for s in (style, full, mixed))
            np.testing.assert_allclose(mixture, real + strength * (sample - real), rtol=1e-5, atol=1e-5 * real.max())


@quick
@given(grams=gram_stacks(), seed=st.integers(0, 99))
def test_permuted_is_a_permutation(grams, seed):
    """The result is P G P^T, with the same P at both sizes."""
    samples = SAMPLERS["permuted"](grams, np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(grams.shape[-1])
    permutation = np.eye(len(order))[order]
    np.testing.assert_array_equal(samples, permutation @ grams @ permutation.T)


def test_shuffled_only_moves_entries_if_every_arrangement_is_feasible():
    """With a strong diagonal every arrangement is positive semidefinite."""
    entries = np.random.default_rng(0).random((6, 6))
    gram = (entries + entries.T) / 2 + 10 * np.eye(6)
    sample = SAMPLERS["shuffled"](gram[None], np.random.default_rng(1))[0]
    np.testing.assert_allclose(np.sort(np.diag(sample)), np.sort(np.diag(gram)))
    upper = np.triu_indices(6, 1)
    np.testing.assert_allclose(np.sort(sample[upper]), np.sort(gram[upper]))
    assert np.abs(sample - gram).max() > 0.1


def test_spectral_preserves_the_largest_eigenvalue_and_the_trace(style):
    sampled = sample_style(style, "spectral")
    for layer in style.layers:
        real, sample = gram_at(style, 256, layer), gram_at(sampled, 256, layer)
        assert 0.8 < np.linalg.eigvalsh(sample)[-1] / np.linalg.eigvalsh(real)[-1] < 1.2
        assert 0.8 < np.trace(sample) / np.trace(real) < 1.3


class TestErrors:
    def test_unknown_sampler(self, style):
        with pytest.raises(ConfigError, match="sampler is 'guess'; expected one of permuted, shuffled, spectral"):
            sample_style(style, "guess")

    @pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
    def test_strength(self, style, strength):
        with pytest.raises(ConfigError, match="expected a number from 0 to 1"):
            sample_style(style, "permuted", strength=strength)

    def test_other_statistics(self, style):
        for changed in (replace(style, representation="shifted"), jax.tree.map(lambda x: x[None], style)):
            with pytest.raises(ConfigError, match="other statistics than one Gram matrix"):
                sample_style(changed, "permuted")


def distance(matrix: np.ndarray, reference: np.ndarray) -> float:
    """Relative Frobenius distance."""
    return float(np.linalg.norm(matrix - reference) / np.linalg.norm(reference))
