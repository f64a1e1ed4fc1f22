"""Run by test_tiles.py with four simulated devices: a picture split over them by rows is that of one device."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from unittest.mock import patch

import jax
import numpy as np
from support.examples import EXAMPLES
from support.pyramid import sizes_from_32
from support.quick import QUICK, random_picture
from support.tiny import tiny_networks

from jaxstyle.batch import stylize_batch
from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image
from jaxstyle.networks import Network
from jaxstyle.optimization import Objective, Progress, content_targets, make_objective, solver, split_over_devices
from jaxstyle.optimization.tiles import terms_and_gradient
from jaxstyle.styles import measure_statistics, regions_at_size
from jaxstyle.stylize import Stylized

main_path = import_module("jaxstyle.stylize")  # the module, not the function
assert len(jax.local_devices()) == 4
LAYERS = {"content_layers": (("relu2", 1.0),), "style_layers": (("relu1", 1.0), ("relu3", 2.0))}
CONFIG = StyleConfig(**LAYERS, content_weight=0.3, style_representation="moments")
evaluate = jax.jit(terms_and_gradient)


def check_loss(shape: tuple[int, int], count: int) -> None:
    """The loss of regions and its gradient: by tiles on several devices, and of the whole picture on one."""
    network, style, layers = networks["mixed"], 0.5 * random_picture(40, 50, 2), CONFIG.style_names
    regions = [regions_at_size(network, mask, layers, size) for size in (shape, style.shape[:2])]
    statistics = measure_statistics(network, style, layers, CONFIG.style_representation, regions[1])
    content = content_targets(network, random_picture(*shape, 1), CONFIG.content_names)
    whole = make_objective(CONFIG, content, statistics, regions=regions[0])
    objective = replace(whole, tile_size=16)
    picture = random_picture(*shape, 0)
    expected, expected_gradient = jax.jit(solver.terms_and_gradient)(network, whole, picture)
    split = split_over_devices(network, CONFIG, objective, shape[0])
    bands = split.bands
    assert bands is not None and bands.count == count, bands
    rows = jax.device_put(bands.fit(picture, axis=0), bands.state_sharding(picture))
    terms, gradient = evaluate(bands.replicate(network), split, rows)
    assert len(gradient.sharding.device_set) == count
    for field in vars(expected):
        np.testing.assert_allclose(getattr(terms, field), getattr(expected, field), rtol=1e-5, err_msg=field)
    assert not np.asarray(gradient)[shape[0] :].any()
    error = np.abs(np.asarray(gradient)[: shape[0]] - expected_gradient).max() / np.abs(expected_gradient).max()
    assert error < 1e-5, error


def check_run() -> None:
    """A whole run through two sizes, of which the second is split."""
    photo, painting = (read_image(EXAMPLES / name, size=128) for name in ("content/harbour.jpg", "style/swirls.jpg"))
    config = replace(QUICK, **LAYERS, optimizer="lbfgs", size=128, levels=2, tile_size=64)
    texts, compile_step = [], solver.run.compile

    def compile_and_keep(network: Network, objective: Objective, *arguments: object, **options: object) -> None:
        if objective.bands is None:
            compile_step(network, objective, *arguments, **options)
        else:
            texts.append(solver.run.jitted.lower(network, objective, *arguments, **options).compile().as_text())

    with patch.object(solver.run, "compile", compile_and_keep):
        split = main_path.stylize(photo, painting, network=networks["plain"], config=config)
    assert texts and "all-gather" not in "".join(texts) and "all-to-all" not in "".join(texts)
    assert re.search("all-reduce", texts[-1]) and re.search("collective-permute", texts[-1]) and "while" in texts[-1]
    whole = replace(config, tile_size=None)  # on one device; its programs compile faster than those of tiles
    alone = main_path.stylize(photo, painting, network=networks["plain"], config=whole)
    np.testing.assert_allclose(split.history.total, alone.history.total, rtol=1e-3)
    assert split.image.shape == alone.image.shape and np.abs(split.image - alone.image).max() < 1 / 255
    check_batch(photo, painting, config, split)
    check_going_on(partial(main_path.stylize, photo, painting, network=networks["plain"]), config, whole, alone)


def check_batch(photo: np.ndarray, painting: np.ndarray, config: StyleConfig, split: Stylized) -> None:
    """The pairs of a batch are split one after another."""
    seen = []

    def record_picture(pairs: tuple[int, ...], progress: Progress) -> None:
        seen.append((progress.picture.shape, len(progress.state.picture.sharding.device_set)))

    styles = [painting, painting**2]
    first, _ = stylize_batch([photo] * 2, styles, network=networks["plain"], config=config, callback=record_picture)
    assert (split.image.shape, 4) in seen and np.abs(first.image - split.image).max() < 1 / 255


def check_going_on(
    run: Callable[..., Stylized], config: StyleConfig, on_one_device: StyleConfig, alone: Stylized
) -> None:
    """A run on several devices that is stopped and goes on on one."""
    progress = []

    def stop(step: Progress) -> None:
        if step.level == 1 and step.step == 2:
            progress.append(replace(step, state=jax.tree.map(np.array, step.state)))
            raise KeyboardInterrupt

    try:
        run(config=config, callback=stop)
    except KeyboardInterrupt:
        resumed = run(config=on_one_device, resume=progress.pop())
    assert np.abs(resumed.image - alone.image).max() < 1 / 255


mask = np.random.default_rng(3).random((2, 7, 5), np.float32)
with tiny_networks() as networks, sizes_from_32():
    check_loss((230, 37), 4)
    check_run()
sys.stdout.write("no gathering, equal results\n")
