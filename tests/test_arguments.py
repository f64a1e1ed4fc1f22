"""Arguments of public functions that are of another type: one clear error, before any computation."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxstyle
from jaxstyle import laboratory
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.networks import Network

PICTURE = np.full((32, 32, 3), 0.5, np.float32)
PAIR = (PICTURE, PICTURE)
ENTRY = ("relu1_1", [(1, 1)])
# Public functions of a network, with arguments that are right but for the network.
OF_A_NETWORK: dict[str, Callable[[Any], Any]] = {
    "stylize": lambda network: jaxstyle.stylize(*PAIR, network=network),
    "stylize_batch": lambda network: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=network),
    "texture": lambda network: jaxstyle.texture(PICTURE, height=32, width=32, network=network),
    "measure_style": lambda network: jaxstyle.measure_style(PICTURE, network=network),
    "make_stylizer": lambda network: jaxstyle.make_stylizer(network, height=32, width=32),
    "content_targets": lambda network: jaxstyle.content_targets(network, PICTURE),
    "style_targets": lambda network: jaxstyle.style_targets(network, PICTURE),
    "maximize_entries": lambda network: laboratory.maximize_entries(network, *ENTRY),
    "entry_values": lambda network: laboratory.entry_values(
        network, PICTURE[None], np.ones((1, 2), int), layer="relu1"
    ),
    "measure_grams": lambda network: laboratory.measure_grams(network, PICTURE, ("relu1_1",)),
    "largest_entries": lambda network: laboratory.largest_entries(network, [PICTURE], "relu1_1"),
}


def error_message(call: Callable[[], Any], error: type[Exception] = ConfigError) -> str:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("name", OF_A_NETWORK)
def test_the_name_of_a_network_in_its_place(name: str):
    message = error_message(lambda: OF_A_NETWORK[name]("vgg16"))
    assert message == "network is 'vgg16'; expected a Network: load_network('vgg16')"


@pytest.mark.parametrize("value", [3, "", Path("vgg19.safetensors"), {"conv1_1": PICTURE}])
def test_other_things_in_the_place_of_a_network(value: Any):
    assert "; expected a Network: load_network(" in error_message(lambda: jaxstyle.stylize(*PAIR, network=value))


@pytest.mark.parametrize("config", [None, {"size": 64}, "gatys"])
def test_other_things_in_the_place_of_settings(network: Network, config: Any):
    calls: list[Callable[[], Any]] = [
        lambda: jaxstyle.stylize(*PAIR, network=network, config=config),
        lambda: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=network, config=config),
        lambda: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=network, config=[config]),
        lambda: jaxstyle.texture(PICTURE, height=32, width=32, network=network, config=config),
        lambda: jaxstyle.measure_style(PICTURE, network=network, config=config),
        lambda: jaxstyle.make_stylizer(network, config, height=32, width=32),
    ]
    for call in calls:
        assert "expected a StyleConfig: StyleConfig() has the defaults" in error_message(call)


SEEDS = (1.5, -1, 2**32, "1", None, True, jax.random.key(0))


@pytest.mark.parametrize("seed", SEEDS, ids=repr)
def test_seeds_that_are_none(network: Network, seed: Any):
    style = jaxstyle.measure_style(
        PICTURE, network=network, config=jaxstyle.StyleConfig(size=32, style_layers="relu1_1")
    )
    calls: list[Callable[[], Any]] = [
        lambda: jaxstyle.stylize(*PAIR, network=network, seed=seed),
        lambda: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=network, seeds=[seed]),
        lambda: jaxstyle.texture(PICTURE, height=32, width=32, network=network, seed=seed),
        lambda: laboratory.maximize_entries(network, *ENTRY, seed=seed),
        lambda: laboratory.sample_style(style, "permuted", seed=seed),
    ]
    for call in calls:
        message = error_message(call)
        assert "seed is " in message and message.endswith("; expected a whole number from 0 to 4294967295")


@pytest.mark.parametrize("key", [3, 3.0, "key", jax.random.split(jax.random.key(0)), np.zeros(2, np.int32)], ids=repr)
def test_keys_that_are_none(network: Network, key: Any):
    stylizer = jaxstyle.make_stylizer(network, jaxstyle.StyleConfig(size=32), height=32, width=32)
    message = error_message(lambda: stylizer(PICTURE, PICTURE, key=key))  # type: ignore[arg-type]
    assert message.startswith("key is ") and message.endswith("; expected one random key: jax.random.key(0)")


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)], ids=["typed", "raw"])
def test_keys_of_both_kinds(network: Network, key: jax.Array):
    stylizer = jaxstyle.make_stylizer(network, jaxstyle.StyleConfig(size=32), height=32, width=32)
    message = error_message(lambda: stylizer(PICTURE, PICTURE, key=key))  # type: ignore[arg-type]
    assert message.startswith("style is of the type ndarray; expected a Style")  # after the key was checked


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: jaxstyle.stylize(*PAIR, network=n, callback=3), "callback is 3; expected a function, or None"),
        (lambda n: jaxstyle.stylize(*PAIR, network=n, resume=3), "resume is 3; expected a Progress"),
        (lambda n: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=n, callback=3), "callback is 3"),
        (lambda n: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=n, seeds=3), "seeds is 3; expected a list"),
        (lambda n: jaxstyle.stylize_batch([PICTURE], [PICTURE], network=n, batch_size=0), "batch_size is 0; expected"),
        (lambda n: jaxstyle.texture(PICTURE, height=32.5, width=32, network=n), "height is 32.5; expected a whole"),
        (lambda n: laboratory.maximize_entries(n, *ENTRY, steps=10**9), "to 1000000"),
        (lambda n: laboratory.sample_style(PICTURE, "permuted"), "style is of the type ndarray; expected a Style"),
        (lambda n: jaxstyle.save_style("a.safetensors", PICTURE), "style is of the type ndarray; expected a Style"),
    ],
)
def test_other_arguments(network: Network, call: Callable[[Network], Any], message: str):
    assert message in error_message(lambda: call(network))


@pytest.mark.parametrize(
    "picture",
    [np.ones((32, 32)), np.ones((32, 32, 4)), np.ones((1, 1, 32, 32, 3)), np.ones((32, 32, 3), np.uint8)],
    ids=lambda picture: f"{picture.dtype}{list(picture.shape)}",
)
def test_arrays_that_a_network_does_not_take(network: Network, picture: np.ndarray):
    for call in (jaxstyle.content_targets, jaxstyle.style_targets):
        message = error_message(lambda call=call: call(network, picture, ("relu1_1",)), PictureError)
        assert message.startswith("a picture is ") and "; expected floats [H, W, 3] or [N, H, W, 3]" in message


@pytest.mark.parametrize("name", ["photo.jpg", Path("photo.jpg")])
def test_names_of_files_in_the_place_of_pictures(network: Network, name: Any):
    for content, style, masks in (
        (name, PICTURE, {}),
        (PICTURE, name, {}),
        (PICTURE, [PICTURE, name], {}),
        (*PAIR, {"initial_picture": name}),
        (*PAIR, {"strength_mask": name}),
        (*PAIR, {"content_mask": name, "style_mask": name}),
    ):
        call = partial(jaxstyle.stylize, content, style, network=network, **masks)
        message = error_message(call, PictureError)
        assert " is the name 'photo.jpg'; expected an array of floats: read the file by read_image" in message
