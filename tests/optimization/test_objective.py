"""The objective: compared with its definition in NumPy and with values from PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import naive
from support.quick import objective_of

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import Objective, Terms

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
NORMALIZATIONS = ("relative", "gatys")

# Two layers with different weights, before and after a pool: complete, but compiled in a second.
SHALLOW = StyleConfig(
    content_layers=(("relu2_1", 2.0), ("conv1_2", 1.0)),
    style_layers=(("relu1_1", 1.0), ("relu2_1", 3.0)),
    content_weight=0.3,
    style_weight=2.0,
    color_weight=0.7,
    tv_weight=5.0,
    grain_weight=0.6,
)


@jax.jit
def terms_and_gradient(network: Network, objective: Objective, picture: jax.Array) -> tuple[Terms, jax.Array]:
    def loss(picture: jax.Array) -> tuple[jax.Array, Terms]:
        terms = objective.terms(network, picture)
        return terms.total, terms

    (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(picture)
    return terms, gradient


@dataclass(frozen=True)
class Reference:
    """Losses and gradients from PyTorch in float64, for three photographs, as defined in the paper, with VGG-19."""

    values: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[f"vgg19.max.{name}"]

    def picture(self, name: str) -> jax.Array:
        return jnp.asarray(self.values[name] / 255, jnp.float32)

    def sample(self, array: jax.Array) -> np.ndarray:
        """The entries of which the reference has the values."""
        flat = np.asarray(array).reshape(-1)
        return flat[(self.values["fractions"] * flat.size).astype(np.int64)]

    @property
    def positions(self) -> int:
        """M_l of relu4_2. The reference's content loss is a sum over positions, as in the paper."""
        height, width = self.values["content"].shape[:2]
        return (height // 8) * (width // 8)


@pytest.fixture(scope="module")
def reference() -> Reference:
    with np.load(Path(__file__).parents[1] / "data" / "features.npz") as data:
        return Reference(dict(data))


@pytest.fixture(scope="module")
def torch_objective(network: Network, reference: Reference) -> Objective:
    """The objective with weights for which the gradients of both losses have the same norm."""
    content, style = (float(np.linalg.norm(reference[f"{name}_gradient"])) for name in ("content", "style"))
    config = StyleConfig(
        content_weight=reference.positions / content,
        style_weight=1 / style,
        color_weight=0,
        grain_weight=0,
        normalization="gatys",
    )
    config = resolve_layers(config, "vgg19")
    return objective_of(network, config, reference.picture("content"), [reference.picture("style")])


class TestAgainstTorch:
    def test_losses_and_gradient(self, network: Network, reference: Reference, torch_objective: Objective) -> None:
        terms, gradient = terms_and_gradient(network, torch_objective, reference.picture("picture"))
        assert terms.content * reference.positions == pytest.approx(reference["content"].item(), rel=1e-3)
        assert terms.style == pytest.approx(reference["style"].mean(), rel=1e-3)
        gradients = [reference[f"{name}_gradient"] for name in ("content", "style")]
        expected = sum(values / np.linalg.norm(values) for values in gradients)
        difference, scale = np.abs(reference.sample(gradient) - expected), np.sqrt(np.mean(expected**2))
        # A few pixels differ: close to a tie, rounding changes the path of a gradient through a rectifier or maximum.
        assert np.quantile(difference, 0.9) < 1e-3 * scale
        assert np.sqrt(np.mean(difference**2)) < 2e-2 * scale

    def test_style_loss_of_each_layer(self, network: Network, reference: Reference, torch_objective: Objective) -> None:
        for layer, expected in zip(STYLE_LAYERS, reference["style"], strict=True):
            weights = {other: jnp.float32(other == layer) for other in STYLE_LAYERS}
            objective = torch_objective.replace(style_layers=weights)
            terms, _ = terms_and_gradient(network, objective, reference.picture("picture"))
            assert terms.style == pytest.approx(expected, rel=1e-3), layer


def random_picture(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def naive_terms(
    network: Network, config: StyleConfig, picture: np.ndarray, content: np.ndarray, style: np.ndarray
) -> dict[str, float]:
    """The definition of the objective, with the loss as "total"."""
    values, content_values, style_values = (naive.features(network, x, "relu2_1") for x in (picture, content, style))
    content_weights, style_weights = dict(config.content_layers), dict(config.style_layers)
    content_losses = {
        layer: naive.content_loss(values[layer], content_values[layer], config.normalization)
        for layer in content_weights
    }
    style_losses = {
        layer: naive.style_loss(naive.gram(values[layer]), naive.gram(style_values[layer]), config.normalization)
        for layer in style_weights
    }
    colors, mean_color = naive.color_moments(style), naive.color_moments(style.mean((0, 1), keepdims=True))
    brightness = picture.mean(-1, keepdims=True)
    with_chroma = brightness + 8**0.5 * (picture - brightness)
    vertical, horizontal = np.diff(with_chroma, axis=0), np.diff(with_chroma, axis=1)
    terms = {
        "content": naive.weighted_mean(content_losses, content_weights),
        "style": naive.weighted_mean(style_losses, style_weights),
        "color": naive.color_distance(naive.color_moments(picture), colors) / naive.color_distance(mean_color, colors),
        "tv": float(np.mean(vertical**2) + np.mean(horizontal**2)) * (max(picture.shape[:2]) / 512) ** 2,
        "grain": naive.grain_excess(naive.grain(picture), naive.grain(style)),
    }
    return terms | {"total": sum(getattr(config, f"{name}_weight") * value for name, value in terms.items())}


class TestWholeObjective:
    """The objective for small pictures of different sizes, with two layers of VGG-19."""

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_value_and_gradient_are_those_of_the_definition(self, network: Network, normalization: str) -> None:
        config = replace(SHALLOW, normalization=normalization)
        picture, content, style = random_picture(9, 10, 0), random_picture(9, 10, 1), random_picture(7, 12, 2)
        objective = objective_of(network, config, jnp.asarray(content), [jnp.asarray(style)])
        terms, gradient = terms_and_gradient(network, objective, jnp.asarray(picture))

        def naive_total(picture: np.ndarray) -> float:
            return naive_terms(network, config, picture, content.astype(float), style.astype(float))["total"]

        for name, value in naive_terms(network, config, picture.astype(float), content, style).items():
            assert getattr(terms, name) == pytest.approx(value, rel=1e-3), name
        for seed in range(3):
            direction, step = np.random.default_rng(seed).normal(size=picture.shape), 1e-6
            change = naive_total(picture + step * direction) - naive_total(picture - step * direction)
            assert np.vdot(gradient, direction) == pytest.approx(change / (2 * step), rel=2e-3)

    def test_terms_with_a_weight_of_0_are_still_computed(self, network: Network) -> None:
        config = replace(SHALLOW, content_weight=0, tv_weight=0, grain_weight=0)
        objective = objective_of(network, config, random_picture(9, 10, 1), [random_picture(7, 12, 2)])
        terms, _ = terms_and_gradient(network, objective, random_picture(9, 10, 0))
        assert terms.total == pytest.approx(2 * float(terms.style) + 0.7 * float(terms.color), rel=1e-5)
        assert terms.content > 0 and terms.tv > 0

    def test_terms_are_0_at_their_targets(self, network: Network) -> None:
        content, style = random_picture(9, 10, 1), random_picture(9, 10, 2) ** 2
        objective = objective_of(network, SHALLOW, content, [style])
        at_content, _ = terms_and_gradient(network, objective, content)
        at_style, _ = terms_and_gradient(network, objective, style)
        assert at_content.content < 1e-9 and at_content.style > 1e-3 and at_content.color > 1e-3
        assert at_style.style < 1e-9 and at_style.color < 1e-9 and at_style.content > 1e-3

    def test_the_color_term_of_the_mean_color_is_1(self, network: Network) -> None:
        style = random_picture(7, 12, 2) ** 2
        objective = objective_of(network, SHALLOW, random_picture(9, 10, 1), [style])
        flat = np.broadcast_to(style.mean((0, 1)), (9, 10, 3))
        terms, _ = terms_and_gradient(network, objective, flat)
        assert terms.color == pytest.approx(1, rel=1e-2)

    def test_flat_black_pictures_have_finite_terms(self, network: Network) -> None:
        black = np.zeros((9, 10, 3), np.float32)
        terms, gradient = terms_and_gradient(network, objective_of(network, SHALLOW, black, [black]), black)
        assert all(np.isfinite(value) for value in jax.tree.leaves(terms)) and np.isfinite(gradient).all()

    @pytest.mark.parametrize("missing", ["content_layers", "style_layers"])
    def test_either_kind_of_layers_may_be_missing(self, network: Network, missing: str) -> None:
        config = replace(SHALLOW, **{missing: ()})
        objective = objective_of(network, config, random_picture(9, 10, 1), [random_picture(7, 12, 2)])
        terms, gradient = terms_and_gradient(network, objective, random_picture(9, 10, 0))
        assert getattr(terms, missing.removesuffix("_layers")) == 0
        assert terms.total > 0 and np.isfinite(gradient).all() and gradient.any()

    def test_unknown_layers_are_named(self, network: Network) -> None:
        config = StyleConfig(content_layers=(), style_layers=(("relu1_1", 1.0), ("relu9_9", 1.0)))
        with pytest.raises(ConfigError, match="relu9_9"):
            objective_of(network, config, random_picture(16, 16, 0), [random_picture(16, 16, 1)])

    def test_vmap_over_pictures_and_over_objectives(self, network: Network) -> None:
        contents, pictures = ([random_picture(9, 10, seed) for seed in seeds] for seeds in ((1, 2), (3, 4)))
        objectives = [objective_of(network, SHALLOW, content, [random_picture(7, 12, 5)]) for content in contents]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *objectives)
        mapped = jax.jit(jax.vmap(lambda network, objective, x: objective.terms(network, x), in_axes=(None, 0, 0)))
        found = mapped(network, stacked, np.stack(pictures))
        for index, (objective, picture) in enumerate(zip(objectives, pictures, strict=True)):
            expected, _ = terms_and_gradient(network, objective, picture)
            for name in vars(expected):
                np.testing.assert_allclose(getattr(found, name)[index], getattr(expected, name), rtol=1e-4)


class TestStyles:
    STYLES = (random_picture(7, 12, 0), random_picture(11, 8, 1) ** 3)

    def blend(self, network: Network, *shares: float, styles: Sequence[np.ndarray] = STYLES) -> Objective:
        return objective_of(network, replace(SHALLOW, style_blend=shares), random_picture(9, 10, 2), styles)

    def test_a_blend_has_the_weighted_mean_of_targets(self, network: Network) -> None:
        blend = self.blend(network, 1, 3)
        first, second = (self.blend(network, styles=[style]) for style in self.STYLES)
        for name in ("style", "color"):
            targets = (jax.tree.leaves(getattr(objective, name)) for objective in (blend, first, second))
            for found, one, other in zip(*targets, strict=True):
                np.testing.assert_allclose(found, 0.25 * one + 0.75 * other, rtol=1e-4, atol=1e-6)

    def test_targets_are_the_styles_gram_matrices(self, network: Network) -> None:
        expected = naive.features(network, self.STYLES[1].astype(float), "relu2_1")
        for layer, found in self.blend(network, 0, 1).style.items():
            assert naive.error(found, naive.gram(expected[layer])) < 1e-4

    def test_shares_are_equal_by_default_and_only_their_ratios_matter(self, network: Network) -> None:
        default = self.blend(network)
        for shares in ((1, 1), (0.001, 0.001)):
            for found, expected in zip(*map(jax.tree.leaves, (self.blend(network, *shares), default)), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_a_style_with_a_share_of_0_has_no_effect(self, network: Network) -> None:
        alone = self.blend(network, styles=self.STYLES[:1])
        for found, expected in zip(*map(jax.tree.leaves, (self.blend(network, 1, 0), alone)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6)

    @pytest.mark.parametrize("shares", [(1,), (1, 2, 3)])
    def test_every_style_needs_a_share(self, network: Network, shares: tuple[float, ...]) -> None:
        with pytest.raises(ConfigError) as caught:
            self.blend(network, *shares)
        message = str(caught.value)
        assert (
            f"style_blend has {len(shares)} weight" in message
            and "for 2 style pictures" in message
            and message.isprintable()
        )


class TestPytree:
    def test_leaves_are_arrays_and_survive_flattening(self, network: Network) -> None:
        objective = objective_of(network, SHALLOW, random_picture(9, 10, 0), [random_picture(7, 12, 1)])
        leaves, structure = jax.tree.flatten(objective)
        assert all(isinstance(leaf, jax.Array | np.ndarray) and leaf.dtype == jnp.float32 for leaf in leaves)
        again = jax.tree.unflatten(structure, [np.array(leaf) for leaf in leaves])
        picture = random_picture(9, 10, 2)
        assert terms_and_gradient(network, again, picture)[0] == terms_and_gradient(network, objective, picture)[0]

    def test_new_targets_and_weights_need_no_new_compilation(self, network: Network) -> None:
        picture = random_picture(9, 10, 2)
        configs = (
            SHALLOW,
            replace(SHALLOW, content_weight=9.0, tv_weight=0.0, style_layers=(("relu1_1", 5.0), ("relu2_1", 1.0))),
        )
        totals, compiled = [], []
        for config, seed, size in ((configs[0], 0, 7), (configs[0], 3, 7), (configs[1], 3, 8)):
            objective = objective_of(network, config, random_picture(9, 10, seed), [random_picture(size, 12, seed + 1)])
            totals.append(float(terms_and_gradient(network, objective, picture)[0].total))
            compiled.append(terms_and_gradient._cache_size())
        assert compiled[0] == compiled[1] == compiled[2]
        assert len(set(totals)) == 3
