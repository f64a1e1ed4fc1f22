"""A scale for each style, and styles turned by an angle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import command
from support.command import CONTENT, STYLE
from support.quick import QUICK, first_layer, run

from jaxstyle import load_style, make_stylizer, measure_style, stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import read_image, resize_longest, rotate
from jaxstyle.jobs import read_manifest
from jaxstyle.networks import Network
from jaxstyle.optimization import style_statistics
from jaxstyle.options import Options
from jaxstyle.styles import gram_matrix

TURNED = replace(QUICK, rotate_style=30.0)


def grams(network: Network, config: StyleConfig, styles: list) -> np.ndarray:
    return np.asarray(style_statistics(first_layer(network), config, styles, 64).measured["relu1_1"])


class TestScales:
    def test_each_style_is_measured_at_its_own(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        found = grams(network, replace(QUICK, style_scale=(0.5, 1.25), style_blend=(1.0, 3.0)), [photo, painting])
        first = first_layer(network)
        separate = [
            np.asarray(gram_matrix(first.features(resize_longest(picture, size), ("relu1_1",))["relu1_1"]))
            for picture, size in ((photo, 32), (painting, 80))
        ]
        np.testing.assert_allclose(found, (separate[0] + 3 * separate[1]) / 4, rtol=1e-4, atol=1e-3)

    def test_one_is_for_all_styles(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        styles = [painting, photo]
        found = [run(network, photo, styles, config=replace(QUICK, style_scale=s)) for s in (0.5, (0.5,), (0.5, 0.5))]
        assert len({result.image.tobytes() for result in found}) == 1
        config = replace(QUICK, style_scale=(0.5, 1.0))
        (batched,) = stylize_batch([photo], [styles], network=first_layer(network), config=config)
        assert batched.image.tobytes() == run(network, photo, styles, config=config).image.tobytes()
        assert batched.image.tobytes() != found[0].image.tobytes()

    def test_a_measured_blend_has_the_sizes_of_results(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        first, config = first_layer(network), replace(QUICK, style_scale=(0.5, 1.0))
        style = measure_style([photo, painting], network=first, config=config)
        assert style.sizes == (64,)
        expected = run(network, photo, [photo, painting], config=config).image
        assert run(network, photo, style).image.tobytes() == expected.tobytes()

    def test_another_number_than_of_styles(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        with pytest.raises(ConfigError, match="style_scale has 2 factors for 1 style; expected one for all, or one"):
            run(network, photo, painting, config=replace(QUICK, style_scale=(0.5, 1.0)))


class TestTurning:
    def test_a_turned_style_is_measured(self, network: Network, painting: np.ndarray) -> None:
        resized = resize_longest(painting, 64)
        for degrees in (90, -30, 45):
            found = grams(network, replace(QUICK, rotate_style=float(degrees)), [painting])
            features = first_layer(network).features(rotate(resized, degrees), ("relu1_1",))["relu1_1"]
            np.testing.assert_allclose(found, gram_matrix(features), rtol=1e-4, atol=1e-3)

    def test_colors_are_those_of_the_whole_style(self, network: Network, painting: np.ndarray) -> None:
        """Also where a corner that is cut off has other colors."""
        style = painting.copy()
        style[:20, :20] = [1, 0, 1]
        upright, turned = (style_statistics(first_layer(network), config, [style], 64) for config in (QUICK, TURNED))
        for name in ("color", "mean", "second"):
            np.testing.assert_allclose(getattr(turned, name), getattr(upright, name), atol=1e-6)

    def test_with_masks_and_transparent_styles(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        """A style of two colors, of which one is masked or hidden: nothing of it counts, however it is turned."""
        style, left = np.zeros((60, 90, 3), np.float32), np.zeros((60, 90), np.float32)
        style[..., 1], left[:, :45] = 1, 1
        style[:, :45] = [1, 0, 0]
        config = replace(TURNED, steps=12, content_weight=0.0, tv_weight=0.0)
        masks = {"content_mask": np.ones((1, 73, 96)), "style_mask": left[None]}
        alone = run(network, photo, style, config=config, **masks).image
        hidden = run(network, photo, np.dstack([style, left]), config=config).image
        for image in (alone, hidden):
            assert image[..., 0].mean() > 0.8 > 0.15 > image[..., 1].mean()

    def test_everywhere_the_same(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first = first_layer(network)
        expected = run(network, photo, painting, config=TURNED).image
        (batched,) = stylize_batch([photo], [painting], network=first, config=TURNED)
        assert batched.image.tobytes() == expected.tobytes()
        measured = measure_style(painting, network=first, config=TURNED)
        assert run(network, photo, measured).image.tobytes() == expected.tobytes()
        assert expected.tobytes() != run(network, photo, painting).image.tobytes()

    def test_what_cannot_be_turned(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first = first_layer(network)
        measured = measure_style(painting, network=first, config=QUICK)
        with pytest.raises(ConfigError, match="rotate_style is 30, and a measured style has no picture to turn"):
            run(network, photo, measured, config=TURNED)
        for config in (TURNED, replace(QUICK, style_scale=(1.0, 2.0))):
            with pytest.raises(ConfigError, match="a stylizer takes one measured style"):
                make_stylizer(first, config, height=64, width=64)
        with pytest.raises(PictureError, match="the style would be .* pixels; expected at least 16"):
            run(network, photo, painting[:17], config=TURNED)


class TestFiles:
    def test_of_options_and_manifests(self, tmp_path: Path) -> None:
        (tmp_path / "pairs.jsonl").write_text(
            '{"content": "a.png", "style": ["b.png", "c.png"], "style_scale": [1, 2]}'
        )
        (task,) = read_manifest(tmp_path / "pairs.jsonl", Options(rotate_style=45.0))
        assert task.settings.config.style_scale == (1.0, 2.0) and task.settings.config.rotate_style == 45
        (tmp_path / "pairs.csv").write_text('content,style,style_scale\na.png,b.png;c.png,"1,2,3"\n')
        with pytest.raises(ConfigError, match="line 2, column style_scale has 3 factors for 2 styles"):
            read_manifest(tmp_path / "pairs.csv", Options())
        with pytest.raises(ConfigError, match="--style-scale is empty"):
            Options(style_scale="").settings()

    def test_saved_styles(self, network: Network, tmp_path: Path) -> None:
        saved, layers = tmp_path / "s.safetensors", ("--style-layers", "relu1_1", "--size", 64)
        command.succeed(
            "style", "save", STYLE, CONTENT, "-o", saved, *layers, "--style-scale", "0.5,1", "--rotate-style", 90
        )
        assert load_style(saved).sizes == (64,)
        command.succeed("stylize", CONTENT, saved, "-o", tmp_path / "a.png", *command.QUICK)
        both = ("--style-scale", "0.5,1", "--rotate-style", 90)
        command.succeed("stylize", CONTENT, STYLE, CONTENT, "-o", tmp_path / "b.png", *command.QUICK, *both)
        one, other = (read_image(tmp_path / name) for name in ("a.png", "b.png"))
        np.testing.assert_array_equal(one, other)
