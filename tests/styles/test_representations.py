"""Style representations: compared with their definitions in NumPy, and whether they depend on positions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import naive as reference
from support.naive import error

from jaxstyle import optimization, styles
from jaxstyle.errors import ConfigError
from jaxstyle.styles import REPRESENTATIONS, check_representation
from jaxstyle.styles.distances import RIDGE, matrix_root
from jaxstyle.styles.representations import SHIFTS
from jaxstyle.styles.sliced import BINS, directions

NAMES = tuple(REPRESENTATIONS)
SAMPLED = {"nearest"}  # the target is a sample of features: test_nearest.py has their definitions
STATISTICS = tuple(name for name in NAMES if name not in SAMPLED)
DEPEND_ON_POSITIONS = {"shifted", "neighbors", "cross-layer"}  # they change if the same features are at other positions
ROUNDING = {"wasserstein": 1e-5, "nearest": 1e-5}  # the loss at the target, if its terms cancel; else 1e-10
Layers = dict[str, np.ndarray]


def measure_features(name: str, features: Layers, position_weights: Layers | None = None) -> dict[str, jax.Array]:
    """Compiled: otherwise, each operation would be compiled by itself, again for each shape."""
    return _measure(name, tuple(features), tuple(features.values()), position_weights)


@partial(jax.jit, static_argnums=(0, 1))
def _measure(name: str, layers: tuple[str, ...], values: Any, position_weights: Any) -> dict[str, jax.Array]:
    """The order of the layers matters, and compiled functions sort the keys of dicts."""
    return styles.measure_features(name, dict(zip(layers, values, strict=True)), position_weights)


def style_loss(features: Layers, targets: Layers, *, representation: str, **options: Any) -> jax.Array:
    """Compiled, as above."""
    normalization, weights = options.pop("normalization", "relative"), options.pop("weights", {})
    layers, shares = tuple(features), tuple(weights.get(layer, 1.0) for layer in features)
    values = tuple(features.values()), tuple(targets[layer] for layer in layers), shares
    return _loss(layers, representation, normalization, *values, options)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _loss(layers: tuple[str, ...], name: str, normalization: str, *values: Any) -> jax.Array:
    *of_layers, options = values
    features, targets, weights = (dict(zip(layers, one, strict=True)) for one in of_layers)
    options = {"representation": name, "normalization": normalization, "weights": weights} | options
    return optimization.style_loss(features, targets, **options)


@partial(jax.jit, static_argnames="representation")
def loss_and_gradient(
    features: Layers, targets: Any, position_weights: Layers, *, representation: str
) -> tuple[jax.Array, Layers]:
    def loss(features: Layers) -> jax.Array:
        ordered = {layer: features[layer] for layer in ("shallow", "deep")}  # compiled functions sort the keys of dicts
        options = {"representation": representation, "position_weights": position_weights}
        return optimization.style_loss(ordered, targets, **options)

    return jax.value_and_grad(loss)(features)


def random_features(seed: int = 0, height: int = 12, width: int = 10) -> Layers:
    """Features of two layers with a pool between them, sparse like those after a rectifier."""
    rng = np.random.default_rng(seed)
    shapes = {"shallow": (height, width, 4), "deep": (height // 2, width // 2, 6)}
    return {layer: np.maximum(rng.normal(0.3, 1, shape), 0).astype(np.float32) for layer, shape in shapes.items()}


def padded_features(features: Layers) -> tuple[Layers, Layers]:
    """Features with further positions below and at the right, and weights that are 0 there."""
    padded, masks = {}, {}
    for (layer, value), added in zip(features.items(), (4, 2), strict=True):
        padded[layer] = np.pad(value, ((0, added), (0, added), (0, 0)), constant_values=7)
        masks[layer] = np.pad(np.ones(value.shape[:2], np.float32), ((0, added), (0, added)))
    return padded, masks


def random_weights(features: Layers, seed: int = 9) -> Layers:
    rng = np.random.default_rng(seed)
    return {layer: rng.random(value.shape[:2], np.float32) for layer, value in features.items()}


def naive_mean(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean over the first two axes, in a loop over positions."""
    total, total_weight = np.zeros(value.shape[2:]), 0.0
    for x in np.ndindex(value.shape[:2]):
        total, total_weight = total + weights[x] * value[x], total_weight + weights[x]
    return total / total_weight if total_weight else total


def outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left[..., :, None] * right[..., None, :]


def naive_shift(value: np.ndarray, weights: np.ndarray, down: int, across: int) -> np.ndarray:
    """The covariance of features at a distance, from a list of all pairs of positions."""
    centered, products, pair_weights = value - naive_mean(value, weights), [], []
    for row, column in np.ndindex(value.shape[:2]):
        other = row + down, column + across
        if other[0] < value.shape[0] and other[1] < value.shape[1]:
            products.append(np.outer(centered[row, column], centered[other]))
            pair_weights.append(weights[row, column] * weights[other])
    if not sum(pair_weights):
        return np.zeros((value.shape[-1],) * 2)
    return np.average(products, axis=0, weights=pair_weights)


def naive_gram(values: Layers, weights: Layers) -> Layers:
    return {layer: naive_mean(outer(value, value), weights[layer]) for layer, value in values.items()}


def naive_second_moments(values: Layers, weights: Layers) -> Layers:
    grams = naive_gram(values, weights)
    return {layer: np.vstack([naive_mean(value, weights[layer]), grams[layer]]) for layer, value in values.items()}


def naive_moments(values: Layers, weights: Layers) -> Layers:
    means = {layer: naive_mean(value, weights[layer]) for layer, value in values.items()}
    variances = {layer: naive_mean((values[layer] - means[layer]) ** 2, weights[layer]) for layer in values}
    return {layer: np.stack([means[layer], np.sqrt(variances[layer])]) for layer in values}


def naive_shifted(values: Layers, weights: Layers) -> Layers:
    return {
        layer: np.stack([naive_shift(value, weights[layer], *shift) for shift in SHIFTS])
        for layer, value in values.items()
    }


def naive_activation_shift(values: Layers, weights: Layers) -> Layers:
    means = {layer: naive_mean(value, weights[layer]).mean() for layer, value in values.items()}
    return naive_gram({layer: value - means[layer] for layer, value in values.items()}, weights)


def naive_neighbors(values: Layers, weights: Layers, centered: bool = False) -> Layers:
    enlarged = values["deep"].repeat(2, 0).repeat(2, 1)
    enlarged_weights = weights["deep"].repeat(2, 0).repeat(2, 1)
    shallow = values["shallow"][: enlarged.shape[0], : enlarged.shape[1]]

    def mean_products(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if centered:
            left, right = left - naive_mean(left, weights), right - naive_mean(right, weights)
        return naive_mean(outer(left, right), weights)

    return {
        "shallow": mean_products(values["shallow"], values["shallow"], weights["shallow"]),
        "deep": mean_products(enlarged, shallow, enlarged_weights),
    }


def naive_sliced(values: Layers, weights: Layers) -> Layers:
    """The mean of the quantile function in each bin, from the overlaps of bins and sorted positions."""

    def bin_means(projections: np.ndarray, weights: np.ndarray) -> np.ndarray:
        order, total = np.argsort(projections), weights.sum()
        if not total:
            return np.zeros(BINS)
        ends = np.cumsum(weights[order]) / total
        begins = np.concatenate([[0], ends[:-1]])
        overlaps = [
            np.clip(np.minimum(ends, (k + 1) / BINS) - np.maximum(begins, k / BINS), 0, None) for k in range(BINS)
        ]
        return BINS * np.array(overlaps) @ projections[order]

    def quantiles(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
        axes = np.asarray(directions(value.shape[-1]), float)
        np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, rtol=1e-6)
        return np.stack([bin_means(reference.flat(value) @ axis, weights.reshape(-1)) for axis in axes])

    return {layer: quantiles(value, weights[layer]) for layer, value in values.items()}


# The definitions, for float64 features and the weights of their positions.
DEFINITIONS: dict[str, Callable[[Layers, Layers], Layers]] = {
    "gram": naive_gram,
    "covariance": naive_second_moments,
    "wasserstein": naive_second_moments,
    "moments": naive_moments,
    "shifted": naive_shifted,
    "activation-shift": naive_activation_shift,
    "neighbors": naive_neighbors,
    "cross-layer": partial(naive_neighbors, centered=True),
    "sliced": naive_sliced,
}


def naive_covariance_distance(value: np.ndarray, target: np.ndarray, normalization: str) -> float:
    """Of second moments `[C + 1, C]`, as those below."""
    arrays = [(moments[0], moments[1:] - np.outer(moments[0], moments[0])) for moments in (value, target)]
    relative = normalization == "relative"
    terms = [np.sum((x - y) ** 2) / (np.sum(y**2) if relative else 4 * y.size) for x, y in zip(*arrays, strict=True)]
    return float(np.mean(terms))


def naive_wasserstein_distance(value: np.ndarray, target: np.ndarray, normalization: str) -> float:
    """The eigenvalues of D^1/2 C D^1/2 are those of C D, which is not symmetric."""
    (mean, covariance), (other_mean, other) = (
        (moments[0], moments[1:] - np.outer(moments[0], moments[0])) for moments in (value, target)
    )
    unit = other_mean @ other_mean + np.trace(other)
    covariance, other = (matrix + RIDGE * np.trace(other) * np.eye(len(mean)) for matrix in (covariance, other))
    roots = np.sqrt(np.linalg.eigvals(covariance @ other).real)
    distance = np.sum((mean - other_mean) ** 2) + np.trace(covariance + other) - 2 * roots.sum()
    return float(distance / (unit if normalization == "relative" else 4 * len(mean)))


# The distances in a layer, between arrays of float64; those of the others are of `reference.style_loss`.
DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray, str], float]] = {
    "covariance": naive_covariance_distance,
    "wasserstein": naive_wasserstein_distance,
}


def naive_loss(name: str, value: Layers, targets: Layers, normalization: str) -> float:
    def distance(layer: str) -> float:
        if name in DISTANCES:
            return DISTANCES[name](value[layer], targets[layer], normalization)
        squares = np.sum((value[layer] - targets[layer]) ** 2)
        relative = normalization == "relative"
        return float(squares / (np.sum(targets[layer] ** 2) if relative else 4 * targets[layer].size))

    return reference.weighted_mean({layer: distance(layer) for layer in targets}, {"shallow": 1, "deep": 3})


def naive(name: str, features: Layers, position_weights: Layers | None = None) -> Layers:
    values = {layer: np.asarray(value, float) for layer, value in features.items()}
    weights = position_weights or {layer: np.ones(value.shape[:2]) for layer, value in values.items()}
    return DEFINITIONS[name](values, weights)


def test_every_representation_has_a_definition_here() -> None:
    assert set(DEFINITIONS) == set(STATISTICS)


def assert_close(found: dict[str, jax.Array], expected: Layers, tolerance: float = 5e-5) -> None:
    assert found.keys() == expected.keys()
    for layer, value in found.items():
        assert value.dtype == jnp.float32
        assert error(np.asarray(value), expected[layer]) < tolerance, layer


@pytest.mark.parametrize("function", [check_representation, lambda name: measure_features(name, random_features())])
def test_an_unknown_representation_is_an_error(function: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError, match="style_representation is 'grams'; expected one of gram, moments"):
        function("grams")


@pytest.mark.parametrize("name", STATISTICS)
class TestDefinitions:
    @pytest.mark.parametrize(("height", "width"), [(12, 10), (19, 7)])
    def test_whole_pictures(self, name: str, height: int, width: int) -> None:
        features = random_features(0, height, width)
        assert_close(measure_features(name, features), naive(name, features))

    def test_position_weights(self, name: str) -> None:
        features = random_features()
        weights = random_weights(features)
        assert_close(measure_features(name, features, weights), naive(name, features, weights))

    def test_equal_weights_have_no_effect(self, name: str) -> None:
        features = random_features()
        weights = {layer: np.full(value.shape[:2], np.float32(0.3)) for layer, value in features.items()}
        assert_close(
            measure_features(name, features, weights),
            {layer: np.asarray(value) for layer, value in measure_features(name, features).items()},
        )

    def test_positions_with_a_weight_of_0_have_no_effect(self, name: str) -> None:
        """Such as padding: the result is that of the picture without it."""
        features = random_features(0, 8, 6)
        padded, masks = padded_features(features)
        assert_close(measure_features(name, padded, masks), naive(name, features))

    def test_is_0_if_all_weights_are_0(self, name: str) -> None:
        features = random_features()
        weights = {layer: np.zeros(value.shape[:2], np.float32) for layer, value in features.items()}
        measured = measure_features(name, features, weights)
        assert all(np.isfinite(value).all() and np.abs(value).max() < 0.01 for value in measured.values())

    def test_regions_are_measured_one_by_one(self, name: str) -> None:
        features = random_features()
        regions = [random_weights(features, seed) for seed in (1, 2, 3)]
        stacked = {layer: np.stack([weights[layer] for weights in regions]) for layer in features}
        measured = measure_features(name, features, stacked)
        for region, weights in enumerate(regions):
            assert_close({layer: value[region] for layer, value in measured.items()}, naive(name, features, weights))

    @pytest.mark.parametrize("normalization", ["relative", "gatys"])
    def test_loss_is_the_distance(self, name: str, normalization: str) -> None:
        features, other = random_features(), random_features(1, 19, 7)
        expected = naive_loss(name, naive(name, features), naive(name, other), normalization)
        targets, weights = measure_features(name, other), {"shallow": 0.5, "deep": 1.5}
        found = style_loss(features, targets, representation=name, weights=weights, normalization=normalization)
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
class TestLoss:
    def test_gradient_of_the_loss_is_the_finite_difference(self, name: str) -> None:
        targets = measure_features(name, random_features(1))
        weights = random_weights(random_features())
        with double_precision():
            features = {layer: jnp.asarray(value, jnp.float64) + 0.1 for layer, value in random_features().items()}
            direction = {layer: jnp.asarray(value, jnp.float64) for layer, value in random_features(2).items()}

            def loss(t: float) -> jax.Array:
                moved = {layer: value + t * direction[layer] for layer, value in features.items()}
                return style_loss(moved, targets, representation=name, position_weights=weights)

            compiled = jax.jit(jax.value_and_grad(loss))  # because each operation would be compiled by itself
            slope = (compiled(5e-3)[0] - compiled(-5e-3)[0]) / 1e-2
            # Sums are float32 for features of any dtype.
            assert compiled(0.0)[1] == pytest.approx(float(slope), rel=2e-3)

    def test_positions_with_a_weight_of_0_have_no_effect(self, name: str) -> None:
        """Such as padding: the loss and its gradient are those of the picture without it."""
        features, targets = random_features(0, 8, 6), measure_features(name, random_features(1))
        everywhere = {layer: np.ones(value.shape[:2], np.float32) for layer, value in features.items()}
        expected, gradient = loss_and_gradient(features, targets, everywhere, representation=name)
        padded, masks = padded_features(features)
        found, found_gradient = loss_and_gradient(padded, targets, masks, representation=name)
        assert found == pytest.approx(float(expected), rel=1e-4)
        for layer, value in gradient.items():
            height, width = value.shape[:2]
            assert error(found_gradient[layer][:height, :width], np.asarray(value)) < 1e-3

    def test_loss_is_0_only_at_the_target(self, name: str) -> None:
        targets = measure_features(name, random_features())
        assert abs(style_loss(random_features(), targets, representation=name)) < ROUNDING.get(name, 1e-10)
        assert style_loss(random_features(1), targets, representation=name) > 1e-3


@jax.jit
def root_derivatives(t: float, matrix: Any, direction: Any, weights: Any) -> tuple[jax.Array, jax.Array]:
    def value(t: jax.Array) -> jax.Array:
        return jnp.sum(weights * matrix_root(matrix + t * direction))

    return jax.grad(value)(t), jax.grad(jax.grad(value))(t)


class TestMatrixRoot:
    def test_its_square_is_the_matrix(self) -> None:
        factor = np.random.default_rng(0).normal(size=(9, 5))
        matrix = factor @ factor.T  # 4 eigenvalues are 0
        root = np.asarray(jax.jit(matrix_root)(np.float32(matrix)), float)
        assert error(root @ root, matrix) < 1e-5
        assert error(root, root.T) < 1e-5 and np.linalg.eigvalsh(root).min() > -1e-3

    def test_negative_eigenvalues_count_as_0(self) -> None:
        np.testing.assert_allclose(jax.jit(matrix_root)(np.diag(np.float32([4, -1]))), [[2, 0], [0, 0]], atol=1e-6)

    @pytest.mark.parametrize("eigenvalues", [(4.0, 1.0, 0.25), (4.0, 4.0, 1.0), (2.0, 2.0, 2.0)])
    def test_derivatives_at_repeated_eigenvalues(self, eigenvalues: tuple[float, ...]) -> None:
        """The first and the second derivative, from roots at small distances, computed with NumPy."""
        axes, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
        matrix, factor = axes @ np.diag(eigenvalues) @ axes.T, np.random.default_rng(2).normal(size=(3, 3))
        direction, weights = factor + factor.T, np.random.default_rng(3).normal(size=(3, 3))

        def naive_value(t: float) -> float:
            values, vectors = np.linalg.eigh(matrix + t * direction)
            return float(np.sum(weights * ((vectors * np.sqrt(values)) @ vectors.T)))

        with double_precision():
            first, second = root_derivatives(0.0, matrix, direction, weights)
        assert first == pytest.approx((naive_value(1e-4) - naive_value(-1e-4)) / 2e-4, rel=1e-5)
        curvature = (naive_value(1e-3) - 2 * naive_value(0) + naive_value(-1e-3)) / 1e-6
        assert second == pytest.approx(curvature, rel=1e-3)

    def test_the_gradient_is_finite_at_0(self) -> None:
        gradient = jax.jit(jax.grad(lambda matrix: jnp.trace(matrix_root(matrix))))
        for matrix in (np.zeros((3, 3), np.float32), np.diag(np.arange(3, dtype=np.float32))):
            assert np.isfinite(gradient(matrix)).all()


class TestSliced:
    def test_a_style_of_another_size_has_the_same_quantiles(self) -> None:
        features = random_features(0, 8, 8)
        tiled = {layer: np.tile(value, (3, 2, 1)) for layer, value in features.items()}
        assert_close(measure_features("sliced", tiled), naive("sliced", features), 1e-4)

    def test_follows_the_scale_and_a_shift(self) -> None:
        value = random_features()["shallow"]
        found, moved = (np.asarray(measure_features("sliced", {"l": x})["l"]) for x in (value, 3 * value + 1))
        expected = 3 * found + np.asarray(directions(4)).sum(1, keepdims=True)
        assert error(moved, expected) < 1e-4
        assert np.all(np.diff(found, axis=1) > -1e-3)  # quantiles increase


class TestWasserstein:
    def test_a_shift_costs_its_square(self) -> None:
        other, shift = np.random.default_rng(1).normal(size=(9, 7, 3)).astype(np.float32), np.float32([1, -2, 0.5])
        for scale in (0.0, 1.0):  # features that do not vary, and features that do
            targets = measure_features("wasserstein", {"l": scale * other + shift})
            still, moved = (
                style_loss({"l": scale * x}, targets, representation="wasserstein", normalization="gatys") * 4 * 3
                for x in (other, other + 1)
            )
            assert still == pytest.approx(np.sum(shift**2), rel=1e-4)
            assert moved == pytest.approx(np.sum((shift - scale) ** 2), rel=1e-3)

    def test_a_blend_beyond_a_style_has_finite_gradients(self) -> None:
        """Its covariance may have negative eigenvalues."""
        first, second = (measure_features("wasserstein", random_features(seed)) for seed in (0, 1))
        targets = {layer: 2.5 * np.asarray(first[layer]) - 1.5 * np.asarray(second[layer]) for layer in first}
        gradient = jax.jit(jax.grad(lambda features: style_loss(features, targets, representation="wasserstein")))
        assert all(np.isfinite(value).all() for value in gradient(random_features(2)).values())


@contextmanager
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class TestPositions:
    """Whether a representation changes if the same features are at other positions."""

    @pytest.mark.parametrize("name", sorted(set(STATISTICS) - DEPEND_ON_POSITIONS))
    def test_representations_that_ignore_positions(self, name: str) -> None:
        features = random_features()
        assert_close(measure_features(name, permuted(features)), naive(name, features))

    @pytest.mark.parametrize("name", sorted(DEPEND_ON_POSITIONS))
    def test_representations_that_depend_on_positions(self, name: str) -> None:
        features = random_features()
        first, second = (measure_features(name, values) for values in (features, permuted(features)))
        assert error(np.asarray(first["deep"]), np.asarray(second["deep"])) > 0.1

    def test_the_first_shift_gives_the_covariance(self) -> None:
        features = random_features()
        found, grams = measure_features("shifted", features), measure_features("gram", features)
        for layer, value in features.items():
            mean = value.mean((0, 1))
            assert error(np.asarray(found[layer][0]), np.asarray(grams[layer]) - np.outer(mean, mean)) < 1e-5

    def test_a_shift_by_the_period_changes_nothing(self) -> None:
        tile = random_features(0, 4, 4)["shallow"]
        found = measure_features("shifted", {"shallow": np.tile(tile, (4, 6, 1))})["shallow"]
        for shift, value in zip(SHIFTS.tolist(), found, strict=True):
            periodic = all(distance % 4 == 0 for distance in shift)
            assert (error(np.asarray(value), np.asarray(found[0])) < 1e-4) == periodic, shift

    def test_mirrored_pictures_have_transposed_covariances(self) -> None:
        value = random_features()["shallow"]
        found, mirrored = (measure_features("shifted", {"l": x})["l"] for x in (value, value[:, ::-1]))
        for (down, across), one, other in zip(SHIFTS.tolist(), found, mirrored, strict=True):
            if across:
                assert error(np.asarray(other), np.asarray(one).T) < 1e-5, (down, across)

    def test_covariances_are_0_for_shifts_beyond_the_picture(self) -> None:
        found = measure_features("shifted", {"l": random_features(0, 3, 12)["shallow"]})["l"]
        beyond = SHIFTS[:, 0] >= 3
        assert not np.asarray(found)[beyond].any()
        assert np.asarray(found)[~beyond].any((1, 2)).all()

    def test_activation_shift_subtracts_the_mean(self) -> None:
        """The entry of channels that are never active together is not 0, as it would be in the Gram matrix."""
        value = np.zeros((2, 2, 2), np.float32)
        value[0, 0, 0] = value[1, 1, 1] = 4
        found = measure_features("activation-shift", {"l": value})["l"]
        np.testing.assert_allclose(found, [[3, -1], [-1, 3]])


def permuted(features: Layers) -> Layers:
    rng = np.random.default_rng(3)
    return {
        layer: rng.permutation(value.reshape(-1, value.shape[-1])).reshape(value.shape)
        for layer, value in features.items()
    }
