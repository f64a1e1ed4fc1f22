"""Run by test_batch.py with four simulated devices: a batch sharded over them needs no communication, and agrees."""

import re
import sys
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import jax
import numpy as np
from support.examples import EXAMPLES
from support.quick import QUICK, first_layer

from jaxstyle.batch import BatchSolver, stylize_batch
from jaxstyle.batch import vmapped as vmapped
from jaxstyle.images import read_image
from jaxstyle.weights import load_network

COLLECTIVES = re.compile(r"all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter|send\(|recv\(")

assert len(jax.local_devices()) == 4
first, CONFIG = first_layer(load_network()), replace(QUICK, size=48, optimizer="lbfgs")
photo = read_image(EXAMPLES / "content" / "harbour.jpg", size=48)
painting = read_image(EXAMPLES / "style" / "swirls.jpg", size=48)
contents, styles = [photo[::-1], photo, photo**2, photo, photo], [painting, painting**2, painting, painting, painting]

texts: dict[str, str] = {}
names = ("_run", "_init", "_content_targets", "_enlarge")


def recorded(name):
    original = getattr(vmapped, name)

    def run(*arguments, **options):
        texts[name] = original.jitted.lower(*arguments, **options).compile().as_text()
        results = original(*arguments, **options)
        device_counts = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(results)}
        assert device_counts == {4}, (name, device_counts)
        return results

    return run


with ExitStack() as stack:
    for name in names:
        stack.enter_context(patch.object(vmapped, name, recorded(name)))
    sharded = stylize_batch(contents, styles, network=first, config=CONFIG, batch_size=8)
    batch = BatchSolver(8)
    small, large = (batch.put(np.ones((8, side, side, 3), np.float32)) for side in (4, 8))
    extents = (batch.put(np.full((8, 2), side, np.int32)) for side in (4, 8))
    batch.enlarge(batch.init(small, optimizer="adam"), small, large, *extents, optimizer="adam")
assert set(texts) == set(names) and "while" in texts["_run"]
for text in texts.values():
    assert not COLLECTIVES.search(text), COLLECTIVES.findall(text)

with patch.object(
    BatchSolver, "_mesh", property(lambda self: jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",)))
):
    on_one_device = stylize_batch(contents, styles, network=first, config=CONFIG, batch_size=8)
for found, expected in zip(sharded, on_one_device, strict=True):
    assert np.abs(found.image - expected.image).max() < 1 / 255
    np.testing.assert_allclose(found.history.total, expected.history.total, rtol=1e-3)
sys.stdout.write("no collective, equal results\n")
