"""Measure the speed of the optimization on this machine, and the arithmetic that it takes."""

import statistics
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.batch.vmapped import BatchSolver
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network, dtype_of, matmul_precision
from jaxstyle.optimization import content_targets, make_objective, network_at, predict_bytes
from jaxstyle.styles import measure_statistics

_STEPS = 3  # in one timed call
_PRODUCT_SIDE = {"cpu": 2048}  # side of the matrices whose product measures the peak rate; 8192 on other platforms


def time_steps(
    network: Network, config: StyleConfig, height: int, width: int, *, batch_size: int = 1, rounds: int = 5
) -> dict[str, Any]:
    """Time a step of the optimization of `batch_size` pictures together.

    Args:
        network: the recognition network, from `prepare_network`.
        config: the layers and weights, and the optimizer.
        height: the height of the pictures in pixels.
        width: the width of the pictures in pixels.
        batch_size: pictures in one program.
        rounds: how often to time a few steps.

    Returns:
        The shape and batch size; `ready`, the seconds until the first step is done, with compilation; `step`, the
        median seconds of a later step; `operations`, from `count_operations`, for all pictures; and `bytes`, the
        predicted memory.
    """
    random = np.random.default_rng(0)
    content, style, picture = random.random((3, height, width, 3), np.float32)
    targets = content_targets(network.direct(), content, config.content_names)
    objective = make_objective(config, targets, measure_statistics(network.direct(), style, config.style_names))
    solver, used = BatchSolver(batch_size), network if batch_size > 1 else network_at(network, max(height, width))
    objectives, state = solver.stack([objective]), solver.init(solver.stack([picture]), optimizer=config.optimizer)

    def timed_run(steps: int) -> float:
        nonlocal state
        started = time.perf_counter()
        state, terms = solver.run(used, objectives, state, steps, optimizer=config.optimizer)
        jax.block_until_ready(terms)
        return time.perf_counter() - started

    ready = timed_run(1)
    seconds = [timed_run(_STEPS) / _STEPS for _ in range(rounds)]
    layers = (*config.content_names, *config.style_names)
    return {
        "height": height,
        "width": width,
        "batch_size": batch_size,
        "ready": ready,
        "step": statistics.median(seconds),
        "operations": batch_size * count_operations(network, layers, height, width),
        "bytes": predict_bytes(network, config, height, width, batch_size=batch_size),
    }


def count_operations(network: Network, layers: Sequence[str], height: int, width: int) -> int:
    """Count the multiplications and additions of one loss and its gradient with respect to the picture.

    The count is that of direct convolutions; faster algorithms need fewer.
    """
    convolutions = [layer for layer in network.up_to(layers) if layer in network.parameters]
    shape = np.array([height, width])
    positions = {layer: int(network.extent_at(layer, shape).prod()) for layer in convolutions}
    return sum(4 * network.parameters[layer]["kernel"].size * positions[layer] for layer in convolutions)


def matrix_product_rate(precision: str) -> float:
    """Measure the operations per second of a large matrix product in this precision, the best of ten."""
    side = _PRODUCT_SIDE.get(jax.local_devices()[0].platform, 8192)
    matrix = jax.random.normal(jax.random.key(0), (side, side), dtype_of(precision))
    product = jax.jit(partial(jnp.matmul, precision=matmul_precision(precision)))

    def seconds() -> float:
        started = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        return time.perf_counter() - started

    seconds()  # compiles
    return 2 * side**3 / min(seconds() for _ in range(10))
