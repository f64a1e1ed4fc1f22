#!/usr/bin/env python3
"""How long one loss-and-gradient takes, side by side: jaxstyle, jaxstyle on the compiler's convolution, and PyTorch.

    python scripts/bench [--sizes 256 512] [--batch 1 4] [--precision P] [--rounds 5] [--threads N] [--json FILE]

The objective is the default one for VGG-19: content relu4_2 and the Gram matrices of relu1_1, ..., relu5_1, relative to
their targets; jaxstyle's has its color and smoothness terms besides. PyTorch runs channels-last with the same weights
on the same device: eager, as people run it, and on a GPU by torch.compile too. All take turns in one process, so that
they meet the same machine; a round's figure is one evaluation, and what is printed is the median of the rounds and its
ratio to eager PyTorch's. "of peak" counts the operations of direct convolutions, against a large matrix product of the
same precision in JAX. On a GPU, milliseconds and peak memory are told too. JAX uses the cores that the process may use.
Needs the extra "bench".
"""

import argparse
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

from jaxstyle.cli.bench import matrix_product_rate, operations
from jaxstyle.config import StyleConfig
from jaxstyle.networks import convolution as conv
from jaxstyle.networks.architectures import resolve_layers
from jaxstyle.networks.network import Network
from jaxstyle.optimization.objective import Objective, content_targets, make_objective
from jaxstyle.styles import measured as styles
from jaxstyle.styles.measured import STYLE_LAYERS
from jaxstyle.stylize import prepare_network
from jaxstyle.weights.store import load_network
from scripts.judges.torch_vgg import activations, load_vgg, preprocess
from scripts.measuring.records import machine, median_seconds, write_record

CONTENT_LAYER = "relu4_2"
RATE = 1e-3  # of the descent from one evaluation to the next
ON_GPU = jax.default_backend() == "gpu"
EVALUATIONS = 20 if ON_GPU else 4


@dataclass(frozen=True)
class Contender:
    """What is timed: a few evaluations, and the bytes that they hold at their peak where that is known."""

    run: Callable[[], None]
    bytes: int | None = None


def jax_evaluation(pictures: np.ndarray, content: np.ndarray, style: np.ndarray, precision: str) -> Contender:
    network = prepare_network(load_network("vgg19", precision=precision))
    config = resolve_layers(StyleConfig(), "vgg19")
    objective = make_objective(config, content_targets(network, content), styles.measure(network, style, STYLE_LAYERS))

    def loss(picture: jax.Array, network: Network, objective: Objective) -> jax.Array:
        return objective.terms(network, picture).total

    gradients = jax.grad(loss) if len(pictures) == 1 else jax.vmap(jax.grad(loss), in_axes=(0, None, None))

    # As a solver goes about it: in one program, whose memory is at hand after the first of them.
    def descend(network: Network, objective: Objective, picture: jax.Array) -> jax.Array:
        def body(_: int, picture: jax.Array) -> jax.Array:
            return picture - RATE * gradients(picture, network, objective)

        return jax.lax.fori_loop(0, EVALUATIONS, body, picture)

    start = jnp.asarray(pictures[0] if len(pictures) == 1 else pictures)
    compiled = jax.jit(descend, compiler_options=conv.COMPILER_OPTIONS).lower(network, objective, start).compile()
    memory: Any = compiled.memory_analysis()
    held = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
    return Contender(lambda: jax.block_until_ready(compiled(network, objective, start)), held if ON_GPU else None)


def torch_evaluation(
    pictures: np.ndarray, content: np.ndarray, style: np.ndarray, precision: str, *, compiled: bool = False
) -> Contender:
    device, dtype = "cuda" if ON_GPU else "cpu", torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tensorfloat32"
    parameters = {
        layer: (kernel.to(device, dtype, memory_format=torch.channels_last), bias.to(device, dtype))
        for layer, (kernel, bias) in load_vgg("vgg19").items()
    }

    def read(picture: np.ndarray) -> torch.Tensor:
        return preprocess(torch.from_numpy(picture)).to(device).contiguous(memory_format=torch.channels_last)

    def grams(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rows = {layer: found[layer].permute(0, 2, 3, 1).flatten(1, 2) for layer in STYLE_LAYERS}
        return {layer: (value.mT @ value).float() / value.shape[1] for layer, value in rows.items()}

    def see(inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return activations(parameters, inputs.to(dtype), (CONTENT_LAYER, *STYLE_LAYERS))

    with torch.no_grad():
        target, wanted = see(read(content))[CONTENT_LAYER].float(), grams(see(read(style)))

    def loss_of(inputs: torch.Tensor) -> torch.Tensor:
        found = see(inputs)
        loss = 0.1 * ((found[CONTENT_LAYER].float() - target) ** 2).sum() / (target**2).sum()
        for layer, gram in grams(found).items():
            loss = loss + 0.2 * ((gram - wanted[layer]) ** 2).sum() / (wanted[layer] ** 2).sum()
        return loss

    inputs = torch.cat([read(picture) for picture in pictures]).contiguous(memory_format=torch.channels_last)
    inputs.requires_grad_()
    loss = torch.compile(loss_of) if compiled else loss_of

    def evaluate() -> None:
        for _ in range(EVALUATIONS):
            inputs.grad = None
            loss(inputs).backward()
            with torch.no_grad():
                inputs.sub_(RATE * inputs.grad)
        if ON_GPU:
            torch.cuda.synchronize()

    if not ON_GPU:
        return Contender(evaluate)
    evaluate()
    torch.cuda.reset_peak_memory_stats()
    evaluate()
    return Contender(evaluate, torch.cuda.max_memory_allocated())


def measure(size: int, batch: int, rounds: int, precision: str) -> dict[str, dict[str, Any]]:
    """Median seconds of one evaluation of each contender, and its bytes."""
    random = np.random.default_rng(0)
    shape = (round(size * 3 / 4), size, 3)
    content, style, *pictures = random.uniform(size=(2 + batch, *shape)).astype(np.float32)
    arguments = (np.stack(pictures), content, style, precision)
    contenders = {"jaxstyle": jax_evaluation(*arguments), "pytorch": torch_evaluation(*arguments)}
    if ON_GPU:
        contenders["torch.compile"] = torch_evaluation(*arguments, compiled=True)
    else:
        # The compiler's own convolution is faster with its own choice of libraries.
        with mock.patch.multiple(conv, MIN_CHANNELS=math.inf, COMPILER_OPTIONS={}):
            contenders["lax.conv"] = jax_evaluation(*arguments)
    seconds = median_seconds({name: contender.run for name, contender in contenders.items()}, rounds)
    return {
        name: {"seconds": seconds[name] / EVALUATIONS, "bytes": contender.bytes}
        for name, contender in contenders.items()
    }


def report(size: int, batch: int, found: dict[str, dict[str, Any]], peak: float) -> dict[str, Any]:
    """Print what was found as one line, and give it as a record: absolute times only of a GPU."""
    layers = (CONTENT_LAYER, *STYLE_LAYERS)
    work = batch * operations(load_network("vgg19"), layers, round(size * 3 / 4), size)
    row: dict[str, Any] = {"size": size, "batch": batch, "contenders": {}}
    told = [f"{size:5} {batch:5}"]
    for name, figures in found.items():
        own = {"ratio": figures["seconds"] / found["pytorch"]["seconds"], "of_peak": work / figures["seconds"] / peak}
        told.append(f"  {name} {own['ratio']:.2f}, {own['of_peak']:.2f} of peak")
        if ON_GPU:
            own |= {"milliseconds": 1000 * figures["seconds"], "bytes": figures["bytes"]}
            told.append(f", {own['milliseconds']:.2f} ms, {own['bytes'] / 1e9:.2f} GB")
        row["contenders"][name] = own
    print("".join(told), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longest sides, of 4:3 pictures")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--precision", default="bfloat16" if ON_GPU else "float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="PyTorch's threads")
    parser.add_argument("--json", type=Path, help="write the figures here")
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
