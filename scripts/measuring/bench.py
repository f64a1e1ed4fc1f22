"""Time one loss and its gradient: jaxstyle, jaxstyle with XLA's own convolution, and PyTorch.

    python -m scripts.measuring.bench [--sizes 256 512] [--batch 1 4] [--precision P] [--rounds 5] [--threads N]
                                      [--json FILE]

The objective is the default for VGG-19: content at relu4_2 and Gram matrices at relu1_1, ..., relu5_1, relative to
their targets. jaxstyle's also has its terms of the pixels. PyTorch runs channels-last with the same weights
on the same device: in eager mode, and on a GPU also with torch.compile. All contenders take turns in one process. The
figures are medians over the rounds of the time of one evaluation, and are printed relative to eager PyTorch. "of peak"
is the rate of operations, counted as in direct convolutions, relative to that of a large matrix product of the same
precision in JAX. On a GPU, milliseconds and peak memory are printed too. JAX uses all cores that are available to the
process. Requires the extra "bench".
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # on a GPU, PyTorch needs some of the memory

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxstyle.batch import count_operations, matrix_product_rate
from jaxstyle.config import StyleConfig
from jaxstyle.networks import Network, convolution, resolve_layers
from jaxstyle.optimization import Objective, content_targets, make_objective, prepare_network
from jaxstyle.styles import STYLE_LAYERS, measure_statistics
from jaxstyle.weights import load_network
from scripts.arguments import make_parser
from scripts.judges.torch_vgg import activations, load_vgg, preprocess
from scripts.measuring.records import machine, median_seconds, write_record

CONTENT_LAYER = "relu4_2"
STEP_SIZE = 1e-3  # of the gradient descent from one evaluation to the next
ON_GPU = jax.default_backend() == "gpu"
EVALUATIONS = 20 if ON_GPU else 4  # in each timed call


@dataclass(frozen=True)
class Contender:
    """A function that runs `EVALUATIONS` evaluations, and its peak memory in bytes, if known."""

    run: Callable[[], None]
    bytes: int | None = None


def jax_contender(pictures: np.ndarray, content: np.ndarray, style: np.ndarray, precision: str) -> Contender:
    network = prepare_network(load_network("vgg19", precision=precision))
    config = resolve_layers(StyleConfig(), "vgg19")
    statistics = measure_statistics(network, style, STYLE_LAYERS)
    objective = make_objective(config, content_targets(network, content), statistics)

    def loss(picture: jax.Array, network: Network, objective: Objective) -> jax.Array:
        return objective.terms(network, picture).total

    gradients = jax.grad(loss) if len(pictures) == 1 else jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    # All evaluations run in one compiled program, as in a solver, so that they share its memory.
    def descend(network: Network, objective: Objective, picture: jax.Array) -> jax.Array:
        def body(_: int, picture: jax.Array) -> jax.Array:
            return picture - STEP_SIZE * gradients(picture, network, objective)

        return jax.lax.fori_loop(0, EVALUATIONS, body, picture)

    initial = jnp.asarray(pictures[0] if len(pictures) == 1 else pictures)
    jitted = jax.jit(descend, compiler_options=convolution.COMPILER_OPTIONS)
    compiled = jitted.lower(network, objective, initial).compile()
    memory: Any = compiled.memory_analysis()
    peak_bytes = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    return Contender(
        lambda: jax.block_until_ready(compiled(network, objective, initial)), peak_bytes if ON_GPU else None
    )


def torch_contender(
    pictures: np.ndarray, content: np.ndarray, style: np.ndarray, precision: str, *, compiled: bool = False
) -> Contender:
    device, dtype = "cuda" if ON_GPU else "cpu", torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tensorfloat32"
    parameters = {
        layer: (kernel.to(device, dtype, memory_format=torch.channels_last), bias.to(device, dtype))
        for layer, (kernel, bias) in load_vgg("vgg19").items()
    }

    def to_inputs(picture: np.ndarray) -> torch.Tensor:
        return preprocess(torch.from_numpy(picture)).to(device).contiguous(memory_format=torch.channels_last)

    def gram_matrices(features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rows = {layer: features[layer].permute(0, 2, 3, 1).flatten(1, 2) for layer in STYLE_LAYERS}
        return {layer: (value.mT @ value).float() / value.shape[1] for layer, value in rows.items()}

    def features_of(inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return activations(parameters, inputs.to(dtype), (CONTENT_LAYER, *STYLE_LAYERS))

    with torch.no_grad():
        content_target = features_of(to_inputs(content))[CONTENT_LAYER].float()
        style_target = gram_matrices(features_of(to_inputs(style)))

    def loss_of(inputs: torch.Tensor) -> torch.Tensor:
        features = features_of(inputs)
        difference = features[CONTENT_LAYER].float() - content_target
        loss = 0.1 * (difference**2).sum() / (content_target**2).sum()
        for layer, gram in gram_matrices(features).items():
            target = style_target[layer]
            loss = loss + 0.2 * ((gram - target) ** 2).sum() / (target**2).sum()
        return loss

    inputs = torch.cat([to_inputs(picture) for picture in pictures]).contiguous(memory_format=torch.channels_last)
    inputs.requires_grad_()
    loss = torch.compile(loss_of) if compiled else loss_of

    def descend() -> None:
        for _ in range(EVALUATIONS):
            inputs.grad = None
            loss(inputs).backward()
            with torch.no_grad():
                inputs.sub_(STEP_SIZE * inputs.grad)
        if ON_GPU:
            torch.cuda.synchronize()

    if not ON_GPU:
        return Contender(descend)
    descend()
    torch.cuda.reset_peak_memory_stats()
    descend()
    return Contender(descend, torch.cuda.max_memory_allocated())


def measure(size: int, batch: int, rounds: int, precision: str) -> dict[str, dict[str, Any]]:
    """The median seconds of one evaluation of each contender, and its peak memory."""
    random = np.random.default_rng(0)
    shape = (round(size * 3 / 4), size, 3)
    content, style, *pictures = random.uniform(size=(2 + batch, *shape)).astype(np.float32)
    arguments = (np.stack(pictures), content, style, precision)
    contenders = {"jaxstyle": jax_contender(*arguments), "pytorch": torch_contender(*arguments)}
    if ON_GPU:
        contenders["torch.compile"] = torch_contender(*arguments, compiled=True)
    else:
        # XLA's own convolution is faster without our compiler options.
        with mock.patch.multiple(convolution, MIN_CHANNELS=math.inf, COMPILER_OPTIONS={}):
            contenders["lax.conv"] = jax_contender(*arguments)
    seconds = median_seconds({name: contender.run for name, contender in contenders.items()}, rounds)
    return {
        name: {"seconds": seconds[name] / EVALUATIONS, "bytes": contender.bytes}
        for name, contender in contenders.items()
    }


def report(size: int, batch: int, measured: dict[str, dict[str, Any]], peak: float) -> dict[str, Any]:
    """Print the figures on one line and return them as a record, with absolute times only for a GPU."""
    layers = (CONTENT_LAYER, *STYLE_LAYERS)
    work = batch * count_operations(load_network("vgg19"), layers, round(size * 3 / 4), size)
    row: dict[str, Any] = {"size": size, "batch": batch, "contenders": {}}
    line = f"{size:5} {batch:5}"
    for name, figures in measured.items():
        seconds = figures["seconds"]
        record = {"ratio": seconds / measured["pytorch"]["seconds"], "of_peak": work / seconds / peak}
        line += f"  {name} {record['ratio']:.2f}, {record['of_peak']:.2f} of peak"
        if ON_GPU:
            record |= {"milliseconds": 1000 * seconds, "bytes": figures["bytes"]}
            line += f", {record['milliseconds']:.2f} ms, {record['bytes'] / 1e9:.2f} GB"
        row["contenders"][name] = record
    print(line, flush=True)
    return row


def main() -> None:
    parser = make_parser("measuring.bench", __doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longest sides of the 4:3 pictures")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="numbers of pictures per evaluation")
    parser.add_argument("--precision", default="bfloat16" if ON_GPU else "float32", help="precision of the features")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of PyTorch")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    peak = matrix_product_rate(arguments.precision)
    measured_on = machine("flax", "torch") | {"threads": arguments.threads, "precision": arguments.precision}
    if ON_GPU:
        measured_on["matrix_products"] = peak
    print(json.dumps(measured_on))
    rows = []
    for size in arguments.sizes:
        for batch in arguments.batch:
            rows.append(report(size, batch, measure(size, batch, arguments.rounds, arguments.precision), peak))
    write_record(arguments.json, {"machine": measured_on, "rows": rows})


if __name__ == "__main__":
    main()
