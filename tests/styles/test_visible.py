"""Transparent pictures: only what is visible counts, in statistics, styles, contents and batches."""

from dataclasses import replace

import numpy as np
import pytest
from support.quick import QUICK, first_layer, random_picture, run

from jaxstyle.batch import stylize_batch
from jaxstyle.errors import PictureError
from jaxstyle.networks import Network
from jaxstyle.styles import check_transparent, crop_to_visible
from jaxstyle.stylize import Stylized, measure_style

INSIDE = slice(16, 48), slice(8, 56)


def cut_out(hidden: np.ndarray | float, picture: np.ndarray | None = None) -> np.ndarray:
    """A picture `[64, 64, 4]` that is visible inside a rectangle, with these colors outside."""
    canvas = np.zeros((64, 64, 4), np.float32)
    canvas[..., :3] = hidden
    canvas[(*INSIDE, slice(0, 3))] = random_picture(32, 48) ** 2 if picture is None else picture
    canvas[(*INSIDE, 3)] = 1
    return canvas


HIDDEN = (1.0, random_picture(64, 64, 9))  # two ways to color what cannot be seen


class TestHiddenColors:
    def test_do_not_matter_and_continue_the_visible_ones(self) -> None:
        one, other = (check_transparent(cut_out(hidden)) for hidden in HIDDEN)
        np.testing.assert_allclose(one, other, atol=1e-5)
        np.testing.assert_allclose(one[INSIDE], cut_out(0)[INSIDE], atol=1e-6)
        flat = check_transparent(cut_out(1.0, np.float32([0.2, 0.4, 0.6]) * np.ones((32, 48, 1), np.float32)))
        np.testing.assert_allclose(flat[..., :3], np.broadcast_to([0.2, 0.4, 0.6], (64, 64, 3)), atol=1e-5)

    def test_of_half_transparent_pixels_are_kept(self) -> None:
        picture = np.dstack([random_picture(20, 30), np.full((20, 30), 0.5, np.float32)])
        np.testing.assert_array_equal(check_transparent(picture), picture)

    def test_opaque_and_invisible_pictures(self) -> None:
        picture = random_picture(20, 30)
        opaque, invisible = (np.dstack([picture, np.full((20, 30), alpha, np.float32)]) for alpha in (1, 0))
        np.testing.assert_array_equal(check_transparent(opaque), picture)
        with pytest.raises(PictureError, match="transparent everywhere"):
            check_transparent(invisible)
        faint = np.dstack([picture, np.full((20, 30), 0.01, np.float32)])
        with pytest.raises(PictureError, match=r"almost transparent everywhere, .* \(alpha up to 0.01\)"):
            check_transparent(faint)
        with pytest.raises(PictureError, match="from 0.0 to 2.0"):
            check_transparent(invisible * 0 + np.float32([0, 0, 0, 2]))

    def test_are_cropped_at_the_borders(self) -> None:
        np.testing.assert_array_equal(crop_to_visible(cut_out(0.5)), cut_out(0.5)[INSIDE])


class TestStyles:
    @pytest.mark.parametrize("representation", ["gram", "moments"])
    def test_have_the_statistics_of_what_is_visible(self, network: Network, representation: str) -> None:
        """Those of the same pixels without the others, except for features at the edges, which see their neighbors."""
        config = replace(QUICK, style_representation=representation)
        found, other = (measure_style(cut_out(hidden), network=network, config=config) for hidden in HIDDEN)
        visible = cut_out(0)[(*INSIDE, slice(0, 3))]
        expected = measure_style(visible, network=network, config=replace(config, size=48))
        for style in (found, other):
            (statistics,), (wanted,) = style.statistics, expected.statistics
            np.testing.assert_allclose(statistics.mean, visible.reshape(-1, 3).mean(0), atol=1e-5)
            np.testing.assert_allclose(statistics.second, wanted.second, atol=1e-5)
            np.testing.assert_allclose(statistics.color, wanted.color, atol=1e-4)
            values, wanted_values = (np.asarray(measured.measured["relu1_1"]) for measured in (statistics, wanted))
            assert values.shape == wanted_values.shape
            assert np.abs(values - wanted_values).mean() < 0.05 * np.abs(wanted_values).mean()

    def test_count_by_their_alpha(self, network: Network) -> None:
        """Red, and blue that is half transparent: twice as much red."""
        picture = np.zeros((64, 64, 4), np.float32)
        picture[:32], picture[32:] = (1, 0, 0, 1), (0, 0, 1, 0.5)
        (statistics,) = measure_style(picture, network=network, config=QUICK).statistics
        np.testing.assert_allclose(statistics.mean, [2 / 3, 0, 1 / 3], atol=0.01)

    def test_give_the_same_result_whatever_is_hidden(self, network: Network, photo: np.ndarray) -> None:
        one, other = (run(network, photo, cut_out(hidden)).image for hidden in HIDDEN)
        np.testing.assert_allclose(one, other, atol=2e-3)
        plain = run(network, photo, cut_out(0)[(*INSIDE, slice(0, 3))], config=replace(QUICK, style_scale=0.75)).image
        np.testing.assert_allclose(one.mean((0, 1)), plain.mean((0, 1)), atol=0.02)

    def test_start_from_the_visible_colors(self, network: Network, photo: np.ndarray) -> None:
        config = replace(QUICK, steps=1, init=(("style", 1.0),))
        one, other = (run(network, photo, cut_out(hidden), config=config).image for hidden in HIDDEN)
        np.testing.assert_allclose(one, other, atol=2e-3)


class TestContents:
    @pytest.mark.parametrize("is_measured", [False, True])
    def test_give_the_same_result_whatever_is_hidden(
        self, network: Network, painting: np.ndarray, is_measured: bool
    ) -> None:
        """And inside, the style of what is visible: its colors have the mean of the style's."""
        style = measure_style(painting, network=first_layer(network), config=QUICK) if is_measured else painting
        config = replace(QUICK, steps=20, content_weight=0.01, grain_weight=0.0)
        one, other = (run(network, cut_out(hidden), style, config=config).image for hidden in HIDDEN)
        assert one.shape == (64, 64, 3)
        np.testing.assert_allclose(one[INSIDE], other[INSIDE], atol=5e-3)
        np.testing.assert_allclose(one[INSIDE].mean((0, 1)), painting.mean((0, 1)), atol=0.02)

    def test_masks_are_of_what_is_visible(self, network: Network, painting: np.ndarray) -> None:
        mask = np.zeros((64, 64), np.float32)
        mask[:32] = 1
        masks = {"content_mask": mask, "style_mask": np.ones_like(painting[..., 0])}
        one, other = (run(network, cut_out(hidden), painting, **masks).image for hidden in HIDDEN)
        np.testing.assert_allclose(one[INSIDE], other[INSIDE], atol=2e-3)

    def test_in_a_batch_with_opaque_ones(self, network: Network, painting: np.ndarray) -> None:
        contents, first = [cut_out(1.0), random_picture(64, 64, 3)], first_layer(network)
        alone = [run(network, content, painting) for content in contents]
        together: list[Stylized] = stylize_batch(contents, [painting] * 2, network=first, config=QUICK, batch_size=2)
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found.image, expected.image, atol=2 / 255)
