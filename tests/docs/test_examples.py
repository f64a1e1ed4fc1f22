"""The programs in examples/embedding do what they say; here with fewer steps and shallower layers."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.compiler import simulated_devices
from support.examples import EXAMPLES
from support.quick import QUICK, first_layer, random_picture

import jaxstyle

PROGRAMS = EXAMPLES / "embedding"


def program(name: str) -> ModuleType:
    """A program as a new module, which a test may change."""
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestFeedForward:
    def test_training_reduces_the_loss(self, tmp_path: Path) -> None:
        """Train on a single batch, so that the loss can be compared with that of the untrained network.

        The largest ratio of five seeds was 0.43. The loss of other photographs depends more on the seed than on so few
        steps.
        """
        feed_forward = program("feed_forward")
        feed_forward.CONTENT_LAYERS, feed_forward.STYLE_LAYERS = ("relu2_1",), ("relu1_1", "relu2_1")
        feed_forward.TransformNet = partial(feed_forward.TransformNet, width=8)
        crops = feed_forward.crops
        feed_forward.crops = lambda pictures, size, count, _: crops(pictures, size, count, np.random.default_rng(0))
        out = tmp_path / "stylized.png"
        losses, _, _ = feed_forward.main(str(out), steps=30, size=32, batch=2)
        assert len(losses) == 30 and losses[-1] < 0.6 * losses[0]
        assert jaxstyle.read_image(out).shape == (128, 192, 3)


class TestAugmentation:
    def test_training_goes_on_through_it(self, network: jaxstyle.Network, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jaxstyle, "load_network", lambda _: first_layer(network))
        augmentation = program("augmentation")
        layer = (("relu1_1", 1.0),)
        augmentation.CONFIG = replace(augmentation.CONFIG, steps=2, style_layers=layer, content_layers=layer)
        known = augmentation.main(steps=60, batch=8, trial=60)
        assert len(known) == 4 and all(0 <= share <= 1 for share in known.values())
        assert known["with augmentation, plain"] > 0.8

    def test_half_of_a_batch_is_stylized(self, network: jaxstyle.Network, painting: np.ndarray) -> None:
        """Of four equal pictures, two are stylized with different blends, and two are unchanged."""
        augmentation = program("augmentation")
        layer = (("relu1_1", 1.0),)
        config = replace(augmentation.CONFIG, style_layers=layer, content_layers=layer)
        stylizer = jaxstyle.make_stylizer(first_layer(network), config, height=32, width=32)
        styles = [stylizer.measure(picture) for picture in (painting, 1 - painting)]
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *styles)
        pictures = jnp.stack([random_picture(32, 32)] * 4)
        found = jax.jit(augmentation.stylize_half)(stylizer, stack, pictures, jax.random.key(0))
        np.testing.assert_array_equal(found[2:], pictures[2:])
        assert min(np.abs(found[0] - other).mean() for other in (found[1], pictures[0])) > 0.01


class TestSharding:
    def test_four_devices_give_the_result_of_one(self, tmp_path: Path) -> None:
        sharding, config = program("sharding"), replace(QUICK, size=32)
        alone = sharding.main(config)
        out = tmp_path / "out.npy"
        code = f"import numpy, sharding; numpy.save({str(out)!r}, sharding.main(sharding.jaxstyle.{config!r}))"
        environment = simulated_devices(4, PROGRAMS)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "8 pictures of 32 x 32 pixels on 4 x cpu\n"
        np.testing.assert_allclose(np.load(out)[:2], alone[:2], atol=5e-3)
