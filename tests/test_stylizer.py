"""The stylization as a pure function: it gives what `stylize` gives, whatever wraps it, and refuses the rest."""

import os
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
from support.examples import EXAMPLES
from support.quick import QUICK, random_picture

from jaxstyle import stylize as reference
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.images import reading as images
from jaxstyle.networks.network import Network
from jaxstyle.styles.measured import Style, blend_statistics
from jaxstyle.stylize import measure_style as measured
from jaxstyle.stylizer import Stylizer, make_stylizer
from jaxstyle.stylizer import _resize as resize
from jaxstyle.weights.store import load_network

# One optimizer that compiles quickly, where what it does is not the question.
FAST = replace(QUICK, size=40, steps=4, optimizer="adam")


def first_layer(network: Network) -> Network:
    return network.replace(parameters={"conv1_1": network.parameters["conv1_1"]})


def example(network: Network) -> tuple[Stylizer, np.ndarray, Style]:
    """A stylizer, four contents and a style."""
    stylizer = make_stylizer(network, FAST, height=36, width=48)
    contents = np.stack([random_picture(36, 48, seed) for seed in range(4)])
    return stylizer, contents, stylizer.measure(random_picture(50, 40, seed=4) ** 2)


@pytest.fixture(scope="module")
def first(network: Network) -> Network:
    return first_layer(network)


@pytest.fixture(scope="module")
def parts(first: Network) -> tuple[Stylizer, np.ndarray, Style]:
    return example(first)


@pytest.fixture(scope="module")
def stylizer(parts: tuple[Stylizer, np.ndarray, Style]) -> Stylizer:
    return parts[0]


@pytest.fixture(scope="module")
def contents(parts: tuple[Stylizer, np.ndarray, Style]) -> np.ndarray:
    return parts[1]


@pytest.fixture(scope="module")
def style(parts: tuple[Stylizer, np.ndarray, Style]) -> Style:
    return parts[2]


@pytest.fixture(scope="module")
def facets() -> np.ndarray:
    """A painting whose colors, like the other's, are far from gray: those of grays are matched with less precision."""
    return images.read_image(EXAMPLES / "style" / "facets.jpg", size=70)


@pytest.fixture(scope="module")
def expected(stylizer: Stylizer, contents: np.ndarray, style: Style) -> np.ndarray:
    """What the stylizer makes of each content, jitted as an argument."""
    run = jax.jit(lambda stylizer, content, style: stylizer(content, style))
    return np.stack([run(stylizer, content, style) for content in contents])


def assert_close(found: Any, wanted: Any, atol: float = 2e-3) -> None:
    np.testing.assert_allclose(found, wanted, atol=atol)


class TestAgreesWithStylize:
    def test_at_one_size(self, first: Network, painting: np.ndarray, facets: np.ndarray, contents: np.ndarray) -> None:
        """From a blend of all starts that both have."""
        config = replace(QUICK, steps=3, init=(("content", 2.0), ("picture", 1.0)))
        self.assert_agree(first, config, painting, facets, initial_picture=contents[0])

    def test_across_two_sizes(self, first: Network, painting: np.ndarray, facets: np.ndarray) -> None:
        config = replace(QUICK, size=256, steps=2, optimizer="adam")
        content = images.resize(painting, 90, 280)
        assert len(make_stylizer(first, config, height=90, width=280).levels) == 2
        self.assert_agree(first, config, content, facets)

    def assert_agree(
        self, network: Network, config: StyleConfig, content: np.ndarray, picture: np.ndarray, **start: Any
    ) -> None:
        wanted = reference(content, picture, network=network, config=config, **start)
        stylizer = make_stylizer(network, config, height=content.shape[0], width=content.shape[1])
        style = jax.jit(Stylizer.measure)(stylizer, picture)
        found = jax.jit(Stylizer.__call__)(stylizer, content, style, **start)
        assert (found.shape, found.dtype) == (wanted.image.shape, np.float32)
        assert np.abs(images.resize(content, *found.shape[:2]) - found).mean() > 0.05
        apart = np.abs(found - wanted.image)
        # Adam moves a pixel by the sign of its gradient, and where that is nearly 0 the two need not agree.
        assert apart.mean() < 1e-5 and np.quantile(apart, 0.99) < 1e-4

    def test_a_style_is_measured_as_for_stylize(self, first: Network, painting: np.ndarray) -> None:
        config = replace(QUICK, size=300, style_scale=0.5)
        stylizer = make_stylizer(first, config, height=20, width=200)
        found, wanted = stylizer.measure(painting), measured(painting, network=first, config=config)
        assert jax.tree.structure(found) == jax.tree.structure(wanted)  # so that they can be blended and stacked
        assert found.sizes == (75, 150)
        for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("sides", [(73, 96, 49, 64), (49, 64, 98, 128), (90, 16, 31, 40), (1, 7, 5, 1)])
    def test_pictures_are_resized_as_by_pillow(self, sides: tuple[int, int, int, int]) -> None:
        picture = random_picture(*sides[:2]).round()  # black and white, where the filter overshoots most
        found = resize(jnp.asarray(picture), *sides[2:])
        np.testing.assert_allclose(found, images.resize(picture, *sides[2:]), atol=1e-5)


class TestTransformations:
    def test_closed_over(self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray) -> None:
        assert_close(jax.jit(lambda content: stylizer(content, style))(contents[0]), expected[0])

    def test_contents_in_a_batch(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        assert_close(jax.jit(jax.vmap(Stylizer.__call__, (None, 0, None)))(stylizer, contents, style), expected)

    def test_contents_one_after_another(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        def run(stylizer: Stylizer, contents: jax.Array, style: Style) -> jax.Array:
            return jax.lax.map(lambda content: stylizer(content, style), contents)

        assert_close(jax.jit(run)(stylizer, contents, style), expected)

    def test_styles_in_a_batch(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray, photo: np.ndarray
    ) -> None:
        other = stylizer.measure(photo)
        middle = jax.tree.map(lambda a, b: (a + b) / 2, style, other)
        stack = jax.tree.map(lambda *parts: jnp.stack(parts), style, other, middle)
        found = jax.jit(jax.vmap(Stylizer.__call__, (None, None, 0)))(stylizer, contents[0], stack)
        assert_close(found[0], expected[0])
        assert np.abs(found[1] - found[0]).mean() > 0.05
        np.testing.assert_allclose(middle.at(40).mean, blend_statistics([style.at(40), other.at(40)]).mean, rtol=1e-6)

    @pytest.mark.parametrize("noise", ["noise", "pink"])
    def test_noise_is_that_of_the_key(self, first: Network, contents: np.ndarray, style: Style, noise: str) -> None:
        stylizer = make_stylizer(first, replace(FAST, init=((noise, 1.0),)), height=36, width=48)
        run = jax.jit(jax.vmap(lambda stylizer, key: stylizer(contents[0], style, key=key), (None, 0)))
        same, again, other = run(stylizer, jax.vmap(jax.random.key)(jnp.array([0, 0, 1])))
        np.testing.assert_array_equal(same, again)
        assert np.abs(same - other).mean() > 0.05


def sharded(stylizer: Stylizer, contents: np.ndarray, style: Style) -> Any:
    """The compiled program that shares the contents among all devices, with all of shard_map's own checks."""
    mesh, split, whole = Mesh(np.array(jax.devices()), ("devices",)), PartitionSpec("devices"), PartitionSpec()
    run = jax.vmap(Stylizer.__call__, (None, 0, None))
    run = jax.jit(jax.shard_map(run, mesh=mesh, in_specs=(whole, split, whole), out_specs=split))
    return run.lower(stylizer, contents, style).compile()


def on_four_devices(out: str) -> None:
    """What the test below does in a process of its own that pretends to have them."""
    assert len(jax.devices()) == 4
    arguments = example(first_layer(load_network()))
    program = sharded(*arguments)
    assert not re.findall("all-reduce|all-gather|all-to-all|collective", program.as_text())
    np.save(out, program(*arguments))


class TestShardMap:
    def test_on_the_devices_there_are(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style, expected: np.ndarray
    ) -> None:
        count = len(contents) // len(jax.devices()) * len(jax.devices())
        assert_close(sharded(stylizer, contents[:count], style)(stylizer, contents[:count], style), expected[:count])

    def test_on_four_devices_that_never_speak(self, expected: np.ndarray, tmp_path: Path) -> None:
        environment = os.environ | {
            "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        out = tmp_path / "out.npy"
        code = f"import test_stylizer; test_stylizer.on_four_devices({str(out)!r})"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert_close(np.load(out), expected)


class TestLowered:
    def constants(self, lowered: Any) -> int:
        """The elements of the program's largest constant."""
        shapes = re.findall(r"stablehlo\.constant dense.*?tensor<((?:\d+x)+)\w+>$", lowered.as_text(), re.MULTILINE)
        return max(int(np.prod([int(side) for side in shape.split("x")[:-1]])) for shape in shapes)

    def test_has_the_network_as_a_constant_only_if_closed_over(
        self, stylizer: Stylizer, contents: np.ndarray, style: Style
    ) -> None:
        passed = jax.jit(Stylizer.__call__).lower(stylizer, contents[0], style)
        closed = jax.jit(lambda content: stylizer(content, style)).lower(contents[0])
        kernel = stylizer.network.parameters["conv1_1"]["kernel"].size
        assert self.constants(passed) < kernel <= self.constants(closed)

    def test_never_calls_back(self, stylizer: Stylizer, contents: np.ndarray, style: Style) -> None:
        text = jax.jit(Stylizer.__call__).lower(stylizer, contents[0], style).as_text()
        calls = set(re.findall(r"custom_call @(\w+)", text))
        assert calls and not [name for name in calls if not name.startswith(("lapack", "cusolver", "cublas"))]


class TestRefusals:
    """One clear line, before anything is computed."""

    def refusal(self, kind: type[Exception], function: Any, *arguments: Any, **options: Any) -> str:
        with pytest.raises(kind) as caught:
            jax.eval_shape(function, *arguments, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("shape", [(48, 36, 3), (36, 48), (2, 36, 48, 3), (36, 48, 4)])
    def test_contents_of_another_shape(self, stylizer: Stylizer, style: Style, shape: tuple[int, ...]) -> None:
        message = self.refusal(PictureError, stylizer, np.zeros(shape, np.float32), style)
        assert str(list(shape)) in message

    def test_pictures_of_whole_numbers(self, stylizer: Stylizer, style: Style) -> None:
        whole = np.zeros((36, 48, 3), np.uint8)
        assert "uint8" in self.refusal(PictureError, stylizer, whole, style)
        assert "uint8" in self.refusal(PictureError, stylizer.measure, whole)

    def test_a_picture_in_place_of_a_style(self, stylizer: Stylizer, contents: np.ndarray) -> None:
        assert "measure" in self.refusal(ConfigError, stylizer, contents[0], contents[1])

    def test_thin_style_pictures(self, stylizer: Stylizer) -> None:
        assert "the style would be" in self.refusal(PictureError, stylizer.measure, random_picture(16, 200))

    def test_styles_of_another_network_layer_or_size(
        self, stylizer: Stylizer, style: Style, contents: np.ndarray
    ) -> None:
        other = replace(FAST, style_layers=(("relu1_1", 1.0), ("relu2_1", 1.0)))
        assert "relu2_1" in self.refusal(ConfigError, replace(stylizer, config=other), contents[0], style)
        for wrong, word in (
            (replace(style, pooling="avg"), "pooling"),
            (replace(style, digest="abc"), "SHA-256"),
            (replace(style, sizes=(400,)), "400 px"),
        ):
            assert word in self.refusal(ConfigError, stylizer, contents[0], wrong)

    def test_shares_for_more_styles_than_one(self, stylizer: Stylizer, style: Style, contents: np.ndarray) -> None:
        blended = replace(stylizer, config=replace(FAST, style_blend=(0.3, 0.7)))
        assert "style_blend has 2 weights" in self.refusal(ConfigError, blended, contents[0], style)

    @pytest.mark.parametrize(
        ("start", "option"), [("noise", "key="), ("pink", "key="), ("picture", "initial_picture=")]
    )
    def test_starts_that_are_missing(
        self, stylizer: Stylizer, style: Style, contents: np.ndarray, start: str, option: str
    ) -> None:
        wanting = replace(stylizer, config=replace(FAST, init=((start, 1.0),)))
        assert option in self.refusal(ConfigError, wanting, contents[0], style)

    def test_the_style_as_a_start(self, first: Network) -> None:
        with pytest.raises(ConfigError, match="init has 'style'"):
            make_stylizer(first, replace(FAST, init=(("style", 1.0),)), height=36, width=48)

    @pytest.mark.parametrize(("height", "width"), [(0, 48), (36, -1), (36, 4.5), (36, None)])
    def test_sides_that_are_none(self, first: Network, height: Any, width: Any) -> None:
        with pytest.raises(ConfigError, match="expected a whole number from 1 up"):
            make_stylizer(first, FAST, height=height, width=width)

    def test_thin_contents(self, first: Network) -> None:
        with pytest.raises(PictureError, match="the content would be 40 x 10 pixels"):
            make_stylizer(first, FAST, height=12, width=48)

    def test_unknown_layers(self, first: Network) -> None:
        with pytest.raises(ConfigError, match="vgg19 has no layer 'relu9_9'"):
            make_stylizer(first, replace(FAST, content_layers=(("relu9_9", 1.0),)), height=36, width=48)
