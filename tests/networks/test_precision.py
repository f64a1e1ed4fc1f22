"""Features of lower precision: close to float32, with statistics and losses in float32, and similar results."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.quick import objective_of

from jaxstyle import stylize
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.networks import PRECISIONS, Network, make_network, resolve_layers
from jaxstyle.networks.precision import resolve_precision
from jaxstyle.optimization import prepare_network
from jaxstyle.styles import STYLE_LAYERS
from jaxstyle.stylizer import make_stylizer
from jaxstyle.weights import load_network

CONFIG = resolve_layers(StyleConfig(size=64, steps=8), "vgg19")


@pytest.fixture(scope="module")
def bfloat16_network(network: Network) -> Network:
    return network.replace(precision="bfloat16")


def distance(value: Any, other: Any) -> float:
    value, other = (np.asarray(array, np.float64) for array in (value, other))
    return float(np.linalg.norm(value - other) / np.linalg.norm(other))


def test_features_are_within_rounding_to_8_bits(network: Network, bfloat16_network: Network, photo: np.ndarray) -> None:
    """The error of rounding to 8 bits is at most 1/256; independent errors of 13 layers add up in quadrature."""
    features = jax.jit(lambda network: network.features(photo, STYLE_LAYERS))
    exact, rounded = features(network), features(bfloat16_network)
    for layer in STYLE_LAYERS:
        assert rounded[layer].dtype == jnp.bfloat16 and exact[layer].dtype == jnp.float32
        assert 1e-4 < distance(rounded[layer], exact[layer]) < np.sqrt(13) / 256, layer


def check_losses(networks: Sequence[Network], config: StyleConfig, photo: np.ndarray, painting: np.ndarray) -> None:
    """The losses of the second network, and their gradient, are float32 and near those of the first, in float32."""
    initial_picture = photo[::-1].copy()

    def loss(picture: jax.Array, network: Network, objective: Any) -> jax.Array:
        return objective.terms(network, picture).total

    (exact, exact_gradient), (rounded, rounded_gradient) = (
        jax.jit(jax.value_and_grad(loss))(initial_picture, variant, objective_of(variant, config, photo, [painting]))
        for variant in networks
    )
    assert rounded.dtype == rounded_gradient.dtype == jnp.float32
    assert float(rounded) == pytest.approx(float(exact), rel=0.01)
    assert distance(rounded_gradient, exact_gradient) < 0.1


def test_losses_are_near_those_in_float32(
    network: Network, bfloat16_network: Network, photo: np.ndarray, painting: np.ndarray
) -> None:
    style = tuple((layer, 1.0) for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_1"))
    config = replace(CONFIG, content_layers=(("relu3_2", 1.0),), style_layers=style)
    check_losses((network, bfloat16_network), config, photo, painting)


@pytest.mark.usefixtures("winograd")
def test_losses_are_near_those_in_float32_with_winograd(
    network: Network, bfloat16_network: Network, photo: np.ndarray, painting: np.ndarray
) -> None:
    layers = (("conv1_2", 1.0), ("relu2_1", 1.0))
    config = replace(CONFIG, content_layers=layers[1:], style_layers=layers)
    networks = [prepare_network(variant, config) for variant in (network, bfloat16_network)]
    check_losses(networks, config, photo, painting)


def test_history_is_near_that_in_float32(
    network: Network, bfloat16_network: Network, photo: np.ndarray, painting: np.ndarray
) -> None:
    layers = (("relu1_1", 1.0), ("relu2_1", 1.0))
    config = replace(CONFIG, content_layers=layers[-1:], style_layers=layers)
    exact, rounded = (
        stylize(photo, painting, network=variant, config=config) for variant in (network, bfloat16_network)
    )
    assert rounded.image.dtype == np.float32
    assert rounded.history.total == pytest.approx(exact.history.total, rel=0.03)
    assert exact.history.total[-1] < 0.5 * exact.history.total[0]  # the losses change


@pytest.mark.parametrize(
    ("precision", "operands", "products"),
    [("float32", "f32", "HIGHEST"), ("tensorfloat32", "f32", "HIGH"), ("bfloat16", "bf16", None)],
)
def test_precision_of_convolutions_on_gpus(
    network: Network, precision: str, operands: str, products: str | None
) -> None:
    """In the lowered program for a GPU, for the features and their gradient."""
    variant = network.replace(precision=precision)

    def loss(picture: jax.Array, network: Network) -> jax.Array:
        return network.features(picture, ("relu1_2",))["relu1_2"].sum(dtype=jnp.float32)

    picture = jax.ShapeDtypeStruct((16, 16, 3), jnp.float32)
    text = jax.jit(jax.grad(loss)).trace(picture, variant).lower(lowering_platforms=("cuda",)).as_text()
    lines = [line for line in text.splitlines() if "stablehlo.convolution(" in line]
    assert len(lines) == 4
    for line in lines:
        assert f"x{operands}>" in line
        assert (f"#stablehlo<precision {products}>, #stablehlo<precision {products}>" in line) == bool(products), line


def test_auto_depends_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_network().precision == resolve_precision("auto") == "float32"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert load_network().precision == "bfloat16"
    assert load_network(precision="float32").precision == "float32"
    assert load_network("random:vgg16", precision="tensorfloat32").precision == "tensorfloat32"


def test_precision_is_static_and_works_in_a_stylizer(bfloat16_network: Network) -> None:
    assert jax.tree.structure(bfloat16_network) != jax.tree.structure(bfloat16_network.replace(precision="float32"))
    content = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32)
    stylizer = make_stylizer(bfloat16_network, CONFIG, height=64, width=64)
    assert jax.eval_shape(stylizer, content, jax.eval_shape(stylizer.measure, content)).dtype == jnp.float32


def test_unknown_precision() -> None:
    with pytest.raises(ConfigError, match="precision is 'half'; expected one of auto, float32"):
        make_network("vgg19", {}, np.zeros(3), np.ones(3), pooling="max", digest="", precision="half")
    assert PRECISIONS[0] == "auto"
