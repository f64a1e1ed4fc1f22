"""Masks: resampled, given, from pictures of flat colors, and found by features."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.examples import EXAMPLES
from support.masks import LEFT, TOP, mask_of, with_noise
from support.pictures import encoded, examples
from support.quick import random_picture

from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import read_image
from jaxstyle.networks import Network, random_network
from jaxstyle.styles import check_masks, find_masks, masks_from_colors, resample_masks


class TestResample:
    @examples
    @given(
        sizes=st.tuples(*[st.integers(1, 40)] * 4),
        count=st.integers(1, 4),
        seed=st.integers(0, 2**32),
    )
    def test_masks_still_add_up_to_1(self, tmp_path, sizes: tuple[int, ...], count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        mask = rng.dirichlet(np.ones(count), sizes[:2]).transpose(2, 0, 1).astype(np.float32)
        resampled = resample_masks(mask, *sizes[2:])
        assert resampled.shape == (count, *sizes[2:])
        assert resampled.min() >= 0
        np.testing.assert_allclose(resampled.sum(0), 1, rtol=1e-5)

    def test_the_same_size_changes_nothing(self) -> None:
        mask = np.random.default_rng(0).random((2, 7, 5), np.float32)
        np.testing.assert_allclose(resample_masks(mask, 7, 5), mask, rtol=1e-6)

    def test_a_single_pixel_never_vanishes(self) -> None:
        for row, column in np.ndindex(8, 8):
            assert resample_masks(mask_of((slice(row, row + 1), slice(column, column + 1)), 8, 8)[None], 2, 2).any()

    def test_halves_stay_halves(self) -> None:
        resampled = resample_masks(mask_of(TOP)[None], 4, 6)[0]
        np.testing.assert_allclose(resampled, np.repeat([[1], [0.88], [0.12], [0]], 6, axis=1), atol=1e-6)


class TestGivenMasks:
    def test_one_region_and_the_rest(self) -> None:
        masks = check_masks(mask_of(TOP), [mask_of(LEFT)], 1)
        for found, expected in ((masks.content, mask_of(TOP)), (masks.styles[0], mask_of(LEFT))):
            np.testing.assert_array_equal(found, [expected, 1 - expected])

    @pytest.mark.parametrize(
        ("content", "style", "message"),
        [
            (np.ones((3,)), np.ones((4, 4)), "content mask is [3]"),
            (np.ones((0, 4)), np.ones((4, 4)), "content mask is [0, 4]"),
            (np.ones((4, 4)), 2 * np.ones((4, 4)), "style mask has values from 2.0 to 2.0"),
            (np.ones((4, 4)), np.full((4, 4), np.nan), "style mask has values from nan to nan"),
            (np.zeros((4, 4)), np.ones((4, 4)), "content mask is 0 everywhere"),
            (np.ones((3, 4, 4)), np.ones((4, 4)), "style mask has 2 regions and the content mask has 3"),
        ],
    )
    def test_invalid_masks(self, content: np.ndarray, style: np.ndarray, message: str) -> None:
        with pytest.raises(PictureError) as caught:
            check_masks(content, [style], 1)
        assert message in str(caught.value)

    def test_every_style_needs_a_mask(self) -> None:
        with pytest.raises(ConfigError, match="1 style mask for 2 style pictures"):
            check_masks(mask_of(TOP), [mask_of(TOP)], 2)


def fill(*areas: tuple[tuple[slice, slice], tuple[float, ...]]) -> np.ndarray:
    """A white picture `[24, 24, 3]` with rectangles of flat colors."""
    picture = np.ones((24, 24, 3), np.float32)
    for area, color in areas:
        picture[area] = color
    return picture


class TestMasksFromColors:
    RED, BLUE, GRAY = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.5)
    HALF, QUARTER = (slice(0, 12), slice(None)), (slice(12, 24), slice(0, 12))

    def test_every_color_is_a_region(self) -> None:
        content = fill((self.HALF, self.RED), (self.QUARTER, self.BLUE))
        style = fill((self.QUARTER, self.RED), (self.HALF, self.GRAY))
        masks = masks_from_colors(content, [style])
        red, blue, white = (masks.content[:, row, column].argmax() for row, column in ((0, 0), (-1, 0), (-1, -1)))
        np.testing.assert_array_equal(masks.content[red], mask_of(self.HALF, 24, 24))
        np.testing.assert_array_equal(masks.content[blue], mask_of(self.QUARTER, 24, 24))
        np.testing.assert_array_equal(masks.styles[0][red], mask_of(self.QUARTER, 24, 24))
        assert not masks.styles[0][blue].any()
        assert masks.styles[0][white].sum() == 144
        assert not masks.styles[0][:, :12].any(), "gray is not among the content's colors"

    def test_soft_edges_and_noise_make_no_regions(self) -> None:
        rows = np.repeat([0, 0.3, 0.7, 1], [20, 1, 1, 20]).astype(np.float32)
        content = np.tile(rows[:, None, None], (1, 30, 3))
        content[8:34] += 0.04 * random_picture(26, 30) - 0.02
        content = content.clip(0, 1)
        masks = masks_from_colors(content, [content])
        assert len(masks.content) == 2
        np.testing.assert_array_equal(masks.content.sum(0), 1)

    @pytest.mark.parametrize("side", [1, 2, 5])
    def test_a_small_color_is_a_region(self, side: int) -> None:
        spot = (slice(3, 3 + side), slice(5, 5 + side))
        content = fill((self.HALF, self.BLUE), (spot, self.RED))
        masks = masks_from_colors(content, [content])
        assert len(masks.content) == 3 and not masks.warnings
        assert mask_of(spot, 24, 24).tolist() in masks.content.tolist()
        np.testing.assert_array_equal(masks.content, masks.styles[0])

    def test_near_colors_are_separate_regions(self) -> None:
        """Also in a picture with soft edges, which has many colors."""
        content = np.ones((60, 60, 3), np.float32)
        content[:25], content[30:] = (200 / 255, 0, 0), (205 / 255, 0, 0)
        ramp = np.linspace(0, 1, 20)[:, None, None] * [1, 1, 0.5]
        for picture in (content, np.concatenate([content, np.broadcast_to(ramp, (20, 60, 3))], dtype=np.float32)):
            mask = masks_from_colors(picture, [picture]).content
            assert mask[:, 0, 0].argmax() != mask[:, 40, 0].argmax()

    @pytest.mark.parametrize("kind", ["antialiased", "jpeg", "both"])
    def test_soft_edges_and_jpeg_belong_to_the_regions_beside_them(self, kind: str) -> None:
        """Three colors of which none is between two others, drawn at 4 times the size: the truth is every 4th pixel."""
        rows, columns = np.mgrid[:480, :640]
        drawn = np.zeros((480, 640, 3), np.uint8)
        drawn[rows > 200 + columns / 8] = 40, 90, 220
        drawn[np.hypot(rows - 180, columns - 300) < 120] = 230, 200, 30
        truth = drawn[2::4, 2::4]
        image = Image.fromarray(drawn).reduce(4) if kind != "jpeg" else Image.fromarray(truth)
        if kind != "antialiased":
            image = Image.open(io.BytesIO(encoded(image, "JPEG", quality=80)))
        picture = np.asarray(image, np.float32) / 255
        masks = masks_from_colors(picture, [truth / np.float32(255)])
        assert len(masks.content) == 3
        assert all("blurred or noisy spots" in warning for warning in masks.warnings)
        np.testing.assert_array_equal(masks.content.sum(0), 1)
        assert (masks.content == masks.styles[0]).all(0).mean() > 0.98

    @pytest.mark.parametrize("width", [4, 40])
    def test_a_gradual_edge_is_divided_in_the_middle(self, width: int) -> None:
        ramp = ((np.arange(400) - 200) / width + 0.5).clip(0, 1)
        picture = np.float32(np.rint(ramp * 255) / 255)[None, :, None].repeat(30, 0).repeat(3, -1)
        masks = masks_from_colors(picture, [picture])
        assert len(masks.content) == 2 and not masks.warnings
        edges = np.abs(np.diff(masks.content[0, 5])).nonzero()[0]
        assert len(edges) == 1 and abs(edges[0] - 200) <= 2

    def test_colors_without_a_partner_are_named(self) -> None:
        content = fill((self.HALF, self.RED), (self.QUARTER, self.BLUE))
        style = fill((self.HALF, self.RED), (self.QUARTER, self.GRAY))
        (missing, unused) = masks_from_colors(content, [style], ["c.png", "s.png"]).warnings
        assert missing == "s.png lacks #0000ff of c.png, which takes the whole style there"
        assert unused == "s.png has #808080, which c.png lacks; that part of the style is not used"

    def test_a_spot_too_blurred_for_a_region_is_named(self) -> None:
        rows, columns = np.mgrid[:80, :80] - 40
        share = np.exp(-(rows**2 + columns**2) / 40.0)[..., None]
        content = np.where(columns[..., None] < 15, 0.0, 1.0) * (1 - share) + share * [1, 0, 0]
        masks = masks_from_colors(content.astype(np.float32), [content.astype(np.float32)])
        assert len(masks.content) == 2
        assert re.search(r"spots, such as #[a-f]\w{5} at x \d+, y \d+ of 80 x 80 pixels", masks.warnings[0])

    @pytest.mark.parametrize(
        ("content", "style", "message"),
        [
            (np.zeros((20, 20, 3)), np.zeros((20, 20, 3)), "content mask has 1 color, #000000; expected 2 to 16"),
            (random_picture(20, 20), random_picture(20, 20), "content mask is no mask (0% of its pixels"),
            (fill((HALF, RED)), random_picture(20, 20), "mask of style 1 is no mask"),
            (fill((HALF, RED)), np.zeros((20, 20, 3)), "expected the same colors in both"),
            (np.repeat(np.arange(17) / 17, 60).reshape(-1, 20, 1).repeat(3, -1), fill(), "has 17 flat colors"),
        ],
    )
    def test_invalid_masks(self, content: np.ndarray, style: np.ndarray, message: str) -> None:
        with pytest.raises(ConfigError) as caught:
            masks_from_colors(content.astype(np.float32), [style.astype(np.float32)])
        assert message in str(caught.value)

    @pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.jpg")), ids=lambda path: path.stem)
    def test_photographs_and_paintings_are_no_masks(self, path: Path) -> None:
        picture = read_image(path, size=200)
        with pytest.raises(ConfigError, match="is no mask"):
            masks_from_colors(picture, [picture])


@pytest.fixture(scope="module")
def random() -> Network:
    """A network with random weights that compiles quickly."""
    return random_network("alexnet")


class TestFoundMasks:
    def test_separate_gray_from_noise_in_both_pictures(self, random: Network) -> None:
        texture = with_noise(0.5)
        masks = find_masks(random, texture, [texture[:, ::-1] ** 2], 2)
        left, right = (masks.content[:, :, columns].mean((1, 2)) for columns in (slice(0, 4), slice(-4, None)))
        flat = left.argmax()
        assert left[flat] > 0.9 and right[flat] < 0.1
        mirrored = masks.styles[0][flat]
        assert mirrored[:, :4].mean() < 0.1 and mirrored[:, -4:].mean() > 0.9

    def test_add_up_to_1_and_are_reproducible(self, random: Network) -> None:
        texture = with_noise(0.5)
        one, other = (find_masks(random, texture, [texture, 1 - texture], 3) for _ in range(2))
        assert len(one.content) == 3
        for mask, again in zip((one.content, *one.styles), (other.content, *other.styles), strict=True):
            np.testing.assert_allclose(mask.sum(0), 1, rtol=1e-5)
            np.testing.assert_array_equal(mask, again)
        np.testing.assert_array_equal(one.content, one.styles[0])

    def test_are_finite_for_a_picture_of_one_color(self, random: Network) -> None:
        flat = np.full((32, 32, 3), 0.5, np.float32)
        masks = find_masks(random, flat, [flat], 2)
        assert np.isfinite(masks.content).all()
