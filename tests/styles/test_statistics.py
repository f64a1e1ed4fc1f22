"""Gram matrices and color distances: compared with NumPy and exact integrals, and their invariances."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import naive

from jaxstyle import styles

# Uncompiled, each of their operations would be compiled by itself, again for each shape.
gram_matrix, color_moments, color_distance = map(
    jax.jit, (styles.gram_matrix, styles.color_moments, styles.color_distance)
)


def random_features(*shape: int, seed: int = 0) -> np.ndarray:
    """Values distributed like activations: not negative, with more small values than large ones."""
    return np.random.default_rng(seed).exponential(3, shape).astype(np.float32)


def directional_derivative(
    function: Callable[[np.ndarray], float], at: np.ndarray, direction: np.ndarray, step: float
) -> float:
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


class TestGram:
    @pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (5, 1, 4), (6, 7, 20), (3, 2, 64)])
    def test_is_the_mean_product_of_channels(self, shape: tuple[int, int, int]) -> None:
        values = random_features(*shape)
        found = gram_matrix(jnp.asarray(values))
        assert found.dtype == jnp.float32
        assert naive.error(found, naive.gram(values)) < 1e-6

    @pytest.mark.parametrize("leading", [(3,), (2, 3)])
    def test_keeps_leading_dimensions(self, leading: tuple[int, ...]) -> None:
        values, weights = random_features(*leading, 4, 5, 6), random_features(*leading, 4, 5, seed=1)
        found, weighted = gram_matrix(jnp.asarray(values)), gram_matrix(jnp.asarray(values), weights=weights)
        assert found.shape == weighted.shape == (*leading, 6, 6)
        for index in np.ndindex(leading):
            assert naive.error(found[index], naive.gram(values[index])) < 1e-6
            single = gram_matrix(jnp.asarray(values[index]), weights=weights[index])
            np.testing.assert_allclose(weighted[index], single, rtol=1e-5)

    @pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
    @pytest.mark.parametrize("scale", [1, 0.3])
    def test_a_mask_selects_positions(self, dtype: jnp.dtype, scale: float) -> None:
        """At any scale of the mask, because only the ratios of weights matter."""
        values = jnp.asarray(random_features(9, 8, 5), dtype)
        mask = np.random.default_rng(1).random((9, 8)) < 0.4
        found = gram_matrix(values, weights=jnp.asarray(scale * mask, jnp.float32))
        assert naive.error(found, naive.gram(np.asarray(values, float)[mask])) < (
            1e-6 if dtype == jnp.float32 else 2e-3
        )

    def test_integer_weights_repeat_positions(self) -> None:
        values, counts = random_features(4, 5, 6), np.random.default_rng(2).integers(0, 4, (4, 5))
        repeated = np.repeat(naive.flat(values), counts.reshape(-1), axis=0)
        assert naive.error(gram_matrix(jnp.asarray(values), weights=jnp.asarray(counts)), naive.gram(repeated)) < 1e-6

    @settings(max_examples=20, deadline=None)
    @given(st.sampled_from([(1, 1, 1), (1, 5, 8), (4, 3, 2), (2, 2, 5)]), st.integers(0, 999))  # each is compiled
    def test_ignores_positions_and_is_positive_semidefinite(self, shape: tuple[int, int, int], seed: int) -> None:
        values, (height, width, channels) = random_features(*shape, seed=seed), shape
        found = np.asarray(gram_matrix(jnp.asarray(values)))
        shuffled = np.random.default_rng(seed).permutation(naive.flat(values)).reshape(width, height, channels)
        np.testing.assert_allclose(gram_matrix(jnp.asarray(shuffled)), found, rtol=1e-5)
        np.testing.assert_allclose(found, found.T, rtol=1e-6)
        assert np.linalg.eigvalsh(found.astype(float)).min() > -1e-5 * found.max()

    @settings(max_examples=10, deadline=None)
    @given(st.sampled_from([3, 6]), st.sampled_from([1, 6]), st.integers(0, 999))  # tiles of four shapes
    def test_adds_up_over_tiles(self, row: int, column: int, seed: int) -> None:
        values = random_features(9, 7, 5, seed=seed)
        tiles = [tile for half in np.split(values, [row]) for tile in np.split(half, [column], axis=1)]
        total = sum(tile.shape[0] * tile.shape[1] * np.asarray(gram_matrix(tile)) for tile in tiles)
        np.testing.assert_allclose(total / 63, gram_matrix(jnp.asarray(values)), rtol=1e-5)

    def test_is_quadratic_in_the_features(self) -> None:
        values = jnp.asarray(random_features(4, 5, 6))
        np.testing.assert_allclose(gram_matrix(3 * values), 9 * gram_matrix(values), rtol=1e-5)

    def test_bfloat16_accumulates_in_float32(self) -> None:
        """A bfloat16 sum of ones would stop at 256."""
        values = random_features(100, 100, 4).astype(jnp.bfloat16)
        values[..., 0] = 1
        found = gram_matrix(values)
        assert found.dtype == jnp.float32
        assert found[0, 0] == 1
        assert naive.error(found, naive.gram(np.asarray(values, float))) < 1e-5

    @pytest.mark.parametrize("weighted", [False, True])
    def test_gradient_is_the_finite_difference(self, weighted: bool) -> None:
        values, direction = random_features(4, 5, 6), np.random.default_rng(1).normal(size=(4, 5, 6))
        factors, weights = np.random.default_rng(2).normal(size=(6, 6)), random_features(4, 5, seed=3)

        def naive_loss(values: np.ndarray) -> float:
            shares = (weights / weights.sum() if weighted else np.full((4, 5), 1 / 20)).astype(float)
            return float(np.einsum("ij,hw,hwi,hwj->", factors, shares, values, values))

        def loss(values: jax.Array) -> jax.Array:
            return jnp.sum(jnp.float32(factors) * gram_matrix(values, weights=weights if weighted else None))

        expected = directional_derivative(naive_loss, values.astype(float), direction, 1e-3)
        assert np.vdot(jax.jit(jax.grad(loss))(values), direction) == pytest.approx(expected, rel=1e-4)

    def test_second_derivative_is_that_of_the_plain_product(self) -> None:
        values, factors = random_features(3, 4, 5, 6), np.random.default_rng(2).normal(size=(6, 6)).astype(np.float32)

        def product(values: jax.Array) -> jax.Array:
            flat = values.reshape(20, 6)
            return flat.T @ flat / 20

        def gradient_norm(gram: Callable[[jax.Array], jax.Array], values: jax.Array) -> jax.Array:
            return jnp.sum(jax.grad(lambda values: jnp.sum(factors * gram(values) ** 2))(values) ** 2)

        found, expected = (
            jax.jit(jax.vmap(jax.grad(partial(gradient_norm, gram))))(values) for gram in (gram_matrix, product)
        )
        assert naive.error(found, np.asarray(expected)) < 1e-5

    def test_jit_and_vmap_change_nothing(self) -> None:
        values, weights = random_features(3, 4, 5, 6), random_features(3, 4, 5, seed=1)
        mapped = jax.jit(jax.vmap(lambda values, weights: gram_matrix(values, weights=weights)))(values, weights)
        expected = styles.gram_matrix(jnp.asarray(values), weights=jnp.asarray(weights))
        np.testing.assert_allclose(mapped, expected, rtol=1e-5)


def exact_distance(picture: np.ndarray, other: np.ndarray) -> float:
    """The exact value of what `color_distance` approximates: the mean over directions of `exact_integral`."""
    return float(np.mean([exact_integral(naive.flat(picture), naive.flat(other), axis) for axis in naive.DIRECTIONS]))


def exact_integral(colors: np.ndarray, others: np.ndarray, axis: np.ndarray) -> float:
    """The integral of the squared difference of cumulative distributions along an axis."""
    projections = [np.sort(naive.projected(values, axis)) for values in (colors, others)]
    edges = np.sort(np.concatenate([*projections, [0, 1]]))  # the distributions are constant between these
    middles = (edges[1:] + edges[:-1]) / 2
    cumulative = [np.searchsorted(values, middles) / len(values) for values in projections]
    return float(np.sum(np.diff(edges) * (cumulative[0] - cumulative[1]) ** 2))


def distance(picture: np.ndarray, other: np.ndarray) -> float:
    return float(color_distance(color_moments(jnp.asarray(picture)), color_moments(jnp.asarray(other))))


def smooth_picture(first: float, second: float, *, seed: int, side: int = 64) -> np.ndarray:
    """Beta-distributed colors with correlated channels, as in photographs."""
    random = np.random.default_rng(seed)
    gray, channels = random.beta(first, second, (side, side, 1)), random.beta(first, second, (side, side, 3))
    return (0.6 * gray + 0.4 * channels).astype(np.float32)


class TestColor:
    @pytest.mark.parametrize(("first", "second"), [(3, 5), (2, 2), (5, 2)])
    def test_equals_the_integral_for_smooth_distributions(self, first: float, second: float) -> None:
        picture, other = smooth_picture(2, 4, seed=0), smooth_picture(first, second, seed=1)
        assert distance(picture, other) == pytest.approx(exact_distance(picture, other), rel=0.01)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.tuples(*3 * [st.floats(0, 1, width=32)]), min_size=1, max_size=4), st.integers(0, 99))
    def test_approaches_the_integral_from_below(self, colors: list[tuple[float, float, float]], seed: int) -> None:
        """The difference is that of the harmonics above the 8th, whose moments differ by at most 2."""
        picture = np.resize(np.float32(colors), (1, 12, 3))  # each equally often, so that one shape is compiled
        other = np.random.default_rng(seed).random((2, 3, 3), np.float32)
        exact, found = exact_distance(picture, other), distance(picture, other)
        tail = 2 / np.pi**2 * sum(2**2 / k**2 for k in range(9, 100_000))
        assert -1e-6 <= exact - found <= tail + 1e-6

    def test_moments_are_mean_cosines(self) -> None:
        picture = smooth_picture(2, 4, seed=0, side=9)
        expected = naive.color_moments(picture)
        found = np.asarray(color_moments(jnp.asarray(picture)))
        assert found.shape == expected.shape and found.dtype == np.float32
        # Directions may be in any order, and reversed, which changes the sign of odd harmonics.
        for row in found:
            differences = [row * signs - other for other in expected for signs in (1, (-1.0) ** naive.HARMONICS)]
            assert np.abs(differences).max(1).min() < 1e-5

    def test_is_0_for_equal_colors_at_any_positions(self) -> None:
        picture = smooth_picture(2, 4, seed=0, side=20)
        shuffled = np.random.default_rng(1).permutation(naive.flat(picture)).reshape(10, 40, 3)
        assert distance(picture, picture) == 0
        assert distance(picture, shuffled) < 1e-11
        assert distance(picture, smooth_picture(4, 2, seed=0, side=20)) > 1e-2

    def test_does_not_depend_on_the_size(self) -> None:
        picture = smooth_picture(2, 4, seed=0, side=13)
        tiled = color_moments(jnp.asarray(np.tile(picture, (3, 2, 1))))
        np.testing.assert_allclose(tiled, color_moments(jnp.asarray(picture)), atol=1e-5)

    def test_is_largest_between_black_and_white(self) -> None:
        black, white = np.zeros((2, 2, 3), np.float32), np.ones((3, 3, 3), np.float32)
        assert distance(black, white) == pytest.approx(exact_distance(black, white), abs=0.1)
        assert distance(black, white) <= 1

    def test_weights_select_and_repeat_positions(self) -> None:
        picture, random = smooth_picture(2, 4, seed=0, side=12), np.random.default_rng(1)
        counts = random.integers(0, 4, (12, 12))
        repeated = np.repeat(naive.flat(picture), counts.reshape(-1), axis=0)[None]
        for weights in (counts, 0.1 * counts):
            found = color_moments(jnp.asarray(picture), weights=jnp.asarray(weights))
            np.testing.assert_allclose(found, color_moments(jnp.asarray(repeated)), atol=1e-5)

    def test_adds_up_over_tiles(self) -> None:
        picture = smooth_picture(2, 4, seed=0, side=10)
        top, bottom = (color_moments(jnp.asarray(tile)) for tile in np.split(picture, [3]))
        np.testing.assert_allclose(0.3 * top + 0.7 * bottom, color_moments(jnp.asarray(picture)), atol=1e-5)

    def test_keeps_leading_dimensions(self) -> None:
        pictures = np.stack([[smooth_picture(2, 4, seed=3 * i + j, side=7) for j in range(3)] for i in range(2)])
        weights = random_features(2, 3, 7, 7)
        found, weighted = color_moments(jnp.asarray(pictures)), color_moments(jnp.asarray(pictures), weights=weights)
        distances = color_distance(found, weighted)
        assert distances.shape == (2, 3)
        for index in np.ndindex(2, 3):
            single = color_moments(jnp.asarray(pictures[index]), weights=jnp.asarray(weights[index]))
            np.testing.assert_allclose(weighted[index], single, atol=1e-6)
            np.testing.assert_allclose(distances[index], color_distance(found[index], single), rtol=1e-3)

    def test_gradient_is_the_finite_difference(self) -> None:
        picture, other = smooth_picture(2, 4, seed=0, side=6), smooth_picture(4, 2, seed=1, side=5)
        direction = np.random.default_rng(2).normal(size=picture.shape)

        def naive_loss(picture: np.ndarray) -> float:
            return naive.color_distance(naive.color_moments(picture), naive.color_moments(other))

        gradient = jax.jit(jax.grad(lambda x: color_distance(color_moments(x), color_moments(jnp.asarray(other)))))
        expected = directional_derivative(naive_loss, picture.astype(float), direction, 1e-4)
        assert np.vdot(gradient(jnp.asarray(picture)), direction) == pytest.approx(expected, rel=1e-3)

    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    def test_gradient_is_finite_on_flat_pictures(self, level: float) -> None:
        target = color_moments(jnp.asarray(smooth_picture(2, 4, seed=0, side=4)))
        gradient = jax.jit(jax.grad(lambda x: color_distance(color_moments(x), target)))
        assert np.isfinite(gradient(jnp.full((3, 3, 3), level))).all()

    def test_gradient_descent_matches_the_colors(self) -> None:
        picture, other = smooth_picture(2, 4, seed=0, side=16), smooth_picture(4, 2, seed=1, side=16)
        target = color_moments(jnp.asarray(other))
        update = jax.jit(lambda x: x - 40 * jax.grad(lambda x: color_distance(color_moments(x), target))(x))
        result = jnp.asarray(picture)
        for _ in range(100):
            result = update(result)
        assert exact_distance(np.asarray(result), other) < 0.02 * exact_distance(picture, other)
