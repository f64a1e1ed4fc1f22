"""The loss and its gradient by tiles: those of the whole picture."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.compiler import simulated_devices
from support.naive import error
from support.quick import random_picture
from support.tiny import tiny_networks

from jaxstyle import stylize
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network
from jaxstyle.optimization import Objective, Terms, content_targets, make_objective
from jaxstyle.optimization.tiles import content_targets_by_tiles, statistics_by_tiles, terms_and_gradient
from jaxstyle.styles import REPRESENTATIONS, Regions, measure_statistics, regions_at_size

CONFIG = StyleConfig(
    content_layers=(("relu2", 1.0), ("conv1", 1.0)),
    style_layers=(("relu1", 1.0), ("relu3", 2.0)),
    content_weight=0.3,
    tv_weight=0.5,
)

SHALLOW = replace(CONFIG, content_layers=(), style_layers=(("relu1", 1.0), ("relu2", 2.0)))
SHAPE = (83, 61)  # for SHALLOW by tiles of 20 pixels; several tests use the same compiled programs


@pytest.fixture(scope="module")
def networks() -> Iterator[dict[str, Network]]:
    with tiny_networks() as networks:
        yield networks


@jax.jit
def whole(network: Network, objective: Objective, picture: jax.Array) -> tuple[Terms, jax.Array]:
    def loss(picture: jax.Array) -> tuple[jax.Array, Terms]:
        terms = objective.terms(network, picture)
        return terms.total, terms

    (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(picture)
    return terms, gradient


@partial(jax.jit, static_argnames="tile_size")
def tiled(network: Network, objective: Objective, picture: jax.Array, *, tile_size: int) -> tuple[Terms, jax.Array]:
    return terms_and_gradient(network, replace(objective, tile_size=tile_size), picture)


def objective_for(network: Network, config: StyleConfig, shape: tuple[int, int], mask: Any = None) -> Objective:
    """The objective of random pictures; with a mask `[K, h, w]`, for regions."""
    style, layers = 0.5 * random_picture(40, 50, 2) ** 2, config.style_names  # with less grain than the picture
    regions: list[Regions | None] = [None, None]
    if mask is not None:
        regions = [regions_at_size(network, mask, layers, extent) for extent in (shape, style.shape[:2])]
    statistics = measure_statistics(network, style, layers, config.style_representation, regions[1])
    content = content_targets(network, random_picture(*shape, 1), config.content_names)
    return make_objective(config, content, statistics, regions=regions[0])


def compare(network: Network, objective: Objective, picture: np.ndarray, tile_size: int) -> None:
    expected, expected_gradient = whole(network, objective, picture)
    terms, gradient = tiled(network, objective, picture, tile_size=tile_size)
    for name in vars(expected):
        assert getattr(terms, name) == pytest.approx(float(getattr(expected, name)), rel=1e-5), name
    assert expected_gradient.any() and error(gradient, np.asarray(expected_gradient)) < 1e-5


class TestAgainstWholePictures:
    # One row more than whole tiles, and one column less; one window along one axis or both; any other case.
    @given(
        name=st.sampled_from(["plain", "mixed"]),
        shape=st.tuples(st.integers(5, 75), st.integers(5, 75)),
        tile_size=st.sampled_from([8, 16, 32]),
    )
    @example("plain", (49, 63), 16)
    @example("mixed", (17, 18), 16)
    @settings(max_examples=2, deadline=None)
    def test_any_shape(self, networks: dict[str, Network], name: str, shape: tuple[int, int], tile_size: int) -> None:
        compare(networks[name], objective_for(networks[name], CONFIG, shape), random_picture(*shape, 0), tile_size)

    # Without regions, gram is compared above, and shifted below.
    @pytest.mark.parametrize("representation", [name for name in REPRESENTATIONS if name not in ("gram", "shifted")])
    def test_any_representation(self, networks: dict[str, Network], representation: str) -> None:
        config, network = replace(SHALLOW, style_representation=representation), networks["plain"]
        compare(network, objective_for(network, config, SHAPE), random_picture(*SHAPE, 0), tile_size=20)

    @pytest.mark.parametrize(
        ("representation", "layers"),
        [
            ("gram", ("relu1", "relu3")),
            ("shifted", ("relu3",)),
            ("sliced", ("relu3",)),
            ("nearest", ("relu1", "relu2", "relu3")),
        ],
    )
    def test_regions(self, networks: dict[str, Network], representation: str, layers: tuple[str, ...]) -> None:
        style, network = tuple((layer, 1.0) for layer in layers), networks["plain"]
        config = replace(CONFIG, style_layers=style, style_representation=representation)
        mask = np.random.default_rng(3).random((3, 7, 5), np.float32)
        mask[1, :5] = 0  # a region that the first windows lack
        compare(network, objective_for(network, config, (85, 62), mask), random_picture(85, 62, 0), tile_size=16)

    def test_a_strip_whose_layers_round_its_height(self, networks: dict[str, Network]) -> None:
        """To 7, 3 and 1: positions of a layer are compared with those that the stride says."""
        layers = tuple((layer, 1.0) for layer in ("relu1", "relu2", "relu3"))
        config = replace(SHALLOW, style_layers=layers, style_representation="neighbors")
        compare(networks["plain"], objective_for(networks["plain"], config, (7, 90)), random_picture(7, 90, 0), 16)

    def test_average_pooling_and_the_losses_of_gatys(self, networks: dict[str, Network]) -> None:
        network, config = networks["mixed"].replace(pooling="avg"), replace(CONFIG, normalization="gatys")
        compare(network, objective_for(network, config, (51, 45)), random_picture(51, 45, 0), tile_size=8)

    @pytest.mark.parametrize("missing", ["content_layers", "style_layers"])
    def test_without_content_or_style_layers(self, networks: dict[str, Network], missing: str) -> None:
        network, config = networks["plain"], replace(CONFIG, **{missing: ()})
        compare(network, objective_for(network, config, (48, 64)), random_picture(48, 64, 0), tile_size=16)

    def test_vgg19(self, network: Network) -> None:
        """Down to the default content layer, with several windows along each side."""
        config = StyleConfig(content_layers=(("relu4_2", 1.0),), style_layers=(("relu1_1", 1.0), ("relu4_1", 1.0)))
        compare(network, objective_for(network, config, (114, 131)), random_picture(114, 131, 0), tile_size=16)


class TestRounding:
    """Flat pictures, for which sums of squares and squares of sums are almost equal."""

    @pytest.mark.parametrize("representation", ["moments", "activation-shift", "shifted"])
    def test_almost_flat_pictures(self, networks: dict[str, Network], representation: str) -> None:
        config, network = replace(SHALLOW, style_representation=representation), networks["plain"]
        picture = np.float32(0.9) + 0.01 * random_picture(*SHAPE, 0)
        compare(network, objective_for(network, config, SHAPE), picture, tile_size=20)

    def test_black_pictures_have_finite_gradients(self, networks: dict[str, Network]) -> None:
        objective = objective_for(networks["plain"], replace(SHALLOW, style_representation="moments"), SHAPE)
        terms, gradient = tiled(networks["plain"], objective, np.zeros((*SHAPE, 3), np.float32), tile_size=20)
        assert np.isfinite(terms.total) and np.isfinite(gradient).all()


def test_memory_grows_with_the_picture_alone(networks: dict[str, Network]) -> None:
    """Of a tiled evaluation only the picture, its gradient, a padded copy and the content's features grow."""

    def temporary(size: int, **options: Any) -> int:
        network, picture = networks["plain"], jax.ShapeDtypeStruct((size, size, 3), jnp.float32)
        objective = objective_for(network, replace(CONFIG, content_layers=()), (size, size))
        function = tiled if options else whole
        return function.lower(network, objective, picture, **options).compile().memory_analysis().temp_size_in_bytes

    pixels = 512**2 - 256**2
    assert temporary(512, tile_size=64) - temporary(256, tile_size=64) < 4 * 12 * pixels
    assert temporary(512) - temporary(256) > 6 * 12 * pixels


class TestTargets:
    @pytest.mark.parametrize("name", ["plain", "mixed"])
    def test_content_features_are_those_of_the_whole_picture(self, networks: dict[str, Network], name: str) -> None:
        network, picture, layers = networks[name], random_picture(71, 58, 0), ("relu1", "relu2", "conv3")
        expected = content_targets(network, picture, layers)
        found = content_targets_by_tiles(network, picture, layers, tile_size=16)
        for layer in layers:
            assert found[layer].shape == expected[layer].shape
            assert error(found[layer], np.asarray(expected[layer])) < 1e-6

    @pytest.mark.parametrize("masked", [False, True])
    def test_statistics_are_those_of_the_whole_picture(self, networks: dict[str, Network], masked: bool) -> None:
        network, picture = networks["plain"], random_picture(71, 58, 0)
        mask = np.random.default_rng(3).random((3, 7, 5), np.float32)
        regions = regions_at_size(network, mask, CONFIG.style_names, (71, 58)) if masked else None
        arguments = network, picture, CONFIG.style_names, "moments", regions
        expected, found = measure_statistics(*arguments), statistics_by_tiles(*arguments, tile_size=16)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_stylization_by_tiles_is_that_of_whole_pictures(networks: dict[str, Network]) -> None:
    """From a given picture, painted more strongly in some places, and in others not at all."""
    content, style = random_picture(40, 64, 0), random_picture(50, 70, 1) ** 2
    config = replace(
        SHALLOW, content_layers=CONFIG.content_layers, size=64, steps=8, init=(("picture", 1.0),), optimizer="adam"
    )
    mask = np.random.default_rng(3).random((5, 8), np.float32).repeat(8, 0).repeat(8, 1) - 0.3
    options = {"initial_picture": random_picture(40, 64, 2), "strength_mask": mask.clip(0)}
    results = [
        stylize(content, style, network=networks["plain"], config=replace(config, tile_size=tile_size), **options)
        for tile_size in (64, 16)
    ]
    np.testing.assert_array_equal(results[1].image[mask < 0], content[mask < 0])
    for name in ("total", "content", "style"):
        histories = [getattr(result.history, name) for result in results]
        np.testing.assert_allclose(histories[1], histories[0], rtol=1e-3)
    assert np.abs(results[1].image - results[0].image).max() < 0.01


def test_on_four_devices() -> None:
    """A picture that is split over devices by rows."""
    file = Path(__file__).parents[1] / "support" / "banded.py"
    completed = subprocess.run([sys.executable, file], env=simulated_devices(4), capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "no gathering, equal results\n"
