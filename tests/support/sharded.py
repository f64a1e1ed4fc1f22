"""Run by test_batch.py with four simulated devices: a batch sharded over them needs no communication, and agrees."""

import re
import sys
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
first, CONFIG = first_layer(load_network()), replace(QUICK, size=48)
photo = read_image(EXAMPLES / "content" / "harbour.jpg", size=48)
painting = read_image(EXAMPLES / "style" / "swirls.jpg", size=48)
contents, styles = [photo[::-1], photo, photo**2, photo, photo], [painting, painting**2, painting, painting, painting]

texts, device_counts, original = [], [], vmapped._run


def run(*arguments, **options):
    texts.append(original.jitted.lower(*arguments, **options).compile().as_text())
    device_counts.append(len(arguments[2].picture.sharding.device_set))
    return original(*arguments, **options)


with patch.object(vmapped, "_run", run):
    sharded = stylize_batch(contents, styles, network=first, config=CONFIG, batch_size=8)
assert device_counts and set(device_counts) == {4}, device_counts
assert "while" in texts[0] and not COLLECTIVES.search(texts[0]), COLLECTIVES.findall(texts[0])

with patch.object(
    BatchSolver, "_mesh", property(lambda self: jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",)))
):
    on_one_device = stylize_batch(contents, styles, network=first, config=CONFIG, batch_size=8)
separate = stylize_batch(contents, styles, network=first, config=CONFIG)
for found, expected, single in zip(sharded, on_one_device, separate, strict=True):
    assert np.abs(found.image - expected.image).max() < 1 / 255
    assert np.abs(found.image - single.image).max() < 1 / 255
    np.testing.assert_allclose(found.history.total, expected.history.total, rtol=1e-3)
sys.stdout.write("no collective, equal results\n")
