"""Chapter 8: implementations. Needs PyTorch and pastiche besides; as a program, measures the memory of one of them."""

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
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.optimization import solver
from jaxstyle.optimization.objective import content_targets, make_objective
from jaxstyle.optimization.solver import STEPS_PER_CALL
from jaxstyle.styles.measured import measure_statistics
from jaxstyle.stylize import prepare_network
from scripts.judges.neural_style import CONTENT_LAYER, CONTENT_WEIGHT, STYLE_LAYERS, STYLE_WEIGHT, Objective
from scripts.judges.torch_vgg import deprocess, preprocess
from scripts.paper import Lab

from pastiche.pastiche import PasticheArtist  # isort: skip

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIR = ("harbour", "swirls")
STEPS = 60
_CHANNELS = ARCHITECTURES["vgg19"].channels
# neural-style's objective in jaxstyle's terms; see the page.
_STYLE_WEIGHTS = {layer: 4 * STYLE_WEIGHT / _CHANNELS[layer] ** 2 for layer in STYLE_LAYERS}
CONFIG = jaxstyle.StyleConfig(
    normalization="gatys",
    content_layers=((CONTENT_LAYER, 1.0),),
    style_layers=tuple(_STYLE_WEIGHTS.items()),
    content_weight=2 * CONTENT_WEIGHT / _CHANNELS[CONTENT_LAYER],
    style_weight=sum(_STYLE_WEIGHTS.values()),
    color_weight=0.0,
    tv_weight=0.0,
)
Steps = Iterator[np.ndarray]  # the picture [H, W, 3] before the first step, and after every CHUNK of them

PAGE = """# Implementations

The paper compares some implementations and frameworks of its day, which were built on Caffe and Torch.

**What we did.** Three of today, on one machine, at one objective: jaxstyle; `scripts/neural_style.py`, our rendering in
PyTorch of what jcjohnson's neural-style does (VGG-19, L-BFGS with history 100 and no line search); and pastiche
{pastiche}, a package on PyPI, with its own L-BFGS. All start from the photograph at {size} pixels and minimize
neural-style's loss without its smoothness, in their own code:

    5 mean (F - P)^2 at relu4_2  +  100 sum over relu1_1, ..., relu5_1 of mean (G / N - A / N)^2

with G = F^T F / M over M positions and N channels. In jaxstyle's terms this is `normalization="gatys"` with layer
weights 400 / N_l^2. It is not jaxstyle's default objective. The three take turns, {chunk} steps at a time, so that they
meet the same machine; compilation and loading are left out of the seconds. PyTorch {torch} has as many threads as there
are cores. pastiche's copy of the weights is rounded more coarsely, so its own loss is not quite the same.

This chapter alone needs PyTorch, and is left out without it:

```sh
.venv/bin/pip install -e ".[bench]" pastiche && scripts/reproduce_paper --only implementations
.venv/bin/python scripts/bench        # one loss and its gradient, in more sizes
```

{sheet}

{curves}

{numbers}

The loss is jaxstyle's reading of that objective for all three, on their pictures as they stand, in units of the loss of
the photograph. The seconds are the processor's, of all cores together, in each one's fastest turn, and given as ratios:
absolute ones say little on another machine, and those of a clock little on a busy one. The memory is the most that a
process of its own held in {chunk} steps, imports and, for jaxstyle, compilation included.

From the same start the three find nearly the same picture, down to single suns: what the paper's comparison of
implementations would show too, if they minimize the same thing. PyTorch's L-BFGS begins with a tiny step and jaxstyle's
with a bold one that may have to be taken back, so jaxstyle is behind in the first steps; later they are level. The sky
stays white: an absolute loss of this kind hangs on few strong features, and jaxstyle's own objective, with relative
layers and a color term, gives the colors of chapter 1 instead.
"""


@dataclass(frozen=True)
class Way:
    """How one went: the processor's seconds in each turn, and the picture before the first and after each."""

    seconds: list[float]
    pictures: list[np.ndarray]


def make(lab: Lab) -> str:
    """The page."""
    content, style = map(lab.example, PAIR)
    ways = lab.cached(f"ways {STEPS}", lambda: follow(content, style))
    memory = {name: lab.cached(f"memory {name}", partial(_memory, name, lab.size)) for name in IMPLEMENTATIONS}
    loss = _loss(content, style)
    first = loss(content)
    losses = {name: [loss(picture) / first for picture in way.pictures] for name, way in ways.items()}
    pace = {name: min(way.seconds) for name, way in ways.items()}

    def draw(figure: "Figure") -> None:
        for panel, times in zip(figure.subplots(1, 2, sharey=True), (None, pace), strict=True):
            for name, values in losses.items():
                along = np.arange(len(values)) * (STEPS_PER_CALL if times is None else times[name] / pace["PyTorch"])
                panel.semilogy(along, values, marker=".", label=name)
            panel.grid(which="both", alpha=0.3)
            panel.set_xlabel("step" if times is None else f"CPU time, in turns of {STEPS_PER_CALL} steps of PyTorch")
        figure.axes[0].set_ylabel("loss, of the photograph's")
        figure.axes[0].legend()

    return PAGE.format(
        size=lab.size,
        chunk=STEPS_PER_CALL,
        pastiche=metadata.version("pastiche"),
        torch=torch.__version__,
        sheet=lab.sheet(
            "pictures", [[content, *(way.pictures[-1] for way in ways.values())]], columns=["photograph", *ways]
        ),
        curves=lab.plot("losses", draw),
        numbers=lab.table(
            [
                "implementation",
                f"loss after {STEPS // 3} steps",
                f"after {STEPS}",
                "CPU seconds, of PyTorch's",
                "GB",
            ],
            [
                [
                    name,
                    *(f"{losses[name][steps // STEPS_PER_CALL]:.4f}" for steps in (STEPS // 3, STEPS)),
                    f"{pace[name] / pace['PyTorch']:.2f}",
                    f"{memory[name] / 1e9:.1f}",
                ]
                for name in ways
            ],
        ),
    )


def jaxstyle_steps(content: np.ndarray, style: np.ndarray) -> Steps:
    network, objective = _objective(content, style)
    state = solver.init(content, optimizer="lbfgs")
    state, _ = solver.run(network, objective, state, 0, optimizer="lbfgs")  # compiles
    while True:
        yield np.clip(state.picture, 0, 1)
        state, _ = solver.run(network, objective, state, STEPS_PER_CALL, optimizer="lbfgs")


def torch_steps(content: np.ndarray, style: np.ndarray) -> Steps:
    targets, wanted = (preprocess(torch.from_numpy(picture)) for picture in (content, style))
    objective = Objective(targets, wanted)
    inputs = targets.contiguous().clone().requires_grad_()
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


def pastiche_steps(content: np.ndarray, style: np.ndarray) -> Steps:
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


IMPLEMENTATIONS: dict[str, Callable[[np.ndarray, np.ndarray], Steps]] = {
    "jaxstyle": jaxstyle_steps,
    "PyTorch": torch_steps,
    "pastiche": pastiche_steps,
}


def follow(content: np.ndarray, style: np.ndarray) -> dict[str, Way]:
    """Let all take turns until each has taken its steps."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    steps = {name: make_steps(content, style) for name, make_steps in IMPLEMENTATIONS.items()}
    ways = {name: Way([], [next(own)]) for name, own in steps.items()}
    for _ in range(STEPS // STEPS_PER_CALL):
        for name, own in steps.items():
            began = time.process_time()
            ways[name].pictures.append(next(own))
            ways[name].seconds.append(time.process_time() - began)
    return ways


def _objective(content: np.ndarray, style: np.ndarray) -> tuple[jaxstyle.Network, Any]:
    network = prepare_network(jaxstyle.load_network("vgg19"))
    targets = content_targets(network, content, CONFIG.content_names)
    return network, make_objective(CONFIG, targets, measure_statistics(network, style, CONFIG.style_names))


def _loss(content: np.ndarray, style: np.ndarray) -> Callable[[np.ndarray], float]:
    network, objective = _objective(content, style)
    evaluate = jax.jit(lambda network, objective, picture: objective.terms(network, picture).total)
    return lambda picture: float(evaluate(network, objective, picture))


def _memory(name: str, size: int) -> int:
    """The most bytes that a process holds in which only this implementation runs."""
    command = [sys.executable, "-m", "paper.implementations", name, str(size)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    name, size = sys.argv[1:]
    steps = IMPLEMENTATIONS[name](*map(Lab("implementations", int(size)).example, PAIR))
    next(steps), next(steps)
    print(_most_held())


def _most_held() -> int:
    """Bytes. Of a process alone: getrusage gives on Linux what the process that started it held, if that is more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
