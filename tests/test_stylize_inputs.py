"""Each setting of the main path does what it says; what is taken as a picture, and what is refused in one line."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from support import naive
from support.quick import QUICK, random_picture, run

from jaxstyle import Progress
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images.resizing import MIN_SIDE, fit_shape, resize
from jaxstyle.networks.network import Network

NOISE = (("noise", 1.0),)


def smooth_picture(height: int, width: int) -> np.ndarray:
    return resize(random_picture(9, 9), height, width)


class TestSettings:
    """Each does what it says, with one layer of the network."""

    @pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
    @pytest.mark.parametrize("normalization", ["relative", "gatys"])
    def test_losses_fall(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, normalization: str, optimizer: str
    ) -> None:
        config = replace(QUICK, normalization=normalization, optimizer=optimizer)
        total = run(network, photo, painting, config=config).history.total
        assert total.min() < 0.8 * total[0]

    def test_seeds_matter_only_to_noise(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        for init, differ in ((NOISE, True), ((("content", 1.0), ("noise", 0.1)), True), (QUICK.init, False)):
            config = replace(QUICK, init=init)
            one, other, again = (run(network, photo, painting, config=config, seed=seed).image for seed in (0, 1, 0))
            assert one.tobytes() == again.tobytes()
            assert (one.tobytes() != other.tobytes()) == differ

    def test_without_content_weight_there_is_only_texture(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        config = replace(QUICK, content_weight=0, init=NOISE)
        result, other = (run(network, content, painting, config=config) for content in (photo, 1 - photo))
        assert result.image.tobytes() == other.image.tobytes()
        assert result.history.style[-1] < 0.5 * result.history.style[0]

    def test_starting_pictures(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        config = replace(QUICK, steps=1, init=(("picture", 1.0),))
        start = random_picture(20, 30)
        looks: list[Progress] = []
        run(network, photo, painting, config=config, initial_picture=start, callback=looks.append)
        from_photo = run(network, photo, painting, config=config, initial_picture=photo)
        assert from_photo.history.content[0] < 1e-9
        assert np.corrcoef(looks[0].picture[:20, :30].ravel(), start.ravel())[0, 1] < 0.9  # stretched, not cropped
        assert looks[0].picture.mean() == pytest.approx(start.mean(), abs=0.02)
        with pytest.raises(ConfigError, match="initial_picture="):
            run(network, photo, painting, config=config)

    def test_several_styles(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        other = random_picture(31, 45)
        single = run(network, photo, painting)
        for styles in ([painting], (painting,)):
            assert run(network, photo, styles).image.tobytes() == single.image.tobytes()
        config = replace(QUICK, style_blend=(1.0, 0.0))
        first = run(network, photo, [painting, other], config=config)
        np.testing.assert_allclose(first.history.total, single.history.total, rtol=1e-3)
        both = run(network, photo, [painting, other])
        assert np.abs(both.image - single.image).mean() > 0.01
        with pytest.raises(ConfigError, match="style_blend"):
            run(network, photo, painting, config=config)

    @pytest.mark.parametrize("scale", [0.5, 1, 2])
    @pytest.mark.parametrize("shape", [(33, 32), (150, 200)])
    def test_style_scale_is_that_of_the_style_to_the_result(
        self, network: Network, photo: np.ndarray, shape: tuple[int, int], scale: float
    ) -> None:
        looks: list[Progress] = []
        style = smooth_picture(*shape)
        config = replace(QUICK, style_scale=scale, steps=1)
        found = run(network, photo, style, config=config, callback=looks.append).history.style[0]
        scaled = resize(style, *fit_shape(*shape, round(64 * scale)))
        grams = [naive.gram(naive.features(network, x, "relu1_1")["relu1_1"]) for x in (looks[0].picture, scaled)]
        assert found == pytest.approx(naive.style_loss(*grams, "relative"), rel=1e-3)

    @pytest.mark.parametrize(("shape", "size"), [((61, 45), 67), ((16, 16), 16)])
    def test_sizes_that_are_multiples_of_nothing(
        self, network: Network, painting: np.ndarray, shape: tuple[int, int], size: int
    ) -> None:
        result = run(network, random_picture(*shape), painting[:, :64], config=replace(QUICK, size=size, steps=2))
        assert result.image.shape == (*fit_shape(*shape, size), 3) and np.isfinite(result.image).all()

    def test_pictures_of_one_color(self, network: Network) -> None:
        black, gray = np.zeros((40, 50, 3), np.float32), np.full((40, 50, 3), 0.5, np.float32)
        for content, style in ((black, gray), (gray, black), (black, black)):
            result = run(network, content, style)
            assert np.abs(result.image - style[:40, :50].mean()).max() < 0.1

    def test_unknown_layers_are_named(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        with pytest.raises(ConfigError, match="relu9_1"):
            run(network, photo, painting, config=replace(QUICK, style_layers=(("relu9_1", 1.0),)))


class TestPictures:
    """What is taken as a picture, and what is refused in one line."""

    @pytest.mark.parametrize("convert", [np.float64, jnp.float32, np.asfortranarray], ids=["float64", "jax", "fortran"])
    def test_any_array_of_floats(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, convert: Callable[[np.ndarray], Any]
    ) -> None:
        expected = run(network, photo, painting)
        result = run(network, convert(photo), convert(painting))
        assert result.image.tobytes() == expected.image.tobytes()

    BAD = (
        ("bytes", np.uint8(255) * np.ones((32, 32, 3), np.uint8), "uint8"),
        ("integers", np.ones((32, 32, 3), int), "int64"),
        ("not a number", np.full((32, 32, 3), np.nan), "nan"),
        ("one that is not a number", np.where(np.arange(32 * 32 * 3).reshape(32, 32, 3) == 5, np.nan, 0.5), "nan"),
        ("below 0", random_picture(32, 32) - 0.1, "-0."),
        ("above 1", random_picture(32, 32) * 255, "25"),
        ("infinite", np.full((32, 32, 3), np.inf), "inf"),
        ("gray", random_picture(32, 32)[..., 0], "[32, 32]"),
        ("one channel", random_picture(32, 32)[..., :1], "[32, 32, 1]"),
        ("alpha", np.ones((32, 32, 4)), "[32, 32, 4]"),
        ("a stack", np.ones((2, 32, 32, 3)), "[2, 32, 32, 3]"),
        ("channels first", np.ones((3, 32, 32)), "[3, 32, 32]"),
        ("nothing", np.ones((0, 32, 3)), "[0, 32, 3]"),
    )

    @pytest.mark.parametrize("place", ["content", "style", "second style", "start"])
    @pytest.mark.parametrize(("picture", "found"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
    def test_all_else_is_refused(self, network: Network, picture: np.ndarray, found: str, place: str) -> None:
        good = random_picture(32, 32)
        content = picture if place == "content" else good
        styles = {"style": [picture], "second style": [good, picture]}.get(place, [good])
        message = refusal(network, content, styles, initial_picture=picture if place == "start" else None)
        assert found in message and "expected" in message

    def test_too_thin_contents_and_styles(self, network: Network) -> None:
        good, thin = random_picture(32, 32), random_picture(5, 64)
        for content, style, name in ((thin, good, "content"), (good, thin, "style")):
            message = refusal(network, content, [style])
            assert name in message and "64 x 5 pixels" in message and str(MIN_SIDE) in message

    def test_no_style(self, network: Network) -> None:
        assert "style" in refusal(network, random_picture(32, 32), [])


def refusal(network: Network, content: np.ndarray, styles: Sequence[np.ndarray], **options: Any) -> str:
    """The message, one line, of the PictureError that is raised before the callback is called."""
    calls: list[Progress] = []
    with pytest.raises(PictureError) as caught:
        run(network, content, styles, callback=calls.append, **options)
    assert not calls and str(caught.value).isprintable()
    return str(caught.value)
