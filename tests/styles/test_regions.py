"""Regions: weights for the positions of layers, the objective, and stylization with masks or found regions."""

from collections.abc import Iterator
from dataclasses import replace

import jax
import numpy as np
import pytest
from support.masks import LEFT, TOP, mask_of, with_noise
from support.quick import QUICK, first_layer, random_picture, run
from support.tiny import tiny_networks

from jaxstyle import stylize
from jaxstyle.batch import stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.networks import Network
from jaxstyle.optimization import (
    Objective,
    content_targets,
    make_initial_picture,
    make_objective,
    match_colors,
    pad_picture,
)
from jaxstyle.styles import (
    Masks,
    check_masks,
    fill_missing_regions,
    measure_statistics,
    regions_at_size,
)
from jaxstyle.stylize import measure_style
from jaxstyle.stylizer import make_stylizer


@pytest.fixture(scope="module")
def tiny() -> Iterator[Network]:
    """A network with random weights that compiles quickly."""
    with tiny_networks() as networks:
        yield networks["plain"]


@pytest.fixture(scope="module")
def first(network: Network) -> Network:
    """The embedded network's first layer."""
    return first_layer(network)


class TestRegionsAtSize:
    def test_have_the_shapes_of_layers(self, network: Network) -> None:
        mask = np.stack([mask_of(TOP, 33, 50), 1 - mask_of(TOP, 33, 50)])
        regions = regions_at_size(network, mask, ("relu1_1", "relu3_1"), (33, 50, 3), (40, 64))
        assert regions.picture.shape == (2, 40, 64)
        assert {layer: value.shape for layer, value in regions.layers.items()} == {
            "relu1_1": (2, 40, 64),
            "relu3_1": (2, 10, 16),
        }
        np.testing.assert_array_equal(regions.picture[:, :33, :50], mask)
        np.testing.assert_allclose(regions.layers["relu3_1"].sum(0), np.pad(np.ones((8, 12)), ((0, 2), (0, 4))), 1e-5)
        np.testing.assert_allclose(regions.shares, [10 / 33, 23 / 33], rtol=1e-6)

    def test_a_region_that_a_style_lacks_covers_the_whole_style(self) -> None:
        mask = np.stack([np.zeros((20, 20), np.float32), np.ones((20, 20), np.float32)])
        np.testing.assert_array_equal(fill_missing_regions(mask), 1)
        mask[0, 3, 4] = 0.5  # a small region is not missing
        np.testing.assert_array_equal(fill_missing_regions(mask), mask)


SHALLOW = StyleConfig(content_layers=(("relu1", 1.0),), style_layers=(("relu1", 1.0), ("relu2", 1.0)))


def local_objective(
    network: Network,
    config: StyleConfig,
    content: np.ndarray,
    style: np.ndarray,
    masks: Masks | None,
    padded_shape: tuple[int, int] | None = None,
) -> Objective:
    """The objective with regions for pictures at their current size, with the content padded if there is a shape."""
    layers, shape = config.style_names, content.shape[:2]
    style_regions, content_regions = None, None
    if masks:
        style_regions = regions_at_size(network, fill_missing_regions(masks.styles[0]), layers, style.shape)
        content_regions = regions_at_size(network, masks.content, layers, shape, padded_shape)
    extent = np.array(shape, np.int32) if padded_shape else None
    padded = pad_picture(content, padded_shape)
    statistics = measure_statistics(network, style, layers, config.style_representation, style_regions)
    targets = content_targets(network, padded, config.content_names, extent=extent)
    return make_objective(config, targets, statistics, extent=extent, regions=content_regions)


@jax.jit
def loss_and_gradient(objective: Objective, network: Network, picture: np.ndarray) -> tuple[jax.Array, jax.Array]:
    return jax.value_and_grad(lambda picture: objective.terms(network, picture).total)(picture)


class TestObjective:
    @pytest.mark.parametrize("representation", ["gram", "neighbors"])
    def test_one_region_of_everything_has_no_effect(self, tiny: Network, representation: str) -> None:
        config = replace(SHALLOW, style_representation=representation)
        content, style, picture = (random_picture(20, 20, seed) for seed in (1, 2, 3))
        everything = Masks(np.ones((1, 20, 20), np.float32), (np.ones((1, 20, 20), np.float32),))
        expected = loss_and_gradient(local_objective(tiny, config, content, style, None), tiny, picture)
        found = loss_and_gradient(local_objective(tiny, config, content, style, everything), tiny, picture)
        assert found[0] == pytest.approx(float(expected[0]), rel=1e-5)
        np.testing.assert_allclose(found[1], expected[1], atol=1e-4 * np.abs(expected[1]).max())

    @pytest.mark.parametrize("representation", ["gram", "shifted", "nearest"])
    def test_padding_has_no_effect(self, tiny: Network, representation: str) -> None:
        """Those of the other representations are tested without a network."""
        config = replace(SHALLOW, style_representation=representation)
        content, style, picture = (random_picture(20, 20, seed) for seed in (1, 2, 3))
        masks = check_masks(mask_of(TOP), [mask_of(LEFT)], 1) if representation != "nearest" else None
        alone = local_objective(tiny, config, content, style, masks)
        padded = local_objective(tiny, config, content, style, masks, (24, 32))
        expected = loss_and_gradient(alone, tiny, picture)
        found = loss_and_gradient(padded, tiny, np.pad(picture, ((0, 4), (0, 12), (0, 0)), constant_values=0.7))
        assert found[0] == pytest.approx(float(expected[0]), rel=2e-4)
        np.testing.assert_allclose(np.asarray(found[1])[:20, :20], expected[1], atol=1e-3 * np.abs(expected[1]).max())


class TestLocalStyle:
    """A style that is dark at the top and light at the bottom, with masks of its halves."""

    CONTENT = random_picture(48, 64, 1) * 0.2 + 0.4
    STYLE = random_picture(48, 64, 2) * np.linspace(0.1, 1, 48, dtype=np.float32)[:, None, None]
    MASKS = mask_of((slice(0, 24), slice(None)), 48, 64), mask_of((slice(24, 48), slice(None)), 48, 64)

    def stylized(self, first: Network, content_mask: np.ndarray, style_mask: np.ndarray, **changes) -> np.ndarray:
        config = replace(QUICK, steps=20, content_weight=0.01, **changes)
        result = run(first, self.CONTENT, self.STYLE, config=config, content_mask=content_mask, style_mask=style_mask)
        assert result.history.total[-1] < result.history.total[0]
        return result.image

    @pytest.mark.parametrize("representation", ["gram", "moments"])
    def test_regions_take_the_style_of_their_region(self, first: Network, representation: str) -> None:
        top, bottom = self.MASKS
        straight, crossed = (
            self.stylized(first, top, style_mask, style_representation=representation) for style_mask in (top, bottom)
        )
        assert straight[:24].mean() < straight[24:].mean() - 0.2
        assert crossed[:24].mean() > crossed[24:].mean() + 0.2

    def test_the_initial_picture_has_the_colors_of_regions(self, first: Network) -> None:
        top, _ = self.MASKS
        masks = check_masks(top, [top], 1)
        statistics = measure_statistics(
            first, self.STYLE, (), "gram", regions_at_size(first, masks.styles[0], (), (48, 64))
        )
        initial = make_initial_picture((("content", 1.0),), self.CONTENT, statistics, mask=masks.content)
        for rows in (slice(0, 24), slice(24, 48)):
            expected = match_colors(self.CONTENT[rows], measure_statistics(first, self.STYLE[rows], ()))
            np.testing.assert_allclose(initial[rows], expected, atol=1e-3)

    def test_pixels_outside_all_regions_keep_their_colors(self, first: Network) -> None:
        top, bottom = self.MASKS
        statistics = measure_statistics(
            first, self.STYLE, (), "gram", regions_at_size(first, bottom[None], (), (48, 64))
        )
        initial = make_initial_picture((("content", 1.0),), self.CONTENT, statistics, mask=top[None])
        np.testing.assert_allclose(initial[24:], self.CONTENT[24:], rtol=1e-5)

    def test_a_style_may_lack_a_region(self, first: Network) -> None:
        top, _ = self.MASKS
        one_region = np.stack([np.ones_like(top), np.zeros_like(top)])
        result = run(first, self.CONTENT, self.STYLE, content_mask=top, style_mask=one_region)
        assert np.isfinite(result.history.total).all()
        assert result.history.total[-1] < result.history.total[0]


class TestFoundRegions:
    """`regions` in the settings, with a small network."""

    CONFIG = StyleConfig(
        size=64,
        steps=6,
        regions=2,
        optimizer="adam",
        content_layers=(("relu1", 1.0),),
        style_layers=(("relu1", 1.0), ("relu2", 1.0)),
    )

    def test_batches_give_the_same_as_single_pictures(self, tiny: Network) -> None:
        contents, styles = [with_noise(0.3), with_noise(0.6)], [with_noise(0.5), 1 - with_noise(0.7)]
        alone = [
            stylize(content, style, network=tiny, config=self.CONFIG)
            for content, style in zip(contents, styles, strict=True)
        ]
        assert all(result.history.total[-1] < result.history.total[0] for result in alone)
        one_by_one = stylize_batch(contents, styles, network=tiny, config=self.CONFIG, batch_size=1)
        batched = stylize_batch(contents, styles, network=tiny, config=self.CONFIG, batch_size=2)
        for expected, single, result in zip(alone, one_by_one, batched, strict=True):
            assert single.image.tobytes() == expected.image.tobytes()
            np.testing.assert_allclose(result.image, expected.image, atol=2 / 255)

    def test_measured_styles_have_no_regions(self, tiny: Network) -> None:
        style = measure_style(with_noise(0.5), network=tiny, config=replace(self.CONFIG, regions=1))
        with pytest.raises(ConfigError, match="regions is 2, and a measured style has none"):
            stylize(with_noise(0.3), style, network=tiny, config=self.CONFIG)
        masks, one_region = {"content_mask": mask_of(TOP), "style_mask": mask_of(TOP)}, replace(self.CONFIG, regions=1)
        with pytest.raises(ConfigError, match="there are masks, and a measured style has no regions"):
            stylize(with_noise(0.3), style, network=tiny, config=one_region, **masks)
        with pytest.raises(ConfigError, match="a style has no regions without a content"):
            measure_style(with_noise(0.5), network=tiny, config=self.CONFIG)
        with pytest.raises(ConfigError, match="a style has no regions without a content"):
            make_stylizer(tiny, self.CONFIG, height=48, width=64)

    @pytest.mark.parametrize(
        ("regions", "masks", "message"),
        [
            (1, {"content_mask": mask_of(TOP)}, "content mask without a style mask"),
            (1, {"style_mask": mask_of(TOP)}, "style mask without a content mask"),
            (2, {"content_mask": mask_of(TOP), "style_mask": mask_of(TOP)}, "regions is 2, and there are masks too"),
        ],
    )
    def test_masks_that_contradict_the_settings(self, tiny: Network, regions: int, masks: dict, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            stylize(
                with_noise(0.3), with_noise(0.5), network=tiny, config=replace(self.CONFIG, regions=regions), **masks
            )

    @pytest.mark.parametrize("regions", [0, 17, 1.5])
    def test_invalid_numbers_of_regions(self, regions: float) -> None:
        with pytest.raises(ConfigError, match="regions is .*expected a whole number from 1 to 16"):
            StyleConfig(regions=regions)
