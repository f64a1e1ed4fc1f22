"""Time each convolution of VGG-19 with its rectifier and gradient: jaxstyle and PyTorch.

    python -m scripts.measuring.bench_layers [--sizes 256 512] [--layers NAME...] [--rounds 5] [--json FILE]

The pictures are 4:3, with the given longest sides. Both libraries take turns in one process; PyTorch runs channels-last
with as many threads as there are cores. The figures are medians over the rounds. "of peak" is the rate of operations,
counted as in direct convolutions, relative to that of a large matrix product in JAX. For CPUs only. Requires the extra
"bench".
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxstyle.batch import matrix_product_rate
from jaxstyle.networks import convolution
from jaxstyle.networks.winograd import Transformed, transform_kernel
from jaxstyle.weights import load_network
from scripts.arguments import make_parser
from scripts.measuring.records import machine, median_seconds, write_record

LAYERS = ("conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1")
STEP_SIZE = 1e-3  # of the gradient descent from one evaluation to the next
WORK = 4e10  # operations of direct convolutions in each timed call


def jax_descent(picture: np.ndarray, kernel: np.ndarray, bias: np.ndarray, count: int) -> Callable[[], None]:
    def descend(picture: jax.Array, kernel: jax.Array, bias: jax.Array, prepared: Transformed) -> jax.Array:
        def body(_: int, picture: jax.Array) -> jax.Array:
            result, gradient = jax.vjp(
                lambda picture: convolution.conv3x3(picture, kernel, prepared, bias=bias, rectify=True), picture
            )
            return picture - STEP_SIZE * gradient(result)[0]

        return jax.lax.fori_loop(0, count, body, picture)

    arguments = *map(jnp.asarray, (picture, kernel, bias)), transform_kernel(jnp.asarray(kernel))
    compiled = jax.jit(descend, compiler_options=convolution.COMPILER_OPTIONS).lower(*arguments).compile()
    return lambda: jax.block_until_ready(compiled(*arguments))


def torch_descent(picture: np.ndarray, kernel: np.ndarray, bias: np.ndarray, count: int) -> Callable[[], None]:
    def to_tensor(array: np.ndarray, *axes: int) -> torch.Tensor:
        return torch.from_numpy(array.transpose(axes).copy()).contiguous(memory_format=torch.channels_last)

    inputs = to_tensor(picture, 0, 3, 1, 2).requires_grad_()
    weights, offset = to_tensor(kernel, 3, 2, 0, 1), torch.tensor(bias)

    def descend() -> None:
        for _ in range(count):
            result = torch.relu(torch.conv2d(inputs, weights, offset, padding=1))
            (gradient,) = torch.autograd.grad(result, inputs, result.detach())
            with torch.no_grad():
                inputs.sub_(STEP_SIZE * gradient)

    return descend


def measure(layer: str, size: int, rounds: int, peak: float) -> dict[str, object]:
    """The median times as shares of the peak, and their ratio."""
    network = load_network("vgg19")
    kernel, bias = (np.asarray(network.parameters[layer][name]) for name in ("kernel", "bias"))
    height, width = (int(side) for side in network.extent_at(layer, np.array([size * 3 // 4, size])))
    picture = np.random.default_rng(0).uniform(size=(1, height, width, kernel.shape[2])).astype(np.float32)
    operations = 4 * kernel.size * height * width
    count = max(1, round(WORK / operations))
    arguments = (picture, kernel, bias, count)
    seconds = median_seconds({"jaxstyle": jax_descent(*arguments), "pytorch": torch_descent(*arguments)}, rounds)
    jaxstyle_seconds, pytorch_seconds = (seconds[name] / count for name in ("jaxstyle", "pytorch"))
    return {
        "layer": layer,
        "height": height,
        "width": width,
        "inputs": kernel.shape[2],
        "outputs": kernel.shape[3],
        "ratio": jaxstyle_seconds / pytorch_seconds,
        "of_peak": operations / jaxstyle_seconds / peak,
        "pytorch_of_peak": operations / pytorch_seconds / peak,
    }


def main() -> None:
    parser = make_parser("measuring.bench_layers", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longest sides of the 4:3 pictures")
    parser.add_argument("--layers", nargs="+", default=LAYERS, metavar="NAME", help="names of convolutions")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
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
