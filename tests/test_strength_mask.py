"""Strength masks: where and how strongly to paint."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from support import command, naive
from support.command import CONTENT, STYLE
from support.quick import QUICK, first_layer, run

from jaxstyle import stylize_batch
from jaxstyle.errors import JaxStyleError, PictureError
from jaxstyle.files import read_strength_mask
from jaxstyle.images import read_image, read_shape, resize, write_image
from jaxstyle.networks import Network
from jaxstyle.optimization import Progress
from jaxstyle.stylize import measure_style
from jaxstyle.stylizer import Stylizer, make_stylizer

FULL = replace(QUICK, size=96)
LEFT = np.zeros((73, 96), np.float32)
LEFT[:, :40] = 1


class TestPainting:
    def test_black_stays_the_content_to_the_bit(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        calls: list[Progress] = []
        colored = {"config": FULL, "strength_mask": LEFT, "callback": calls.append}
        gray = colored | {"config": replace(FULL, colors=(("luminance", 1.0),))}
        for options in (colored, gray):
            image = run(network, photo, painting, **options).image
            assert image[:, 40:].tobytes() == photo[:, 40:].tobytes()
            assert np.abs(image[:, :40] - photo[:, :40]).mean() > 0.02
        assert all((progress.picture[:, 40:] == photo[:, 40:]).all() for progress in calls)

    def test_only_what_is_painted_counts_for_the_style(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        pictures: list[np.ndarray] = []

        def callback(progress: Progress) -> None:
            pictures.append(np.array(progress.state.picture))

        result = run(network, photo, painting, config=FULL, strength_mask=LEFT, callback=callback)
        start, style = (naive.features(network, x, "relu1_1")["relu1_1"] for x in (pictures[0], painting))
        # The style is resized to 96 pixels, whose Gram matrix is not far from that at 80.
        expected = naive.style_loss(naive.gram(start[:, :40]), naive.gram(style), "relative")
        everywhere = naive.style_loss(naive.gram(start), naive.gram(style), "relative")
        found = float(result.history.style[0])
        assert abs(found - expected) < 0.1 * abs(expected - everywhere)

    def test_gray_is_painted_in_part(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        options = {"config": replace(FULL, init=(("picture", 1.0),)), "initial_picture": photo}
        full, white, half = (
            run(network, photo, painting, strength_mask=mask, **options).image
            for mask in (None, np.ones((73, 96)), np.full((7, 9), 0.5))
        )
        np.testing.assert_allclose(white, full, atol=0.02)
        np.testing.assert_allclose(half, (photo + full) / 2, atol=0.01)

    def test_within_regions_and_on_transparent_contents(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        top = np.zeros((73, 96), np.float32)
        top[:30] = 1
        masks = {"content_mask": top, "style_mask": np.eye(8, 10, dtype=np.float32)}
        for content, options in ((photo, masks), (np.dstack([photo, 0.2 + 0.8 * top]), {})):
            image = run(network, content, painting, config=FULL, strength_mask=LEFT, **options).image
            assert image[:, 40:].tobytes() == photo[:, 40:].tobytes()
            assert np.isfinite(image).all() and np.abs(image[:, :40] - photo[:, :40]).mean() > 0.02

    def test_a_stylizer_agrees(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first, config = first_layer(network), replace(QUICK, size=48, steps=3, strength=0.7)
        soft = np.linspace(0, 1, 24, dtype=np.float32)[None].repeat(18, 0)
        soft[:, :8] = 0
        expected = run(network, photo, painting, config=config, strength_mask=soft).image
        stylizer = make_stylizer(first, config, height=73, width=96)
        style = measure_style(painting, network=first, config=config)
        paint = jax.jit(Stylizer.__call__)
        found = np.asarray(paint(stylizer, photo, style, strength_mask=soft))
        assert np.abs(found - expected).mean() < 1e-3
        unpainted = resize(photo, *found.shape[:2])
        np.testing.assert_allclose(found[:, :14], unpainted[:, :14], atol=1e-5)
        assert np.abs(found - unpainted)[:, 30:].mean() > 0.05
        black = paint(stylizer, photo, style, strength_mask=np.zeros_like(soft))
        np.testing.assert_allclose(black, unpainted, atol=1e-5)
        for mask, message in ((soft[..., None], r"is \[18, 24, 1\]"), (soft.T, "has 18 x 24 pixels")):
            with pytest.raises(PictureError, match=f"the strength mask {message}"):
                paint(stylizer, photo, style, strength_mask=mask)

    def test_pairs_of_a_batch_are_as_alone(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        first, masks = first_layer(network), [LEFT, None]
        alone = [run(network, photo, painting, strength_mask=mask).image for mask in masks]
        for batch_size in (1, 2):
            found = stylize_batch(
                [photo] * 2,
                [painting] * 2,
                network=first,
                config=QUICK,
                strength_masks=masks,
                batch_size=batch_size,
            )
            for result, expected in zip(found, alone, strict=True):
                assert np.abs(result.image - expected).mean() < (1e-3 if batch_size > 1 else 1e-9)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((96, 73)), "the strength mask has 73 x 96 pixels and the content has 96 x 73; expected the same"),
        (np.ones((1, 73, 96)), r"the strength mask is \[1, 73, 96\]; expected \[H, W\]$"),
        (np.full((73, 96), 1.5), "the strength mask has values from 1.5 to 1.5; expected 0 to 1"),
        (np.zeros((73, 96)), "the strength mask is 0 everywhere"),
    ],
)
def test_wrong_masks(network: Network, photo: np.ndarray, painting: np.ndarray, mask: Any, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        run(network, photo, painting, strength_mask=mask)


def test_masks_where_nothing_is_visible(network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
    content = np.dstack([photo, 1 - LEFT])
    with pytest.raises(PictureError, match="the strength mask is black wherever the content is visible"):
        run(network, content, painting, strength_mask=LEFT)


class TestFiles:
    @pytest.fixture
    def mask(self, tmp_path: Path) -> Path:
        height, width = read_shape(CONTENT)
        picture = np.zeros((height, width, 3), np.float32)
        picture[:, : width // 2] = 1
        picture[:, width // 2 :] = 2 / 255  # as JPEG's noise in black
        write_image(tmp_path / "mask.png", picture)
        return tmp_path / "mask.png"

    def test_the_command_keeps_the_content_where_the_mask_is_black(self, mask: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.png"
        arguments = ("stylize", CONTENT, STYLE, "-o", output, *command.QUICK, "--strength-mask", mask, "--json")
        record = json.loads(command.succeed(*arguments))
        assert record["strength_mask"] == "mask.png"
        found, content = read_image(output), read_image(CONTENT, size=64)
        write_image(tmp_path / "content.png", content, dither=True)
        np.testing.assert_array_equal(found[:, 34:], read_image(tmp_path / "content.png")[:, 34:])
        assert np.abs(found[:, :30] - content[:, :30]).mean() > 0.05
        outcome = command.run("stylize", CONTENT, STYLE, "-o", mask, *command.QUICK, "--strength-mask", mask)
        assert outcome.code and f"{mask} is one of the pictures to read" in outcome.err

    def test_a_job_does_the_same(self, mask: Path, tmp_path: Path) -> None:
        row = {"content": str(CONTENT), "style": str(STYLE), "strength_mask": "mask.png", "output": "out.png"}
        (tmp_path / "pairs.jsonl").write_text(json.dumps(row))
        command.succeed("batch", tmp_path / "pairs.jsonl", "-o", tmp_path / "results", *command.QUICK)
        alone = tmp_path / "alone.png"
        command.succeed("stylize", CONTENT, STYLE, "-o", alone, *command.QUICK, "--strength-mask", mask)
        np.testing.assert_array_equal(read_image(tmp_path / "results" / "out.png"), read_image(alone))

    @pytest.mark.parametrize(
        ("picture", "message"),
        [
            (np.zeros((30, 40, 3)), "is black everywhere"),
            (np.full((30, 40, 3), [1.0, 0.5, 0.5]), "has colors, such as #ff8080; expected a gray picture"),
            (np.ones((40, 30, 3)), "has 30 x 40 pixels and .* has 40 x 30; expected the same proportions"),
        ],
    )
    def test_pictures_that_are_no_mask(self, picture: np.ndarray, message: str, tmp_path: Path) -> None:
        write_image(tmp_path / "content.png", np.full((30, 40, 3), 0.5, np.float32))
        write_image(tmp_path / "mask.png", np.float32(picture))
        with pytest.raises(JaxStyleError, match=message) as caught:
            read_strength_mask(tmp_path / "mask.png", 40, tmp_path / "content.png")
        assert str(caught.value).startswith(f"{tmp_path}/mask.png") and str(caught.value).isprintable()
