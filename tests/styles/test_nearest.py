"""Representations whose target is a sample of the style's features: compared with their definitions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.naive import flat

from jaxstyle import styles
from jaxstyle.errors import ConfigError
from jaxstyle.optimization import style_loss
from jaxstyle.styles import REPRESENTATIONS
from jaxstyle.styles.nearest import SAMPLES

Layers = dict[str, np.ndarray]
measure = jax.jit(lambda values, weights=None: styles.measure_features("nearest", ordered(values), ordered(weights)))
LAYERS = ("fine", "middle", "deep")


def ordered(layers: Layers | None) -> Layers | None:
    """With the shallowest layer first: compiled functions sort the keys of dicts."""
    return layers and {layer: layers[layer] for layer in LAYERS if layer in layers}


@jax.jit
def loss(
    features: Layers, targets: Layers, weights: Layers | None = None, shares: jax.Array | None = None
) -> jax.Array:
    options = {"representation": "nearest", "position_weights": ordered(weights), "shares": shares}
    return style_loss(ordered(features), ordered(targets), weights={"fine": 1.0, "middle": 2.0, "deep": 5.0}, **options)


def random_features(height: int, width: int, seed: int = 0) -> Layers:
    """Features of three layers with pools between them."""
    random = np.random.default_rng(seed)
    sides = {layer: (height >> level, width >> level, 3 + level) for level, layer in enumerate(LAYERS)}
    return {layer: random.exponential(2, shape).astype(np.float32) for layer, shape in sides.items()}


def naive_hypercolumns(features: Layers) -> Layers:
    """The centered unit features at the positions of the middle layer, in a loop over positions."""
    rows, columns = 2 * features["deep"].shape[0], 2 * features["deep"].shape[1]  # where all layers have features
    columns_of: dict[str, list[np.ndarray]] = {layer: [] for layer in features}
    for y, x in np.ndindex(rows, columns):
        columns_of["fine"].append(flat(features["fine"][2 * y : 2 * y + 2, 2 * x : 2 * x + 2]).mean(0))
        columns_of["middle"].append(features["middle"][y, x])
        columns_of["deep"].append(features["deep"][y // 2, x // 2])
    centered = {layer: np.stack(values) - np.mean(values, 0) for layer, values in columns_of.items()}
    return {layer: values / np.linalg.norm(values, axis=1, keepdims=True) for layer, values in centered.items()}


def naive_loss(picture: Layers, style: Layers) -> float:
    cosines = {layer: picture[layer] @ style[layer].T for layer in picture}
    nearest = sum(cosines.values()).argmax(1)
    distances = {layer: np.mean(1 - values[np.arange(len(values)), nearest]) for layer, values in cosines.items()}
    return float(distances["fine"] / 8 + distances["middle"] / 4 + 5 / 8 * distances["deep"])


@pytest.mark.parametrize("shape", [(16, 12), (22, 15), (9, 31)])
def test_loss_is_the_definition(shape: tuple[int, int]) -> None:
    features, style = random_features(*shape), random_features(20, 19, seed=1)
    expected = naive_loss(naive_hypercolumns(features), naive_hypercolumns(style))
    assert loss(features, measure(style)) == pytest.approx(expected, rel=1e-4)


def test_many_positions_are_compared_block_by_block() -> None:
    features, style = ({"middle": random_features(x, 2 * x, seed=x)["middle"]} for x in (180, 20))
    picture, sample = ({"middle": flat(x["middle"] - x["middle"].mean((0, 1)))} for x in (features, style))
    cosines = picture["middle"] @ sample["middle"].T
    cosines /= np.linalg.norm(picture["middle"], axis=1)[:, None] * np.linalg.norm(sample["middle"], axis=1)
    assert len(cosines) > 8000
    assert loss(features, measure(style)) == pytest.approx(np.mean(1 - cosines.max(1)), rel=1e-4)


def test_is_0_for_the_style_at_other_positions_and_1_for_nothing() -> None:
    style = random_features(16, 20)
    mirrored = {layer: value[:, ::-1] for layer, value in style.items()}
    assert loss(mirrored, measure(style)) == pytest.approx(0, abs=1e-5)
    assert loss({layer: np.zeros_like(value) for layer, value in style.items()}, measure(style)) == 1


def test_does_not_depend_on_the_scale_of_a_layer() -> None:
    features, style = random_features(16, 12), random_features(12, 12, seed=1)
    larger = ({**layers, "deep": 100 * layers["deep"]} for layers in (features, style))
    assert loss(next(larger), measure(next(larger))) == pytest.approx(float(loss(features, measure(style))), rel=1e-4)


def test_a_sample_has_every_position_as_often_as_its_weight_says() -> None:
    random = np.random.default_rng(0)
    values, weights = random.normal(size=(9, 7, 3)).astype(np.float32), random.random((9, 7), np.float32)
    weights[3:5] = 0
    sample = np.asarray(measure({"middle": values}, {"middle": weights})["middle"])
    vectors = flat(values - (weights[..., None] * values).sum((0, 1)) / weights.sum())
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    counts = np.array([np.sum(np.abs(sample - vector).max(1) < 1e-5) for vector in vectors])
    assert len(sample) == SAMPLES == counts.sum()
    assert np.abs(counts - SAMPLES * flat(weights[..., None])[:, 0] / weights.sum()).max() < 1.01
    assert not np.allclose(sample[:-1], sample[1:])  # in random order


def test_a_sample_of_nothing_is_0() -> None:
    values = random_features(8, 8)
    weights = {layer: np.zeros(value.shape[:2], np.float32) for layer, value in values.items()}
    assert not any(np.any(value) for value in measure(values, weights).values())
    assert loss(values, measure(values), weights) == 0


@pytest.mark.parametrize("shape", [(16, 12), (19, 13)])
def test_padding_has_no_effect(shape: tuple[int, int]) -> None:
    """On either side."""
    features, style = random_features(*shape), random_features(16, 16, seed=1)
    padding = {"fine": (8, 12), "middle": (4, 6), "deep": (2, 3)}

    def pad(layers: Layers) -> tuple[Layers, Layers]:
        widths = {layer: ((0, down), (0, across)) for layer, (down, across) in padding.items()}
        padded = {x: np.pad(layers[x], (*widths[x], (0, 0)), constant_values=7) for x in layers}
        return padded, {x: np.pad(np.ones(layers[x].shape[:2], np.float32), widths[x]) for x in layers}

    expected = float(loss(features, measure(style)))
    assert loss(pad(features)[0], measure(style), pad(features)[1]) == pytest.approx(expected, rel=1e-5)
    assert loss(features, measure(*pad(style))) == pytest.approx(expected, rel=1e-5)


def test_regions_are_compared_one_by_one() -> None:
    features, style = random_features(16, 12), random_features(12, 16, seed=1)
    shares = jnp.array([0.3, 0.7])

    def halves(layers: Layers) -> Layers:
        tops = {x: (np.arange(value.shape[0]) < value.shape[0] // 2).astype(np.float32) for x, value in layers.items()}
        return {x: np.stack([tops[x], 1 - tops[x]])[..., None] * np.ones_like(layers[x][..., 0])[None] for x in layers}

    found = loss(features, measure(style, halves(style)), halves(features), shares)
    expected = 0.0
    for region in range(2):
        of_style, of_picture = ({x: y[region] for x, y in halves(layers).items()} for layers in (style, features))
        expected += float(shares[region] * loss(features, measure(style, of_style), of_picture))
    assert found == pytest.approx(expected, rel=1e-5)


class TestBlend:
    def test_has_vectors_in_proportion_to_the_shares(self) -> None:
        arrays = [np.full((2, SAMPLES, 3), value, np.float32) for value in (1, 2, 3)]
        blend = np.asarray(REPRESENTATIONS["nearest"].blend(arrays, (0.25, 0.0, 0.75)))
        assert blend.shape == (2, SAMPLES, 3)
        assert [np.sum(blend == value) for value in (1, 2, 3)] == [0.25 * blend.size, 0, 0.75 * blend.size]

    def test_has_no_negative_shares(self) -> None:
        with pytest.raises(ConfigError, match="style_blend has the share -0.5, but a sample has none below 0"):
            REPRESENTATIONS["nearest"].blend([np.zeros((SAMPLES, 3))] * 2, (1.5, -0.5))
