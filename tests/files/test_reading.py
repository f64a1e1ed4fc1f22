"""Inputs from files: transparent styles, masks of any size, initial pictures, and styles that are too small."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.quick import random_picture

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.files import level_warnings, read_initial_picture, read_masks, read_styles, style_warnings
from jaxstyle.images import resize, write_image
from jaxstyle.networks import Network


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """A smooth painting, and the same in the middle of a transparent canvas of twice its size."""
    painting = resize(random_picture(6, 8), 90, 120)
    canvas = np.ones((180, 240, 3), np.float32)
    alpha = np.zeros((180, 240), np.float32)
    canvas[45:135, 60:180], alpha[45:135, 60:180] = painting, 1
    files = {name: tmp_path / f"{name}.png" for name in ("painting", "canvas", "wide")}
    write_image(files["painting"], painting)
    write_image(files["canvas"], canvas, alpha=alpha)
    write_image(files["wide"], np.ones((20, 80, 3), np.float32))
    return files


class TestStyles:
    CONFIG = StyleConfig(size=64)

    def read(self, network: Network, file: Path, background: str | None = None, **options: bool) -> np.ndarray:
        (style,), _ = read_styles([file], network, self.CONFIG, background, **options)
        assert isinstance(style, np.ndarray)
        return style

    def test_transparent_ones_are_what_is_visible(self, network: Network, pictures: dict[str, Path]) -> None:
        canvas, painting = (self.read(network, pictures[name]) for name in ("canvas", "painting"))
        assert canvas.shape == (48, 64, 4)
        inner = slice(2, 46), slice(2, 62)
        assert canvas[(*inner, 3)].min() > 0.98
        np.testing.assert_allclose(canvas[..., :3][inner], painting[inner], atol=0.03)

    def test_are_not_cropped_under_a_mask_or_on_a_background(self, network: Network, pictures: dict[str, Path]) -> None:
        whole = self.read(network, pictures["canvas"], crop=False)
        assert whole.shape == (48, 64, 4) and whole[0, 0, 3] == 0
        blue = self.read(network, pictures["canvas"], "blue")
        assert blue.shape == (48, 64, 3) and blue[0, 0].tolist() == [0, 0, 1]


class TestMasks:
    def test_of_many_pixels_are_read_at_a_working_size(self, tmp_path: Path, pictures: dict[str, Path]) -> None:
        levels = np.zeros((1500, 2000, 3), np.uint8)
        levels[:500], levels[750:770, 1000:1020] = (255, 255, 255), (255, 0, 0)  # 0.01 % of the area are red
        Image.fromarray(levels).save(tmp_path / "mask.png", compress_level=1)
        masks = read_masks(tmp_path / "mask.png", [tmp_path / "mask.png"], pictures["painting"], [pictures["painting"]])
        assert masks and masks.content.shape == (3, 768, 1024) and not masks.warnings
        assert masks.content.mean((1, 2)).tolist() == pytest.approx([2 / 3, 1 / 3, 1.3e-4], rel=0.1)

    def test_of_other_proportions_are_refused(self, pictures: dict[str, Path]) -> None:
        painting, wide = pictures["painting"], pictures["wide"]
        for mask, other in ((wide, painting), (painting, wide)):
            with pytest.raises(PictureError) as caught:
                read_masks(mask, [other], painting, [painting])
            assert str(caught.value).startswith(f"{wide} has 80 x 20 pixels and {painting} has 120 x 90; expected")
        with pytest.raises(ConfigError, match="1 style mask for 2 style pictures"):
            read_masks(wide, [wide], wide, [wide, wide])


class TestInitialPictures:
    def test_have_the_proportions_of_the_content(self, pictures: dict[str, Path]) -> None:
        painting, wide = pictures["painting"], pictures["wide"]
        for content in (painting, (750, 1000)):
            assert read_initial_picture(pictures["canvas"], 64, None, content).shape == (48, 64, 3)
            with pytest.raises(PictureError, match="80 x 20 pixels and .* has .* expected the same proportions"):
                read_initial_picture(wide, 64, None, content)

    def test_hide_no_white(self, pictures: dict[str, Path], tmp_path: Path) -> None:
        red, alpha = np.zeros((45, 60, 3), np.float32) + np.float32([1, 0, 0]), np.zeros((45, 60), np.float32)
        alpha[:, :30] = 1
        write_image(tmp_path / "half.png", red, alpha=alpha)
        file, painting = tmp_path / "half.png", pictures["painting"]
        read = [read_initial_picture(file, 60, color, painting) for color in (None, "white")]
        np.testing.assert_allclose(read[0], red, atol=1e-5)
        assert read[1][:, 40:].min() == 1


def test_small_styles_are_named(pictures: dict[str, Path], tmp_path: Path) -> None:
    painting, wide = pictures["painting"], pictures["wide"]
    assert style_warnings([((painting, tmp_path / "missing.png", Path("no.safetensors")), StyleConfig(size=240))]) == []
    assert style_warnings(((painting, wide), StyleConfig(size=size)) for size in (64, 640)) == [
        f"{wide} has 80 pixels on its longest side and is enlarged 8 times (also too small: 1 other), which "
        "blurs the style; use a larger file, or --style-scale 0.12 for finer strokes"
    ]


def test_levels_that_there_are_not_are_named() -> None:
    """256 pixels have two levels, of 256 and 128 pixels, if the shorter side has 32 at the smaller one."""
    many = StyleConfig(size=256, levels=9)
    assert level_warnings([StyleConfig(size=256), replace(many, levels=2), replace(many, strength=0)], (1, 1)) == []
    (warning,) = level_warnings([many, replace(many, levels=2)], (300, 400))
    assert warning == "--levels is 9, but a result of 256 pixels has only 2 levels: others would be too small"
    assert "256 pixels has only 1 level:" in level_warnings([many], (40, 400))[0]
    assert "a result of 64 pixels has at most 1 level:" in level_warnings([many, replace(many, size=64)])[0]
