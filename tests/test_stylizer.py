"""The stylizer: the same results as `stylize`, under all JAX transformations, and errors for invalid inputs."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from support.compiler import simulated_devices
from support.examples import EXAMPLES
from support.pyramid import sizes_from_32
from support.quick import QUICK, first_layer, random_picture

from jaxstyle import images
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import Network
from jaxstyle.styles import Style, blend_statistics
from jaxstyle.stylize import measure_style, stylize
from jaxstyle.stylizer import Stylizer, _resize, make_stylizer
from jaxstyle.weights import load_network

# With the optimizer that compiles faster, for tests that do not depend on it.
FAST = replace(QUICK, size=40, steps=4, optimizer="adam")


def make_example(network: Network) -> tuple[Stylizer, np.ndarray, Style]:
    """A stylizer, four contents and a style."""
    stylizer = make_stylizer(network, FAST, height=36, width=48)
    contents = np.stack([random_picture(36, 48, seed) for seed in range(4)])
    return stylizer, contents, stylizer.measure(random_picture(50, 40, seed=4) ** 2)


@pytest.fixture(scope="module")
def first(network: Network) -> Network:
    return first_layer(network)


@pytest.fixture(scope="module")
def example(first: Network) -> tuple[Stylizer, np.ndarray, Style]:
    return make_example(first)


@pytest.fixture(scope="module")
def stylizer(example: tuple[Stylizer, np.ndarray, Style]) -> Stylizer:
    return example[0]


@pytest.fixture(scope="module")
def contents(example: tuple[Stylizer, np.ndarray, Style]) -> np.ndarray:
    return example[1]


@pytest.fixture(scope="module")
def style(example: tuple[Stylizer, np.ndarray, Style]) -> Style:
    return example[2]


@pytest.fixture(scope="module")
def facets() -> np.ndarray:
    """A painting in strong colors, like the other one: color matching is less exact for colors close to gray."""
    return images.read_image(EXAMPLES / "style" / "facets.jpg", size=70)


@pytest.fixture(scope="module")
def expected(stylizer: Stylizer, contents: np.ndarray, style: Style) -> np.ndarray:
    """The result for each content, with the stylizer as an argument of a jitted function."""
    run = jax.jit(lambda stylizer, content, style: stylizer(content, style))
    return np.stack([run(stylizer, content, style) for content in contents])


def assert_close(found: Any, expected: Any, atol: float = 2e-3) -> None:
    np.testing.assert_allclose(found, expected, atol=atol)


class TestAgreesWithStylize:
    def test_at_one_size(self, first: Network, painting: np.ndarray, facets: np.ndarray) -> None:
        """From a mixture of all initial pictures for which they must agree."""
        initial_picture = random_picture(40, 50)
        config = replace(QUICK, optimizer="lbfgs", steps=3, style_scale=0.5, init=(("content", 2.0), ("picture", 1.0)))
        self.assert_agree(first, config, painting, facets, initial_picture=initial_picture)

    def test_across_two_sizes(self, first: Network, painting: np.ndarray, facets: np.ndarray) -> None:
        config = replace(QUICK, steps=2, optimizer="adam")
        content = images.resize(painting, 45, 75)
        with sizes_from_32():
            assert len(make_stylizer(first, config, height=45, width=75).levels) == 2
            self.assert_agree(first, config, content, facets)

    def assert_agree(
        self, network: Network, config: StyleConfig, content: np.ndarray, picture: np.ndarray, **options: Any
    ) -> None:
        expected = stylize(content, picture, network=network, config=config, **options)
        stylizer = make_stylizer(network, config, height=content.shape[0], width=content.shape[1])
        style = jax.jit(Stylizer.measure)(stylizer, picture)
        found = jax.jit(Stylizer.__call__)(stylizer, content, style, **options)
        assert (found.shape, found.dtype) == (expected.image.shape, np.float32)
        assert np.abs(images.resize(content, *found.shape[:2]) - found).mean() > 0.05
        difference = np.abs(found - expected.image)
        # Adam moves a pixel by the sign of its gradient, which may differ for gradients close to 0.
        assert difference.mean() < 5e-5 and np.quantile(difference, 0.99) < 1e-4

    def test_styles_are_measured_as_by_measure_style(self, first: Network, painting: np.ndarray) -> None:
        config = replace(QUICK, size=300, style_scale=0.5)
        stylizer = make_stylizer(first, config, height=20, width=200)
        style, expected = stylizer.measure(painting), measure_style(painting, network=first, config=config)
        assert jax.tree.structure(style) == jax.tree.structure(expected)  # so that they can be blended and stacked
        assert style.sizes == (75, 150)
        for one, other in zip(jax.tree.leaves(style), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("sides", [(73, 96, 49, 64), (49, 64, 98, 128), (90, 16, 31, 40), (1, 7, 5, 1)])
    def test_pictures_are_resized_as_by_pillow(self, sides: tuple[int, int, int, int]) -> None:
        picture = random_picture(*sides[:2]).round()  # black and white, for which the filter overshoots most
        found = _resize(jnp.asarray(picture), *sides[2:])
        np.testing.assert_allclose(found, images.resize(picture, *sides[2:]), atol=1e-5)


class TestTransformations:
    def test_closed_over(self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray) -> None:
        assert_close(jax.jit(lambda content: stylizer(content, style))(contents[0]), expected[0])

    def test_vmap_over_contents(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        assert_close(jax.jit(jax.vmap(Stylizer.__call__, (None, 0, None)))(stylizer, contents, style), expected)

    def test_map_over_contents(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        def run(stylizer: Stylizer, contents: jax.Array, style: Style) -> jax.Array:
            return jax.lax.map(lambda content: stylizer(content, style), contents)

        assert_close(jax.jit(run)(stylizer, contents, style), expected)

    def test_vmap_over_styles(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray, photo: np.ndarray
    ) -> None:
        other = stylizer.measure(photo)
        middle = jax.tree.map(lambda a, b: (a + b) / 2, style, other)
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), style, other, middle)
        found = jax.jit(jax.vmap(Stylizer.__call__, (None, None, 0)))(stylizer, contents[0], stack)
        assert_close(found[0], expected[0])
        assert np.abs(found[1] - found[0]).mean() > 0.05
        np.testing.assert_allclose(middle.at(40).mean, blend_statistics([style.at(40), other.at(40)]).mean, rtol=1e-6)

    @pytest.mark.parametrize("noise", ["noise", "pink"])
    def test_noise_depends_on_the_key(self, first: Network, contents: np.ndarray, style: Style, noise: str) -> None:
        stylizer = make_stylizer(first, replace(FAST, init=((noise, 1.0),)), height=36, width=48)
        run = jax.jit(jax.vmap(lambda stylizer, key: stylizer(contents[0], style, key=key), (None, 0)))
        same, again, other = run(stylizer, jax.vmap(jax.random.key)(jnp.array([0, 0, 1])))
        np.testing.assert_array_equal(same, again)
        assert np.abs(same - other).mean() > 0.05


def sharded(stylizer: Stylizer, contents: np.ndarray, style: Style) -> Any:
    """A program that distributes the contents over all devices, compiled with all checks of shard_map."""
    mesh, split, replicated = Mesh(np.array(jax.devices()), ("devices",)), PartitionSpec("devices"), PartitionSpec()
    run = jax.vmap(Stylizer.__call__, (None, 0, None))
    run = jax.jit(jax.shard_map(run, mesh=mesh, in_specs=(replicated, split, replicated), out_specs=split))
    return run.lower(stylizer, contents, style).compile()


def on_four_devices(out: str) -> None:
    """The part of the test below that runs in another process, with four simulated devices."""
    assert len(jax.devices()) == 4
    arguments = make_example(first_layer(load_network()))
    program = sharded(*arguments)
    assert not re.findall("all-reduce|all-gather|all-to-all|collective", program.as_text())
    np.save(out, program(*arguments))


class TestShardMap:
    def test_on_the_available_devices(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        count = len(contents) // len(jax.devices()) * len(jax.devices())
        assert_close(sharded(stylizer, contents[:count], style)(stylizer, contents[:count], style), expected[:count])

    def test_on_four_devices_without_communication(self, expected: np.ndarray, tmp_path: Path) -> None:
        environment = simulated_devices(4, Path(__file__).parent)
        out = tmp_path / "out.npy"
        code = f"import test_stylizer; test_stylizer.on_four_devices({str(out)!r})"
        process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        assert_close(np.load(out), expected)


class TestLowered:
    def largest_constant(self, lowered: Any) -> int:
        """The number of elements of the program's largest constant."""
        shapes = re.findall(r"stablehlo\.constant dense.*?tensor<((?:\d+x)+)\w+>$", lowered.as_text(), re.MULTILINE)
        return max(int(np.prod([int(side) for side in shape.split("x")[:-1]])) for shape in shapes)

    def test_the_network_is_a_constant_only_if_closed_over(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style
    ) -> None:
        passed = jax.jit(Stylizer.__call__).lower(stylizer, contents[0], style)
        closed = jax.jit(lambda content: stylizer(content, style)).lower(contents[0])
        kernel = stylizer.network.parameters["conv1_1"]["kernel"].size
        assert self.largest_constant(passed) < kernel <= self.largest_constant(closed)

    def test_has_no_callbacks(self, stylizer: Stylizer, contents: np.ndarray, style: Style) -> None:
        text = jax.jit(Stylizer.__call__).lower(stylizer, contents[0], style).as_text()
        calls = set(re.findall(r"custom_call @(\w+)", text))
        assert calls and not [name for name in calls if not name.startswith(("lapack", "cusolver", "cublas"))]


class TestErrors:
    """Errors of one line, before anything is computed."""

    def error_message(self, kind: type[Exception], function: Any, *arguments: Any, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            jax.eval_shape(function, *arguments, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("shape", [(48, 36, 3), (36, 48), (2, 36, 48, 3), (36, 48, 4)])
    def test_contents_of_another_shape(self, stylizer: Stylizer, style: Style, shape: tuple[int, ...]) -> None:
        message = self.error_message(PictureError, stylizer, np.zeros(shape, np.float32), style)
        assert str(list(shape)) in message

    def test_pictures_of_whole_numbers(self, stylizer: Stylizer, style: Style) -> None:
        whole = np.zeros((36, 48, 3), np.uint8)
        assert "uint8" in self.error_message(PictureError, stylizer, whole, style)
        assert "uint8" in self.error_message(PictureError, stylizer.measure, whole)

    def test_a_picture_in_place_of_a_style(self, stylizer: Stylizer, contents: np.ndarray) -> None:
        assert "measure" in self.error_message(ConfigError, stylizer, contents[0], contents[1])

    def test_styles_with_a_short_side(self, stylizer: Stylizer) -> None:
        assert "the style would be" in self.error_message(PictureError, stylizer.measure, random_picture(16, 200))

    def test_styles_of_another_network_layer_or_size(
        self, stylizer: Stylizer, style: Style, contents: np.ndarray
    ) -> None:
        other = replace(FAST, style_layers=(("relu1_1", 1.0), ("relu2_1", 1.0)))
        assert "relu2_1" in self.error_message(ConfigError, replace(stylizer, config=other), contents[0], style)
        for wrong, word in (
            (replace(style, pooling="avg"), "pooling"),
            (replace(style, digest="abc"), "SHA-256"),
            (replace(style, sizes=(400,)), "400 px"),
        ):
            assert word in self.error_message(ConfigError, stylizer, contents[0], wrong)

    def test_shares_of_several_styles(self, stylizer: Stylizer, style: Style, contents: np.ndarray) -> None:
        blended = replace(stylizer, config=replace(FAST, style_blend=(0.3, 0.7)))
        assert "style_blend has 2 weights" in self.error_message(ConfigError, blended, contents[0], style)

    @pytest.mark.parametrize(
        ("name", "argument"), [("noise", "key="), ("pink", "key="), ("picture", "initial_picture=")]
    )
    def test_missing_keys_and_initial_pictures(
        self, stylizer: Stylizer, style: Style, contents: np.ndarray, name: str, argument: str
    ) -> None:
        incomplete = replace(stylizer, config=replace(FAST, init=((name, 1.0),)))
        assert argument in self.error_message(ConfigError, incomplete, contents[0], style)

    def test_initial_pictures_of_other_proportions(self, stylizer: Stylizer, style: Style, contents: Any) -> None:
        from_picture = replace(stylizer, config=replace(FAST, init=(("picture", 1.0),)))
        with pytest.raises(PictureError, match="initial picture has 48 x 24 pixels and the content has 48 x 36"):
            from_picture(contents[0], style, initial_picture=contents[0][:24])

    def test_the_style_as_the_initial_picture(self, first: Network) -> None:
        with pytest.raises(ConfigError, match="init has 'style'"):
            make_stylizer(first, replace(FAST, init=(("style", 1.0),)), height=36, width=48)

    @pytest.mark.parametrize(("height", "width"), [(0, 48), (36, -1), (36, 4.5), (36, None)])
    def test_invalid_heights_and_widths(self, first: Network, height: Any, width: Any) -> None:
        with pytest.raises(ConfigError, match="expected a whole number from 1 up"):
            make_stylizer(first, FAST, height=height, width=width)

    def test_contents_with_a_short_side(self, first: Network) -> None:
        with pytest.raises(PictureError, match="the content would be 40 x 10 pixels"):
            make_stylizer(first, FAST, height=12, width=48)

    def test_unknown_layers(self, first: Network) -> None:
        with pytest.raises(ConfigError, match="first-layer has no layer 'relu9_9'"):
            make_stylizer(first, replace(FAST, content_layers=(("relu9_9", 1.0),)), height=36, width=48)


def test_by_tiles_the_result_is_the_same(first: Network, example: tuple[Stylizer, np.ndarray, Style]) -> None:
    stylizer, contents, style = example
    tiled = make_stylizer(first, replace(FAST, tile_size=16), height=36, width=48)
    result = jax.jit(lambda tiled, content, style: tiled(content, style))(tiled, contents[0], style)
    assert_close(result, stylizer(contents[0], style))
    picture = random_picture(90, 70, seed=5)
    found, whole = (jax.tree.leaves(measured.measure(picture)) for measured in (tiled, stylizer))
    for value, expected_value in zip(found, whole, strict=True):
        np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-5)
