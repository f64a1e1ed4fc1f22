"""Predicted memory, compared with the memory analysis of the compiler and with measured processes."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.compiler import with_fusion
from support.quick import objective_of

from jaxstyle.config import StyleConfig
from jaxstyle.errors import MemoryLimitError
from jaxstyle.networks import Network, resolve_layers
from jaxstyle.optimization import (
    AvailableMemory,
    Workload,
    check_memory,
    largest_size,
    max_batch_size,
    measure_need,
    memory,
    memory_error,
    memory_message,
    network_bytes,
    picture_memory,
    predict_bytes,
    predict_peak_bytes,
    prepare_network,
    solver,
    with_tiles,
)
from jaxstyle.optimization.array_bytes import tree_bytes
from jaxstyle.styles import measure_statistics

pytestmark = pytest.mark.usefixtures("winograd")  # whose memory is predicted

CONFIG = StyleConfig(content_layers=(("relu2_2", 1.0),), style_layers=(("relu1_1", 1.0), ("relu2_2", 1.0)))


def compiled_bytes(network: Network, config: StyleConfig, height: int, width: int) -> int:
    """The memory of a step besides the network and the objective, by the compiler's account."""
    picture = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    objective = jax.eval_shape(
        lambda network, picture: objective_of(network, config, picture, [picture]), network, picture
    )
    state = jax.eval_shape(partial(solver.init, optimizer=config.optimizer), picture)
    lowered = solver.run.jitted.lower(network, objective, state, jnp.int32(1), optimizer=config.optimizer)
    analysis = lowered.compile(with_fusion()).memory_analysis()
    return analysis.temp_size_in_bytes + analysis.output_size_in_bytes


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adam", "style_representation": "shifted"}])
def test_prediction_is_close_to_the_memory_analysis(network: Network, changes: dict[str, str]) -> None:
    config = StyleConfig(**vars(CONFIG) | changes)
    prepared = jax.eval_shape(partial(Network.prepare, layers=("relu2_2",)), network)
    predicted = predict_bytes(prepared, config, 240, 320) - network_bytes(prepared, config)
    expected = compiled_bytes(prepared, config, 240, 320)
    assert 0.75 * expected < predicted < 1.4 * expected


def test_memory_is_linear_in_the_batch_size_and_the_pixels_of_a_picture(network: Network) -> None:
    one, two, large = (
        predict_bytes(network, CONFIG, *shape, batch_size=batch_size)
        for shape, batch_size in (((64, 80), 1), ((64, 80), 2), ((128, 80), 1))
    )
    assert two - one == pytest.approx(large - one, rel=1e-3)
    prepared = network.prepare(("relu2_2",))
    weights = sum(np.prod(leaf.shape) * 4 for leaf in jax.tree.leaves(prepared))
    assert one - (two - one) == weights == network_bytes(prepared, CONFIG)


def test_max_batch_size_is_the_largest_that_fits(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StyleConfig(**vars(CONFIG) | {"size": 100})
    for batch_size in (1, 5, 9):
        needed = predict_bytes(network, config, 100, 100, batch_size=batch_size)
        monkeypatch.setattr(
            memory, "available_memory", lambda size=needed: available((size + memory._PROCESS) / 0.8 + 9)
        )
        assert max_batch_size(network, config, limit=64) == batch_size
    assert max_batch_size(network, config, limit=4) == 4
    monkeypatch.setattr(memory, "available_memory", lambda: available(0))
    assert max_batch_size(network, config, limit=64) == 1


def available(size: float) -> AvailableMemory:
    return AvailableMemory(int(size), "this machine")


def workload(network: Network, config: StyleConfig = CONFIG, **changes: Any) -> Workload:
    """The pictures of the examples: harbour.jpg with swirls.jpg."""
    return Workload(network, replace(config, **changes), (732, 960), ((768, 960),))


@pytest.mark.parametrize("representation", ["gram", "shifted", "moments"])
def test_a_measured_style_is_predicted(network: Network, representation: str) -> None:
    """By how much the prediction grows with the style, compared with the memory analysis."""
    config = replace(resolve_layers(StyleConfig(size=160), "vgg19"), style_representation=representation)
    alone, *scaled = (predict_peak_bytes(workload(network, config, style_scale=scale)) for scale in (1, 20, 40))
    pixels = [round(0.8 * (160 * scale) ** 2) for scale in (20, 40)]
    picture = jax.ShapeDtypeStruct((96, 128, 3), jnp.float32)
    lowered = measure_statistics.jitted.lower(network.direct(), picture, config.style_names, representation)
    expected = lowered.compile(with_fusion()).memory_analysis().temp_size_in_bytes / (96 * 128)
    predicted = (scaled[1] - scaled[0]) / (pixels[1] - pixels[0])
    assert alone < scaled[0] and 0.95 * expected < predicted < 1.4 * expected


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({"size": 64}, 590),
        ({"size": 256}, 1201),
        ({"size": 512}, 1489),
        ({"size": 512, "style_scale": 2}, 1829),
        ({"size": 512, "style_representation": "shifted"}, 2009),
        ({"size": 512, "regions": 2}, 1658),
        ({"size": 768}, 2077),
        ({"size": 2048, "tile_size": 256}, 3049),
        ({"size": 4096, "levels": 1, "tile_size": 512, "style_scale": 0.25}, 4968),
    ],
)
def test_the_peak_of_a_process_is_predicted(network: Network, changes: dict[str, Any], measured: int) -> None:
    """Peaks in MiB measured by scripts/measuring/peak_memory.py."""
    config = resolve_layers(StyleConfig(), "vgg19")
    assert 1.04 * measured < predict_peak_bytes(workload(network, config, **changes)) / 2**20 < 1.2 * measured


def test_a_batch_takes_memory_for_fast_convolutions_at_any_size(network: Network) -> None:
    prepared = jax.eval_shape(prepare_network, network)
    kernels = tree_bytes(prepared.prepared)
    more = predict_peak_bytes(workload(prepared, size=64)) - predict_peak_bytes(workload(network, size=64))
    assert kernels > 200 * 2**20 and kernels + 200 * 2**20 < more < kernels + 400 * 2**20


def test_tiles_make_larger_sizes_fit(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    config, limit = resolve_layers(StyleConfig(size=2048), "vgg19"), 6 * 2**30
    whole = workload(network, config)
    tiled = with_tiles(replace(whole, may_tile=True), limit)
    assert (
        predict_peak_bytes(tiled) <= limit < predict_peak_bytes(whole) == predict_peak_bytes(with_tiles(whole, limit))
    )
    assert tiled.config.tile_size in memory.TILE_SIZES
    needed = predict_peak_bytes(whole)
    assert with_tiles(replace(whole, may_tile=True), round(needed / 0.89)).config == config
    below = [size for size in memory.TILE_SIZES if size < 2048]  # a tile of the picture's size is the picture
    assert with_tiles(replace(whole, may_tile=True), round(needed / 0.91)).config.tile_size == max(below)
    small = workload(network, config, size=320)  # whose windows by tiles are no smaller
    assert with_tiles(replace(small, may_tile=True), predict_peak_bytes(small)).config.tile_size is None
    largest = largest_size(replace(whole, may_tile=True), limit)
    assert largest > 1.5 * largest_size(whole, limit)
    monkeypatch.setattr(memory, "available_memory", lambda: available(limit))
    with pytest.raises(MemoryLimitError, match=f"the largest size that fits is {largest}$"):
        check_memory(measure_need([replace(workload(network, config, size=16384), may_tile=True)]))


def test_several_devices_share_a_picture_by_tiles(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on a CPU, where they have memory of their own."""
    config = replace(resolve_layers(StyleConfig(size=8192, tile_size=512), "vgg19"), levels=1)
    monkeypatch.setattr(picture_memory, "is_on_cpu", lambda: False)
    monkeypatch.setattr(memory, "is_on_cpu", lambda: False)

    def needed(devices: int, **changes: Any) -> int:
        monkeypatch.setattr(jax, "local_devices", lambda: [device] * devices)
        return predict_peak_bytes(workload(network, config, **changes))

    (device,) = jax.local_devices()
    assert 0.25 * needed(1) < needed(4) < 0.6 * needed(1)
    assert needed(4, style_representation="nearest") == needed(1, style_representation="nearest")
    assert needed(4, tile_size=None) == needed(1, tile_size=None)


@pytest.mark.parametrize("changes", [{}, {"style_scale": 3.0}, {"regions": 4}])
def test_the_largest_size_fits_and_the_next_does_not(network: Network, changes: dict[str, Any]) -> None:
    def peak(size: int) -> int:
        return predict_peak_bytes(workload(network, size=size, **changes))

    for size in (16, 128, 912):
        assert largest_size(workload(network, **changes), peak(size)) == size
        assert largest_size(workload(network, **changes), peak(size) - 1) == size - 16


def test_too_much_is_an_error_with_the_largest_size(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = predict_peak_bytes(workload(network, size=320))
    monkeypatch.setattr(memory, "available_memory", lambda: available(limit))
    workloads = [workload(network, size=64), workload(network, size=320)]
    assert check_memory(measure_need(workloads)).needed == limit
    with pytest.raises(MemoryLimitError, match=r"size 640 needs about .* GiB.* this machine has .* fits is 320$"):
        check_memory(measure_need([*workloads, workload(network, size=640)]))
    monkeypatch.setattr(memory, "available_memory", lambda: available(2**28))
    with pytest.raises(MemoryLimitError, match="no size fits"):
        check_memory(measure_need(workloads))


def test_after_a_failure_the_advice_is_a_smaller_size(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: available(2**40))
    advised = int(str(memory_error(workload(network, size=640))).split()[-1])
    assert 480 < advised < 600  # three quarters of the pixels


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "a smaller size"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."), "a smaller size"),
        (
            jax.errors.JaxRuntimeError("INTERNAL: Failed to create cuBLAS handle: CUBLAS_STATUS_NOT_INITIALIZED"),
            "MEM_FRACTION",
        ),
        (RuntimeError("Unable to initialize backend 'cuda': CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "PREALLOCATE"),
        (jax.errors.JaxRuntimeError("INTERNAL: something else"), None),
        (ValueError("CUDA_ERROR_OUT_OF_MEMORY"), None),
    ],
)
def test_errors_that_mean_missing_memory(error: Exception, expected: str | None) -> None:
    message = memory_message(error)
    assert message is None if expected is None else message and expected in message
