"""Style representations against their definitions in float64 NumPy, and what each of them keeps and forgets."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.naive import error

from jaxstyle import config
from jaxstyle.optimization.objective import style_loss
from jaxstyle.styles.representations import REPRESENTATIONS, SHIFTS, measure_features

NAMES = tuple(REPRESENTATIONS)
Layers = dict[str, np.ndarray]


def random_features(seed: int = 0, height: int = 12, width: int = 10) -> Layers:
    """Of two layers, with a pool between them, and as sparse as behind a rectifier."""
    rng = np.random.default_rng(seed)
    shapes = {"shallow": (height, width, 4), "deep": (height // 2, width // 2, 6)}
    return {layer: np.maximum(rng.normal(0.3, 1, shape), 0).astype(np.float32) for layer, shape in shapes.items()}


def random_positions(features: Layers, seed: int = 9) -> Layers:
    rng = np.random.default_rng(seed)
    return {layer: rng.random(value.shape[:2], np.float32) for layer, value in features.items()}


def naive_mean(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean over the first two axes, one position after another."""
    total, weight = np.zeros(value.shape[2:]), 0.0
    for x in np.ndindex(value.shape[:2]):
        total, weight = total + weights[x] * value[x], weight + weights[x]
    return total / weight if weight else total


def outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left[..., :, None] * right[..., None, :]


def naive_shift(value: np.ndarray, weights: np.ndarray, down: int, across: int) -> np.ndarray:
    """Covariances of pairs at a distance, from a list of all pairs."""
    centered, products, counts = value - naive_mean(value, weights), [], []
    for row, column in np.ndindex(value.shape[:2]):
        there = row + down, column + across
        if there[0] < value.shape[0] and there[1] < value.shape[1]:
            products.append(np.outer(centered[row, column], centered[there]))
            counts.append(weights[row, column] * weights[there])
    return np.average(products, axis=0, weights=counts) if sum(counts) else np.zeros((value.shape[-1],) * 2)


def naive(name: str, features: Layers, positions: Layers | None = None) -> Layers:
    values = {layer: np.asarray(value, float) for layer, value in features.items()}
    weights = positions or {layer: np.ones(value.shape[:2]) for layer, value in values.items()}
    if name == "gram":
        return {layer: naive_mean(outer(value, value), weights[layer]) for layer, value in values.items()}
    if name == "moments":
        means = {layer: naive_mean(value, weights[layer]) for layer, value in values.items()}
        squares = {layer: naive_mean((values[layer] - means[layer]) ** 2, weights[layer]) for layer in values}
        return {layer: np.stack([means[layer], np.sqrt(squares[layer])]) for layer in values}
    if name == "shifted":
        return {
            layer: np.stack([naive_shift(value, weights[layer], *shift) for shift in SHIFTS])
            for layer, value in values.items()
        }
    if name == "activation-shift":
        units = {layer: naive_mean(value, weights[layer]).mean() for layer, value in values.items()}
        return naive("gram", {layer: value - units[layer] for layer, value in values.items()}, weights)
    assert name == "neighbors"
    enlarged = values["deep"].repeat(2, 0).repeat(2, 1)
    positions_there = weights["deep"].repeat(2, 0).repeat(2, 1)
    shallow = values["shallow"][: enlarged.shape[0], : enlarged.shape[1]]
    first = naive_mean(outer(values["shallow"], values["shallow"]), weights["shallow"])
    return {"shallow": first, "deep": naive_mean(outer(enlarged, shallow), positions_there)}


def check(found: dict[str, jax.Array], expected: Layers, within: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for layer, value in found.items():
        assert value.dtype == jnp.float32
        assert error(np.asarray(value), expected[layer]) < within, layer


def test_settings_know_all() -> None:
    assert config.REPRESENTATIONS == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestDefinitions:
    @pytest.mark.parametrize(("height", "width"), [(12, 10), (13, 11), (20, 7)])
    def test_whole_pictures(self, name: str, height: int, width: int) -> None:
        features = random_features(0, height, width)
        check(measure_features(name, features), naive(name, features))

    def test_weights_over_positions(self, name: str) -> None:
        features = random_features()
        positions = random_positions(features)
        check(measure_features(name, features, positions), naive(name, features, positions))

    def test_all_of_one_weight_is_as_good_as_none(self, name: str) -> None:
        features = random_features()
        positions = {layer: np.full(value.shape[:2], np.float32(0.3)) for layer, value in features.items()}
        check(
            measure_features(name, features, positions),
            {k: np.asarray(v) for k, v in measure_features(name, features).items()},
        )

    def test_what_has_no_weight_does_not_count(self, name: str) -> None:
        """Padding, whatever is in it: as if the picture were alone."""
        features = random_features()
        wide = {
            layer: np.pad(value, ((0, 8 // step), (0, 4 // step), (0, 0)), constant_values=7)
            for (layer, value), step in zip(features.items(), (1, 2), strict=True)
        }
        inside = {
            layer: np.pad(np.ones(value.shape[:2], np.float32), [(0, 8 // step), (0, 4 // step)])
            for (layer, value), step in zip(features.items(), (1, 2), strict=True)
        }
        check(measure_features(name, wide, inside), naive(name, features))

    def test_no_weight_at_all_measures_nothing(self, name: str) -> None:
        features = random_features()
        found = measure_features(
            name, features, {layer: np.zeros(v.shape[:2], np.float32) for layer, v in features.items()}
        )
        assert all(np.isfinite(value).all() and np.abs(value).max() < 0.01 for value in found.values())

    def test_regions_are_measured_one_by_one(self, name: str) -> None:
        features = random_features()
        each = [random_positions(features, seed) for seed in (1, 2, 3)]
        together = {layer: np.stack([positions[layer] for positions in each]) for layer in features}
        found = measure_features(name, features, together)
        for region, positions in enumerate(each):
            check({layer: value[region] for layer, value in found.items()}, naive(name, features, positions))

    def test_loss_has_the_gradient_of_finite_differences(self, name: str) -> None:
        targets = measure_features(name, random_features(1))
        positions = random_positions(random_features())
        with double_precision():
            features = {layer: jnp.asarray(value, jnp.float64) + 0.1 for layer, value in random_features().items()}
            step = {layer: jnp.asarray(value, jnp.float64) for layer, value in random_features(2).items()}

            def loss(t: float) -> jax.Array:
                moved = {layer: value + t * step[layer] for layer, value in features.items()}
                return style_loss(moved, targets, representation=name, positions=positions)

            slope = (loss(1e-3) - loss(-1e-3)) / 2e-3
            # Sums are in float32 whatever the features are.
            assert jax.grad(loss)(0.0) == pytest.approx(float(slope), rel=2e-3)

    def test_loss_is_nothing_at_the_target_and_more_elsewhere(self, name: str) -> None:
        targets = measure_features(name, random_features())
        assert style_loss(random_features(), targets, representation=name) < 1e-10
        assert style_loss(random_features(1), targets, representation=name) > 1e-3


@contextmanager
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class TestArrangement:
    """What a representation says of the same features in other places."""

    @pytest.mark.parametrize("name", ["gram", "moments", "activation-shift"])
    def test_these_forget_it(self, name: str) -> None:
        features = random_features()
        check(measure_features(name, permuted(features)), naive(name, features))

    @pytest.mark.parametrize("name", ["shifted", "neighbors"])
    def test_these_keep_it(self, name: str) -> None:
        found, others = (measure_features(name, each) for each in (random_features(), permuted(random_features())))
        assert error(np.asarray(found["deep"]), np.asarray(others["deep"])) > 0.1

    def test_shifts_begin_with_covariances(self) -> None:
        features = random_features()
        found, grams = measure_features("shifted", features), measure_features("gram", features)
        for layer, value in features.items():
            mean = value.mean((0, 1))
            assert error(np.asarray(found[layer][0]), np.asarray(grams[layer]) - np.outer(mean, mean)) < 1e-5

    def test_a_period_is_a_shift_like_none(self) -> None:
        tile = random_features(0, 4, 4)["shallow"]
        found = measure_features("shifted", {"shallow": np.tile(tile, (4, 6, 1))})["shallow"]
        for shift, value in zip(SHIFTS.tolist(), found, strict=True):
            periodic = all(steps % 4 == 0 for steps in shift)
            assert (error(np.asarray(value), np.asarray(found[0])) < 1e-4) == periodic, shift

    def test_mirrored_pictures_have_transposed_shifts(self) -> None:
        value = random_features()["shallow"]
        found, mirrored = (measure_features("shifted", {"l": each})["l"] for each in (value, value[:, ::-1]))
        for (down, across), one, other in zip(SHIFTS.tolist(), found, mirrored, strict=True):
            if across:
                assert error(np.asarray(other), np.asarray(one).T) < 1e-5, (down, across)

    def test_farther_than_the_picture_is_wide_nothing_depends_on_anything(self) -> None:
        found = measure_features("shifted", {"l": random_features(0, 3, 12)["shallow"]})["l"]
        farther = SHIFTS[:, 0] >= 3
        assert not np.asarray(found)[farther].any()
        assert np.asarray(found)[~farther].any((1, 2)).all()

    def test_the_sign_of_activation_shift(self) -> None:
        """Channels that are never active together, and would have a Gram entry of 0, have one that is not."""
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
