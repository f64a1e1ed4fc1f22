"""Chapter 8: comparison of implementations. Needs PyTorch and pastiche.

`python -m scripts.paper.implementations NAME SIZE` measures the memory of one implementation.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import torch
from PIL import Image

import jaxstyle
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.optimization import STEPS_PER_CALL, content_targets, make_objective, prepare_network, solver
from jaxstyle.styles import measure_statistics
from scripts.judges.neural_style import CONTENT_LAYER, CONTENT_WEIGHT, STYLE_LAYERS, STYLE_WEIGHT, Objective
from scripts.judges.torch_vgg import deprocess, preprocess
from scripts.paper import ROOT, Lab

from pastiche.pastiche import PasticheArtist  # isort: skip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIR = ("harbour", "swirls")
STEPS = 60
_CHANNELS = ARCHITECTURES["vgg19"].channels
# The objective of neural-style as settings of jaxstyle, as the page explains.
_STYLE_WEIGHTS = {layer: 4 * STYLE_WEIGHT / _CHANNELS[layer] ** 2 for layer in STYLE_LAYERS}
CONFIG = jaxstyle.StyleConfig(
    normalization="gatys",
    content_layers=((CONTENT_LAYER, 1.0),),
    style_layers=tuple(_STYLE_WEIGHTS.items()),
    content_weight=2 * CONTENT_WEIGHT / _CHANNELS[CONTENT_LAYER],
    style_weight=sum(_STYLE_WEIGHTS.values()),
    color_weight=0.0,
    tv_weight=0.0,
    grain_weight=0.0,
)
# Yields the picture [H, W, 3] before the first step, and after every STEPS_PER_CALL steps.
Pictures = Iterator[np.ndarray]

PAGE = """# Implementations

The paper compares some of the implementations and frameworks of its time, which were built on Caffe and Torch.

**Method.** We compare three implementations on one machine, with the same objective:

- jaxstyle;
- `scripts/judges/neural_style.py`, our PyTorch version of jcjohnson's neural-style (VGG-19, L-BFGS with history 100 and
  no line search);
- pastiche {pastiche}, a package on PyPI, with its own L-BFGS.

All start from the photograph at {size} pixels and minimize the loss of neural-style without total variation:

    5 mean (F - P)^2 at relu4_2  +  100 sum over relu1_1, ..., relu5_1 of mean (G / N - A / N)^2

with G = F^T F / M over M positions and N channels. In jaxstyle, this is `normalization="gatys"` with layer weights
400 / N_l^2. It is not the default objective of jaxstyle. The three implementations take turns of {chunk} steps, so that
the load of the machine affects all of them alike. Times exclude compilation and loading. PyTorch {torch} uses as many
threads as there are cores. All three use the same weights, which come from pastiche.

This is the only chapter that needs PyTorch. It is skipped if PyTorch is not installed.

```sh
.venv/bin/pip install -e ".[bench]" pastiche && scripts/paper/reproduce.sh --only implementations
.venv/bin/python -m scripts.measuring.bench        # one loss and its gradient, at several sizes
```

{sheet}

{curves}

{numbers}

The losses of all three are computed by jaxstyle from their pictures, relative to the loss of the photograph. The time
is the CPU time of all cores in the fastest turn, relative to PyTorch, because absolute times depend on the machine and
wall-clock times on its load. The memory is the peak of a separate process that takes {chunk} steps, including imports
and, for jaxstyle, compilation.

From the same initial picture, the three find nearly the same result, with single suns in the same places. We expect
the same of the implementations in the paper, if they minimize the same loss. PyTorch's L-BFGS begins with a tiny step.
jaxstyle begins with a large one, which may be rejected, so it is behind in the first steps; later the three are level.
The sky stays white, because an absolute loss depends on a few strong features. The default objective of jaxstyle, with
relative layer losses and a color term, gives the colors of [chapter 1](networks.md) instead.
"""


@dataclass(frozen=True)
class Trajectory:
    """A run: the CPU seconds of each turn, and the pictures before the first turn and after each."""

    seconds: list[float]
    pictures: list[np.ndarray]


def make(lab: Lab) -> str:
    """Return the page."""
    content, style = map(lab.example, PAIR)
    runs = lab.cached(f"runs {STEPS}", lambda: run_in_turns(content, style))
    memory = {name: lab.cached(f"memory {name}", partial(_peak_memory, name, lab.size)) for name in IMPLEMENTATIONS}
    loss = _loss(content, style)
    initial_loss = loss(content)
    losses = {name: [loss(picture) / initial_loss for picture in run.pictures] for name, run in runs.items()}
    fastest_turn = {name: min(run.seconds) for name, run in runs.items()}

    def draw(figure: "Figure") -> None:
        for axes, by_time in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
            for name, values in losses.items():
                unit = fastest_turn[name] / fastest_turn["PyTorch"] if by_time else STEPS_PER_CALL
                axes.semilogy(np.arange(len(values)) * unit, values, marker=".", label=name)
            axes.grid(which="both", alpha=0.3)
            axes.set_xlabel(f"CPU time, in turns of {STEPS_PER_CALL} steps of PyTorch" if by_time else "step")
        figure.axes[0].set_ylabel("loss, relative to the photograph")
        figure.axes[0].legend()

    return PAGE.format(
        size=lab.size,
        chunk=STEPS_PER_CALL,
        pastiche=metadata.version("pastiche"),
        torch=torch.__version__,
        sheet=lab.sheet(
            "pictures", [[content, *(run.pictures[-1] for run in runs.values())]], columns=["photograph", *runs]
        ),
        curves=lab.plot("losses", draw),
        numbers=lab.table(
            [
                "implementation",
                f"loss after {STEPS // 3} steps",
                f"loss after {STEPS} steps",
                "CPU time, relative to PyTorch",
                "memory in GB",
            ],
            [
                [
                    name,
                    *(f"{losses[name][steps // STEPS_PER_CALL]:.4f}" for steps in (STEPS // 3, STEPS)),
                    f"{fastest_turn[name] / fastest_turn['PyTorch']:.2f}",
                    f"{memory[name] / 1e9:.1f}",
                ]
                for name in runs
            ],
        ),
    )


def jaxstyle_pictures(content: np.ndarray, style: np.ndarray) -> Pictures:
    network, objective = _objective(content, style)
    state = solver.init(content, optimizer="lbfgs")
    state, _ = solver.run(network, objective, state, 0, optimizer="lbfgs")  # compiles
    while True:
        yield np.clip(state.picture, 0, 1)
        state, _ = solver.run(network, objective, state, STEPS_PER_CALL, optimizer="lbfgs")


def torch_pictures(content: np.ndarray, style: np.ndarray) -> Pictures:
    content_inputs, style_inputs = (preprocess(torch.from_numpy(picture)) for picture in (content, style))
    objective = Objective(content_inputs, style_inputs)
    inputs = content_inputs.contiguous().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [inputs], max_iter=STEPS_PER_CALL, history_size=100, tolerance_grad=-1, tolerance_change=-1
    )

    def evaluate() -> torch.Tensor:
        optimizer.zero_grad()
        terms = objective(inputs)
        loss = terms["content"] + terms["style"]
        loss.backward()
        return loss

    while True:
        yield deprocess(inputs.detach()).clamp(0, 1).numpy().copy()
        optimizer.step(evaluate)


def pastiche_pictures(content: np.ndarray, style: np.ndarray) -> Pictures:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("content.png", "style.png")]
        for file, picture in zip(files, (content, style), strict=True):
            Image.fromarray(np.round(255 * picture).astype(np.uint8)).save(file)
        artist = PasticheArtist(
            str(files[0]),
            [str(files[1])],
            device="cpu",
            content_layer_weights=[CONTENT_WEIGHT],
            style_layer_weights=[STYLE_WEIGHT / _CHANNELS[layer] ** 2 for layer in STYLE_LAYERS],
        )
    while True:
        yield deprocess(artist.pastiche.detach()).clamp(0, 1).numpy().copy()
        for _ in range(STEPS_PER_CALL):
            artist.draw()


IMPLEMENTATIONS: dict[str, Callable[[np.ndarray, np.ndarray], Pictures]] = {
    "jaxstyle": jaxstyle_pictures,
    "PyTorch": torch_pictures,
    "pastiche": pastiche_pictures,
}


def run_in_turns(content: np.ndarray, style: np.ndarray) -> dict[str, Trajectory]:
    """Run all implementations for `STEPS` steps, in turns of `STEPS_PER_CALL` steps."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    iterators = {name: pictures(content, style) for name, pictures in IMPLEMENTATIONS.items()}
    runs = {name: Trajectory([], [next(iterator)]) for name, iterator in iterators.items()}
    for _ in range(STEPS // STEPS_PER_CALL):
        for name, iterator in iterators.items():
            start = time.process_time()
            runs[name].pictures.append(next(iterator))
            runs[name].seconds.append(time.process_time() - start)
    return runs


def _objective(content: np.ndarray, style: np.ndarray) -> tuple[jaxstyle.Network, Any]:
    network = prepare_network(jaxstyle.load_network("vgg19"))
    targets = content_targets(network, content, CONFIG.content_names)
    return network, make_objective(CONFIG, targets, measure_statistics(network, style, CONFIG.style_names))


def _loss(content: np.ndarray, style: np.ndarray) -> Callable[[np.ndarray], float]:
    network, objective = _objective(content, style)
    evaluate = jax.jit(lambda network, objective, picture: objective.terms(network, picture).total)
    return lambda picture: float(evaluate(network, objective, picture))


def _peak_memory(name: str, size: int) -> int:
    """The peak memory in bytes of a process that runs only this implementation."""
    command = [sys.executable, "-m", "scripts.paper.implementations", name, str(size)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


def main() -> None:
    """Take the first steps of one implementation, and print the peak memory of this process."""
    name, size = sys.argv[1:]
    pictures = IMPLEMENTATIONS[name](*map(Lab("implementations", int(size)).example, PAIR))
    next(pictures), next(pictures)
    print(_own_peak_memory())


def _own_peak_memory() -> int:
    """The peak memory of this process in bytes.

    `getrusage` would count the parent process too: on Linux, its result is at least the parent's memory.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
