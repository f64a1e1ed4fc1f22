"""The settings and inputs of `stylize`: their effects, and errors for invalid ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import naive
from support.quick import QUICK, first_layer, random_picture, run

from jaxstyle import Progress
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import MIN_SIDE, fit_shape, resize
from jaxstyle.networks import Network

NOISE = (("noise", 1.0),)


def smooth_picture(height: int, width: int) -> np.ndarray:
    return resize(random_picture(9, 9), height, width)


class TestSettings:
    """The effects of settings, with one layer of the network."""

    @pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
    @pytest.mark.parametrize("normalization", ["relative", "gatys"])
    def test_losses_decrease(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, normalization: str, optimizer: str
    ) -> None:
        config = replace(QUICK, normalization=normalization, optimizer=optimizer)
        total = run(network, photo, painting, config=config).history.total
        assert total.min() < 0.8 * total[0]

    def test_the_seed_affects_only_noise(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        for init, differ in ((NOISE, True), ((("content", 1.0), ("noise", 0.1)), True), (QUICK.init, False)):
            config = replace(QUICK, init=init)
            one, other, again = (run(network, photo, painting, config=config, seed=seed).image for seed in (0, 1, 0))
            assert one.tobytes() == again.tobytes()
            assert (one.tobytes() != other.tobytes()) == differ

    def test_a_content_weight_of_0_gives_a_texture(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        config = replace(QUICK, content_weight=0, init=NOISE)
        result, other = (run(network, content, painting, config=config) for content in (photo, 1 - photo))
        assert result.image.tobytes() == other.image.tobytes()
        assert result.history.style[-1] < 0.5 * result.history.style[0]

    def test_initial_pictures(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        config = replace(QUICK, steps=1, init=(("picture", 1.0),))
        initial = random_picture(23, 30)
        calls: list[Progress] = []
        run(network, photo, painting, config=config, initial_picture=initial, callback=calls.append)
        from_photo = run(network, photo, painting, config=config, initial_picture=photo)
        assert from_photo.history.content[0] < 1e-9
        assert np.corrcoef(calls[0].picture[:23, :30].ravel(), initial.ravel())[0, 1] < 0.9  # resized, not cropped
        assert calls[0].picture.mean() == pytest.approx(initial.mean(), abs=0.02)
        with pytest.raises(ConfigError, match="initial_picture="):
            run(network, photo, painting, config=config)
        with pytest.raises(PictureError, match="initial picture has 30 x 20 pixels and the content has 96 x 73"):
            run(network, photo, painting, config=config, initial_picture=random_picture(20, 30))

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
    def test_style_scale_is_relative_to_the_size_of_the_result(
        self, network: Network, photo: np.ndarray, shape: tuple[int, int], scale: float
    ) -> None:
        calls: list[Progress] = []
        style = smooth_picture(*shape)
        config = replace(QUICK, style_scale=scale, steps=1)
        found = run(network, photo, style, config=config, callback=calls.append).history.style[0]
        scaled = resize(style, *fit_shape(*shape, round(64 * scale)))
        grams = [
            naive.gram(naive.features(first_layer(network), x, "relu1_1")["relu1_1"])
            for x in (calls[0].picture, scaled)
        ]
        assert found == pytest.approx(naive.style_loss(*grams, "relative"), rel=1e-3)

    @pytest.mark.parametrize(("shape", "size"), [((61, 45), 67), ((16, 16), 16)])
    def test_odd_sizes_and_the_smallest_one(
        self, network: Network, painting: np.ndarray, shape: tuple[int, int], size: int
    ) -> None:
        result = run(network, random_picture(*shape), painting[:, :64], config=replace(QUICK, size=size, steps=2))
        assert result.image.shape == (*fit_shape(*shape, size), 3) and np.isfinite(result.image).all()

    def test_pictures_of_one_color(self, network: Network) -> None:
        black, gray = np.zeros((40, 50, 3), np.float32), np.full((40, 50, 3), 0.5, np.float32)
        for content, style in ((black, gray), (gray, black), (black, black), (gray, gray)):
            result = run(network, content, style, config=replace(QUICK, optimizer="lbfgs"))
            assert np.abs(result.image - style[:40, :50].mean()).max() < 0.1

    def test_a_layer_with_the_weight_0_does_not_count(
        self, network: Network, photo: np.ndarray, painting: np.ndarray
    ) -> None:
        layers = (("relu1_1", 1.0), ("conv1_1", 0.0))
        results = [
            run(network, photo, painting, config=replace(QUICK, steps=2, content_layers=chosen, style_layers=chosen))
            for chosen in (layers[:1], layers, (("relu1_1", 1.0), ("conv1_1", 1.0)))
        ]
        np.testing.assert_allclose(results[1].image, results[0].image, atol=1e-4)
        assert np.abs(results[2].image - results[0].image).max() > 1e-3

    def test_unknown_layers_are_named(self, network: Network, photo: np.ndarray, painting: np.ndarray) -> None:
        with pytest.raises(ConfigError, match="relu9_1"):
            run(network, photo, painting, config=replace(QUICK, style_layers=(("relu9_1", 1.0),)))


class TestPictures:
    """The arrays that are accepted as pictures, and one-line errors for all others."""

    @pytest.mark.parametrize("convert", [np.float64, jnp.float32, np.asfortranarray], ids=["float64", "jax", "fortran"])
    def test_any_array_of_floats(
        self, network: Network, photo: np.ndarray, painting: np.ndarray, convert: Callable[[np.ndarray], Any]
    ) -> None:
        expected = run(network, photo, painting)
        result = run(network, convert(photo), convert(painting))
        assert result.image.tobytes() == expected.image.tobytes()

    INVALID = (
        ("bytes", np.uint8(255) * np.ones((32, 32, 3), np.uint8), "uint8"),
        ("integers", np.ones((32, 32, 3), int), "int64"),
        ("not a number", np.full((32, 32, 3), np.nan), "nan"),
        (
            "a single value that is not a number",
            np.where(np.arange(32 * 32 * 3).reshape(32, 32, 3) == 5, np.nan, 0.5),
            "nan",
        ),
        ("below 0", random_picture(32, 32) - 0.1, "-0."),
        ("above 1", random_picture(32, 32) * 255, "25"),
        ("infinite", np.full((32, 32, 3), np.inf), "inf"),
        ("gray", random_picture(32, 32)[..., 0], "[32, 32]"),
        ("one channel", random_picture(32, 32)[..., :1], "[32, 32, 1]"),
        ("five channels", np.ones((32, 32, 5)), "[32, 32, 5]"),
        ("a stack", np.ones((2, 32, 32, 3)), "[2, 32, 32, 3]"),
        ("channels first", np.ones((3, 32, 32)), "[3, 32, 32]"),
        ("nothing", np.ones((0, 32, 3)), "[0, 32, 3]"),
    )

    @pytest.mark.parametrize("place", ["content", "style", "second style", "initial picture"])
    @pytest.mark.parametrize(("picture", "found"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
    def test_invalid_arrays(self, network: Network, picture: np.ndarray, found: str, place: str) -> None:
        good = random_picture(32, 32)
        content = picture if place == "content" else good
        styles = {"style": [picture], "second style": [good, picture]}.get(place, [good])
        initial_picture = picture if place == "initial picture" else None
        message = error_message(network, content, styles, initial_picture=initial_picture)
        assert found in message and "expected" in message

    def test_contents_and_styles_with_a_short_side(self, network: Network) -> None:
        good, thin = random_picture(32, 32), random_picture(5, 64)
        for content, style, name in ((thin, good, "content"), (good, thin, "style")):
            message = error_message(network, content, [style])
            assert name in message and "64 x 5 pixels" in message and str(MIN_SIDE) in message

    def test_no_style(self, network: Network) -> None:
        assert "style" in error_message(network, random_picture(32, 32), [])


def test_a_traced_content(network: Network, painting: np.ndarray) -> None:
    expected = r"a picture is a \w*Tracer without numbers; expected floats .*: inside jit, .* use make_stylizer"
    with pytest.raises(PictureError, match=expected):
        jax.eval_shape(lambda content: run(network, content, painting).image, jnp.zeros((20, 20, 3)))


def error_message(network: Network, content: np.ndarray, styles: Sequence[np.ndarray], **options: Any) -> str:
    """The one-line message of a PictureError that is raised before the callback is called."""
    calls: list[Progress] = []
    with pytest.raises(PictureError) as caught:
        run(network, content, styles, callback=calls.append, **options)
    assert not calls and str(caught.value).isprintable()
    return str(caught.value)
