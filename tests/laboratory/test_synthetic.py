"""Sampled Gram matrices: in the cone that they belong to, with what each sampler promises to keep."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.laboratory.synthetic import SAMPLERS, sample_style
from jaxstyle.styles.measured import Style
from jaxstyle.stylize import measure_style

quick = settings(max_examples=25, deadline=None)


@st.composite
def gram_stacks(draw) -> np.ndarray:
    """Gram matrices of a layer of rectified noise at two sizes, `[2, C, C]`; some channels dead, some much stronger."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, positions = draw(st.integers(2, 12)), draw(st.integers(1, 30))
    scales = 10 ** random.uniform(-2, 2, channels) * (random.random(channels) > draw(st.sampled_from([0, 0.3])))
    features = np.maximum(random.standard_normal((2, positions, channels)), 0) * scales
    return features.mT @ features / positions


@pytest.fixture(scope="module")
def style(network, painting) -> Style:
    """Measured at two sizes, in a layer of 64 channels."""
    config = StyleConfig(size=256, style_layers=(("relu1_1", 1.0),))
    return measure_style(np.asarray(painting), network=network, config=config)


@pytest.mark.parametrize("sampler", SAMPLERS)
class TestEverySampler:
    @quick
    @given(grams=gram_stacks(), seed=st.integers(0, 99))
    @example(grams=np.stack([np.diag([40.0, 10.0, 0.0])] * 2), seed=0)  # all eigenvalues that are drawn are 0
    def test_stays_in_the_cone(self, sampler, grams, seed):
        found = SAMPLERS[sampler](grams, np.random.default_rng(seed))
        assert found.shape == grams.shape
        for gram, sample in zip(grams, found, strict=True):
            tolerance = 1e-9 * (np.trace(gram) + 1e-30)
            np.testing.assert_allclose(sample, sample.T, atol=tolerance)
            assert sample.min() >= 0
            assert np.linalg.eigvalsh(sample)[0] >= -tolerance

    def test_keeps_intensities_and_is_another_matrix(self, sampler, style):
        """Of a painting, the sorted entries differ by less than a fifth, and their places by far more."""
        sampled = sample_style(style, sampler, seed=3)
        for layer in style.layers:
            real, found = (np.asarray(each.at(256).measured[layer], np.float64) for each in (style, sampled))
            assert distance(np.sort(found, None), np.sort(real, None)) < 0.2
            assert distance(found, real) > 0.7

    def test_sizes_stay_alike(self, sampler, style):
        """What differs little from one size to the next does so in the sample too."""
        sampled = sample_style(style, sampler)
        for layer in style.layers:
            (a, b), (c, d) = ([part.measured[layer] for part in each.statistics] for each in (style, sampled))
            assert distance(d, c) < 2 * distance(b, a) + 0.1 < 1

    def test_seed_decides(self, sampler, style):
        first, again, other = (sample_style(style, sampler, seed=seed) for seed in (0, 0, 1))
        for x, y in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
            np.testing.assert_array_equal(x, y)
        assert distance(other.at(256).measured["relu1_1"], first.at(256).measured["relu1_1"]) > 0.3

    def test_colors_and_all_else_are_the_styles(self, sampler, style):
        sampled = sample_style(style, sampler)
        assert (sampled.sizes, sampled.layers, sampled.digest) == (style.sizes, style.layers, style.digest)
        np.testing.assert_array_equal(sampled.at(256).color, style.at(256).color)

    @pytest.mark.parametrize("strength", [0.0, 0.4])
    def test_strength_lies_between(self, sampler, style, strength):
        whole, part = sample_style(style, sampler), sample_style(style, sampler, strength=strength)
        for layer in style.layers:
            real, sample, found = (np.asarray(each.at(128).measured[layer]) for each in (style, whole, part))
            np.testing.assert_allclose(found, real + strength * (sample - real), rtol=1e-5, atol=1e-5 * real.max())


@quick
@given(grams=gram_stacks(), seed=st.integers(0, 99))
def test_permuted_is_a_permutation(grams, seed):
    """P G P^T for one and the same P at both sizes: what is left is the order of the channels."""
    found = SAMPLERS["permuted"](grams, np.random.default_rng(seed))
    order = np.random.default_rng(seed).permutation(grams.shape[-1])
    permutation = np.eye(len(order))[order]
    np.testing.assert_array_equal(found, permutation @ grams @ permutation.T)


def test_shuffled_has_the_entries_of_what_is_feasible_anyway():
    """Where every arrangement is in the cone, as with a strong diagonal, entries are only moved."""
    entries = np.random.default_rng(0).random((6, 6))
    gram = (entries + entries.T) / 2 + 10 * np.eye(6)
    found = SAMPLERS["shuffled"](gram[None], np.random.default_rng(1))[0]
    np.testing.assert_allclose(np.sort(np.diag(found)), np.sort(np.diag(gram)))
    upper = np.triu_indices(6, 1)
    np.testing.assert_allclose(np.sort(found[upper]), np.sort(gram[upper]))
    assert np.abs(found - gram).max() > 0.1


def test_spectral_keeps_the_first_eigenvalue_and_the_sum(style):
    sampled = sample_style(style, "spectral")
    for layer in style.layers:
        real, found = (np.asarray(each.at(256).measured[layer], np.float64) for each in (style, sampled))
        assert 0.8 < np.linalg.eigvalsh(found)[-1] / np.linalg.eigvalsh(real)[-1] < 1.2
        assert 0.8 < np.trace(found) / np.trace(real) < 1.3


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


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
