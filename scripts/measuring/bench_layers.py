#!/usr/bin/env python3
"""How long VGG-19's convolutions take, shape by shape, with their rectifier and their gradient: jaxstyle and PyTorch.

    python scripts/bench_layers [--sizes 256 512] [--rounds 5] [--json FILE]

For 4:3 pictures of these longest sides. The two take turns in one process, PyTorch channels-last on as many threads as
there are cores; a figure is the median of the rounds. "of peak" counts the operations of direct convolutions, against a
large matrix product in JAX. On CPU only. Needs the extra "bench".
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxstyle.cli.bench import matrix_product_rate
from jaxstyle.networks import convolution as conv
from jaxstyle.weights.store import load_network
from scripts.measuring.records import machine, median_seconds, write_record

LAYERS = ("conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1")
RATE = 1e-3  # of the descent from one evaluation to the next
WORK = 4e10  # direct operations in what is timed at once


def jax_descent(picture: np.ndarray, kernel: np.ndarray, bias: np.ndarray, count: int) -> Callable[[], None]:
    def descend(picture: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: conv.Prepared) -> jax.Array:
        def body(_: int, picture: jax.Array) -> jax.Array:
            result, gradient = jax.vjp(
                lambda picture: conv.conv3x3(picture, kernel, prepared, bias=bias, rectify=True), picture
            )
            return picture - RATE * gradient(result)[0]

        return jax.lax.fori_loop(0, count, body, picture)

    arguments = *map(jnp.asarray, (picture, kernel, bias)), conv.prepare(jnp.asarray(kernel))
    compiled = jax.jit(descend, compiler_options=conv.COMPILER_OPTIONS).lower(*arguments).compile()
    return lambda: jax.block_until_ready(compiled(*arguments))


def torch_descent(picture: np.ndarray, kernel: np.ndarray, bias: np.ndarray, count: int) -> Callable[[], None]:
    def read(array: np.ndarray, *axes: int) -> torch.Tensor:
        return torch.from_numpy(array.transpose(axes).copy()).contiguous(memory_format=torch.channels_last)

    inputs, weights, offset = read(picture, 0, 3, 1, 2).requires_grad_(), read(kernel, 3, 2, 0, 1), torch.tensor(bias)

    def descend() -> None:
        for _ in range(count):
            result = torch.relu(torch.conv2d(inputs, weights, offset, padding=1))
            (gradient,) = torch.autograd.grad(result, inputs, result.detach())
            with torch.no_grad():
                inputs.sub_(RATE * gradient)

    return descend


def measure(layer: str, size: int, rounds: int, peak: float) -> dict[str, object]:
    """Medians, as shares of the peak and as a ratio."""
    network = load_network("vgg19")
    kernel, bias = (np.asarray(network.parameters[layer][name]) for name in ("kernel", "bias"))
    height, width = (int(side) for side in network.extent_at(layer, np.array([size * 3 // 4, size])))
    picture = np.random.default_rng(0).uniform(size=(1, height, width, kernel.shape[2])).astype(np.float32)
    operations = 4 * kernel.size * height * width
    count = max(1, round(WORK / operations))
    descents = (jax_descent, torch_descent)
    seconds = median_seconds({way.__name__: way(picture, kernel, bias, count) for way in descents}, rounds)
    ours, theirs = (seconds[way.__name__] / count for way in descents)
    return {
        "layer": layer,
        "height": height,
        "width": width,
        "inputs": kernel.shape[2],
        "outputs": kernel.shape[3],
        "ratio": ours / theirs,
        "of_peak": operations / ours / peak,
        "pytorch_of_peak": operations / theirs / peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longest sides, of 4:3 pictures")
    parser.add_argument("--layers", nargs="+", default=LAYERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    measured_on = machine("torch")
    print(json.dumps(measured_on))
    peak, rows = matrix_product_rate("float32"), []
    for size in arguments.sizes:
        for layer in arguments.layers:
            rows.append(row := {"size": size} | measure(layer, size, arguments.rounds, peak))
            print(
                "{size:5} {layer}  {height:3} x {width:3}, {inputs:3} to {outputs:3} channels: "
                "{ratio:.2f} of PyTorch's time, {of_peak:.2f} of peak, PyTorch {pytorch_of_peak:.2f}".format(**row),
                flush=True,
            )
    write_record(arguments.json, {"machine": measured_on, "rows": rows})


if __name__ == "__main__":
    main()
