"""The public losses: compared with their definitions in NumPy, and their invariances."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import naive

from jaxstyle import optimization, styles
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network
from jaxstyle.optimization import content_targets

# Uncompiled, each of their operations would be compiled by itself, again for each shape.
content_loss, style_loss, total_variation = (
    jax.jit(loss, static_argnames="normalization" if loss is not optimization.total_variation else ())
    for loss in (optimization.content_loss, optimization.style_loss, optimization.total_variation)
)
style_targets = jax.jit(styles.style_targets, static_argnums=2)
NORMALIZATIONS = ("relative", "gatys")
WEIGHTS = {"a": 1.0, "b": 4.0}


def random_layers(seed: int, height: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    layers = {"a": random.exponential(2, (height, 4, 6)), "b": random.exponential(9, (3, height, 8))}
    return {layer: values.astype(np.float32) for layer, values in layers.items()}


class TestLosses:
    """Losses of random features, which need no network."""

    @pytest.mark.parametrize("loss", [optimization.content_loss, optimization.style_loss])
    def test_a_layer_of_the_targets_without_features(self, loss: Callable[..., Any]) -> None:
        layers = random_layers(0)
        with pytest.raises(ConfigError, match=r"have the layers a, but not b of the targets; compute "):
            loss({"a": layers["a"]}, layers)

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_content_loss_is_the_definition(self, normalization: str) -> None:
        features, targets = random_layers(0), random_layers(1)
        expected = {layer: naive.content_loss(features[layer], targets[layer], normalization) for layer in features}
        loss = partial(content_loss, features, targets, normalization=normalization)
        assert loss(weights=WEIGHTS) == pytest.approx(naive.weighted_mean(expected, WEIGHTS), rel=1e-5)
        assert loss() == pytest.approx(sum(expected.values()) / 2, rel=1e-5)

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_style_loss_is_the_definition(self, normalization: str) -> None:
        features, targets = random_layers(0), grams(random_layers(1, height=7))
        expected = {
            layer: naive.style_loss(naive.gram(features[layer]), np.asarray(targets[layer], float), normalization)
            for layer in features
        }
        loss = partial(style_loss, features, targets, normalization=normalization)
        assert loss(weights=WEIGHTS) == pytest.approx(naive.weighted_mean(expected, WEIGHTS), rel=1e-5)
        assert loss() == pytest.approx(sum(expected.values()) / 2, rel=1e-5)

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    @pytest.mark.parametrize("loss", [content_loss, style_loss])
    def test_only_the_ratios_of_weights_matter(self, loss: Callable[..., jax.Array], normalization: str) -> None:
        targets = random_layers(1) if loss is content_loss else grams(random_layers(1))
        first, second = (
            loss(random_layers(0), targets, weights={"a": scale, "b": 4 * scale}, normalization=normalization)
            for scale in (0.01, 100)
        )
        assert first == pytest.approx(float(second), rel=1e-6)

    @pytest.mark.parametrize("loss", [content_loss, style_loss])
    def test_relative_losses_do_not_depend_on_a_layers_scale(self, loss: Callable[..., jax.Array]) -> None:
        """They are also finite for flat black pictures, whose targets are 0."""
        measure = grams if loss is style_loss else dict
        expected = loss(random_layers(0), measure(random_layers(1)))
        features, target_features = (
            jax.tree.map(lambda x: np.float32(1000) * x, random_layers(seed)) for seed in (0, 1)
        )
        assert loss(features, measure(target_features)) == pytest.approx(float(expected), rel=1e-5)
        zeros = jax.tree.map(np.zeros_like, random_layers(1))
        assert np.isfinite(loss(random_layers(0), measure(zeros)))
        assert loss(zeros, measure(zeros)) == 0

    @pytest.mark.parametrize("loss", [content_loss, style_loss])
    def test_is_0_at_the_target_and_1_for_features_of_0(self, loss: Callable[..., jax.Array]) -> None:
        targets = random_layers(0) if loss is content_loss else grams(random_layers(0))
        assert loss(random_layers(0), targets) == pytest.approx(0, abs=1e-12)
        assert loss(jax.tree.map(np.zeros_like, random_layers(0)), targets) == pytest.approx(1, rel=1e-5)

    @pytest.mark.parametrize(
        ("loss", "arguments", "message"),
        [
            (content_loss, {"normalization": "relativ"}, "normalization is 'relativ'; expected one of relative, gatys"),
            (style_loss, {"normalization": None}, "normalization is None; expected one of relative, gatys"),
            (content_loss, {"weights": {"a": 1.0}}, "the weights have the layers a; expected those of the targets, a"),
            (style_loss, {"weights": {"b": 1.0, "c": 1.0}}, "the weights have the layers b, c; expected those of"),
        ],
    )
    def test_arguments_that_do_not_fit(self, loss: Callable[..., Any], arguments: dict[str, Any], message: str) -> None:
        targets = random_layers(1) if loss is content_loss else grams(random_layers(1))
        with pytest.raises(ConfigError, match=message):
            loss(random_layers(0), targets, **arguments)

    def test_content_of_another_size(self) -> None:
        targets = jax.tree.map(lambda value: value[1:], random_layers(1))
        with pytest.raises(ConfigError, match=r"the features of a are .* and its targets .*; expected pictures"):
            content_loss(random_layers(0), targets)

    def test_layers_without_targets_are_ignored(self) -> None:
        features = random_layers(0) | {"c": np.full((2, 2, 3), np.nan)}
        expected = content_loss(random_layers(0), random_layers(1), weights=WEIGHTS)
        assert content_loss(features, random_layers(1), weights=WEIGHTS | {"c": 5.0}) == expected


def grams(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {layer: np.float32(naive.gram(values)) for layer, values in layers.items()}


class TestTotalVariation:
    @pytest.mark.parametrize("shape", [(5, 7, 3), (1, 7, 3), (5, 1, 3)])
    def test_is_the_mean_squared_difference_of_neighbors(self, shape: tuple[int, int, int]) -> None:
        picture = np.random.default_rng(0).random(shape).astype(np.float32)

        def squares_of(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            brightness = (one - other).mean()
            return brightness**2 + 8 * (one - other - brightness) ** 2

        vertical = [squares_of(picture[i + 1, j], picture[i, j]) for i in range(shape[0] - 1) for j in range(shape[1])]
        horizontal = [
            squares_of(picture[i, j + 1], picture[i, j]) for i in range(shape[0]) for j in range(shape[1] - 1)
        ]
        expected = sum(np.mean(squares) for squares in (vertical, horizontal) if squares) * (max(shape[:2]) / 512) ** 2
        assert total_variation(picture) == pytest.approx(expected, rel=1e-5)

    def test_of_known_pictures(self) -> None:
        board = np.float32(np.indices((8, 9)).sum(0) % 2)[..., None]
        assert total_variation(board) == pytest.approx(2 * (9 / 512) ** 2, rel=1e-6)
        assert total_variation(np.full((4, 4, 3), np.float32(0.7))) == 0
        red_and_green = np.float32(0.2) * board * np.float32([1, -1, 0])
        assert total_variation(red_and_green) == pytest.approx(8 * 0.04 * 2 / 3 * 2 * (9 / 512) ** 2, rel=1e-5)
        ramp = np.broadcast_to(np.linspace(0, 1, 11, dtype=np.float32).reshape(-1, 1, 1), (11, 5, 3))
        assert total_variation(ramp) == pytest.approx(0.01 * (11 / 512) ** 2, rel=1e-5)

    @pytest.mark.parametrize("size", [64, 128, 512, 700])
    def test_of_a_picture_does_not_depend_on_its_size(self, size: int) -> None:
        """Of waves with periods of an eighth of the longest side and more."""
        x, y = (np.arange(side, dtype=np.float32) + 0.5 for side in (size, 3 * size // 4))
        waves = np.sin(2 * np.pi * x / size) + np.cos(16 * np.pi * x / size + 6 * np.pi * y[:, None] / size)
        picture = waves[..., None] / 4 + np.float32(0.5)
        # The mean squares of both derivatives with respect to coordinates in units of 1/512 of the longest side.
        expected = (2 * np.pi / 512 / 4) ** 2 / 2 * (1 + 8**2 + 3**2)
        assert total_variation(picture) == pytest.approx(expected, rel=0.06)

    def test_of_padded_pictures(self) -> None:
        picture = np.random.default_rng(0).random((9, 12, 3), np.float32)
        padded = np.pad(picture, ((0, 4), (0, 8), (0, 0)))
        weights = np.pad(np.ones((9, 12), np.float32), ((0, 4), (0, 8)))
        found = total_variation(padded, weights=weights, longest=12)
        assert found == pytest.approx(float(total_variation(picture)), rel=1e-5)

    def test_of_a_single_pixel_is_0(self) -> None:
        value, gradient = jax.jit(jax.value_and_grad(total_variation))(np.ones((1, 1, 3), np.float32))
        assert value == 0 and not gradient.any()


class TestSizes:
    LAYERS = ("relu1_1", "relu2_1")

    def test_gram_matrices_do_not_depend_on_the_size(
        self, network: Network, painting: np.ndarray, photo: np.ndarray
    ) -> None:
        """Apart from the effect of borders: measured 2 and 9 % in tiles of 48 pixels, half as much in larger ones."""
        tile, another = painting[:48, :48], photo[:48, :48]
        single, tiled, other = (
            style_targets(network, x, ("relu1_1", "relu2_1")) for x in (tile, np.tile(tile, (2, 2, 1)), another)
        )
        for layer, expected in single.items():
            scale = np.linalg.norm(expected)
            assert np.linalg.norm(tiled[layer] - expected) < 0.15 * scale
            assert np.linalg.norm(other[layer] - expected) > 0.3 * scale

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_losses_do_not_depend_on_the_size(self, normalization: str) -> None:
        features, targets = random_layers(0), random_layers(1)
        tiled, tiled_targets = (jax.tree.map(lambda x: np.tile(x, (3, 2, 1)), layers) for layers in (features, targets))
        for loss, measure in ((content_loss, dict), (style_loss, grams)):
            expected = loss(features, measure(targets), normalization=normalization)
            found = loss(tiled, measure(tiled_targets), normalization=normalization)
            assert found == pytest.approx(float(expected), rel=1e-4)


class TestTraining:
    def test_a_generator_is_trained_with_the_losses(self, network: Network) -> None:
        """A single layer from noise to a picture, trained with the two losses as perceptual losses."""
        random = np.random.default_rng(0)
        noise, content, style = (random.random(shape, np.float32) for shape in ((24, 20, 3), (24, 20, 3), (30, 17, 3)))
        targets = (
            jax.jit(content_targets, static_argnums=2)(network, content, ("relu1_1",)),
            style_targets(network, style**3, ("relu1_1", "relu2_1")),
        )
        solver = optax.adam(0.05)

        def generate(parameters: dict[str, jax.Array]) -> jax.Array:
            mixed = jnp.einsum("hwi,io->hwo", noise, parameters["mix"])
            return jax.nn.sigmoid(mixed + jnp.broadcast_to(parameters["bias"], mixed.shape))

        @jax.jit
        def train(network: Network, targets: Any, parameters: Any, state: Any) -> tuple[Any, Any, jax.Array]:
            def loss(parameters: Any) -> jax.Array:
                features = network.features(generate(parameters), ("relu1_1", "relu2_1"))
                return 0.01 * content_loss(features, targets[0]) + style_loss(features, targets[1])

            value, gradient = jax.value_and_grad(loss)(parameters)
            updates, state = solver.update(gradient, state)
            return optax.apply_updates(parameters, updates), state, value

        parameters = jax.device_put({"mix": np.eye(3, dtype=np.float32), "bias": np.zeros(3, np.float32)})
        state, losses = solver.init(parameters), []
        for _ in range(30):
            parameters, state, value = train(network, targets, parameters, state)
            losses.append(float(value))
        assert losses[-1] < 0.5 * losses[0]
        assert train._cache_size() == 1
