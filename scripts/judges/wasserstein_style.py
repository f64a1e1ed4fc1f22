"""Style transfer by the recipe of style-transfer-pytorch, in PyTorch on a CPU, as a second baseline.

    python -m scripts.judges.wasserstein_style CONTENT STYLE -o OUT.png [--size 512] [--steps 500] [--first-steps 1000]

The recipe is that of crowson/style-transfer-pytorch, as its documentation describes it:

- VGG-19 with maximum pooling and replicated borders
- content: squared error at relu4_2, divided by its mean absolute error, weight 0.015
- style: squared 2-Wasserstein distance of normal distributions with the features' means and covariances, per channel,
  at relu1_1, ..., relu5_1, with weights 256, 64, 16, 4, 1 that are scaled to add up to 1
- total variation: mean squared difference between neighbors, weight 2
- Adam, learning rate 0.02, betas 0.9 and 0.99, pixels clipped to their range after each step
- sizes from 128 pixels up by factors of the square root of 2; each begins with the enlarged result of the previous one
- the result is an exponential average of the iterates with decay 0.99

It differs in details that are not documented, and by default in nothing else. Requires torch, safetensors and pillow.
"""

import math
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from scripts.arguments import make_parser
from scripts.judges.torch_vgg import activations, load_vgg, preprocess, read_picture, to_tensor

CONTENT_LAYER, CONTENT_WEIGHT = "relu4_2", 0.015
STYLE_LAYERS = {"relu1_1": 256.0, "relu2_1": 64.0, "relu3_1": 16.0, "relu4_1": 4.0, "relu5_1": 1.0}
TV_WEIGHT = 2.0
RATE, BETAS, DECAY = 0.02, (0.9, 0.99), 0.99
SMALLEST, REGULARIZATION = 128, 1e-4

Moments = tuple[torch.Tensor, torch.Tensor]


def moments(features: torch.Tensor) -> Moments:
    """The means `[C]` and covariances `[C, C]` of features `[1, C, H, W]`."""
    columns = features[0].flatten(1)
    mean = columns.mean(1, keepdim=True)
    centered = columns - mean
    return mean[:, 0], centered @ centered.T / columns.shape[1]


def square_root(matrix: torch.Tensor) -> torch.Tensor:
    """The square root of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


class RootTrace(torch.autograd.Function):
    """The trace of the square root of a symmetric positive matrix; its gradient is half the inverse square root."""

    @staticmethod
    def forward(context, matrix: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.clamp(min=1e-10).sqrt()
        context.save_for_backward(vectors, roots)
        return roots.sum()

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        vectors, roots = context.saved_tensors
        return gradient * 0.5 * (vectors / roots) @ vectors.T


def wasserstein(found: Moments, target: Moments, root: torch.Tensor) -> torch.Tensor:
    """The squared 2-Wasserstein distance of normal distributions per channel; `root` is that of the target."""
    covariance = found[1] + REGULARIZATION * torch.eye(len(found[0]))
    cross = RootTrace.apply(root @ covariance @ root)
    variance = covariance.trace() + target[1].trace() - 2 * cross
    return torch.mean((found[0] - target[0]) ** 2) + variance / len(found[0])


def scaled_error(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The squared error divided by the absolute error, so that its gradient has about the same size everywhere."""
    difference = features - target
    return difference.square().sum() / (difference.abs().sum().detach() + 1e-8)


class Objective:
    """The loss at one size, for pictures `[H, W, 3]` in [0, 1]."""

    def __init__(self, content: torch.Tensor, style: torch.Tensor) -> None:
        self.parameters = load_vgg("vgg19")
        with torch.no_grad():
            self.content = self.features(content, (CONTENT_LAYER,))[CONTENT_LAYER]
            features = self.features(style, tuple(STYLE_LAYERS))
            self.targets = {layer: moments(value) for layer, value in features.items()}
            eye = {layer: torch.eye(len(mean)) for layer, (mean, _) in self.targets.items()}
            self.targets = {layer: (m, c + REGULARIZATION * eye[layer]) for layer, (m, c) in self.targets.items()}
            self.roots = {layer: square_root(covariance) for layer, (_, covariance) in self.targets.items()}

    def features(self, picture: torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        # On the scale of ImageNet's standard deviations, as in PyTorch's own VGG.
        scaled = activations(self.parameters, preprocess(picture), layers, replicate=True)
        return {layer: value / 58 for layer, value in scaled.items()}

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        features = self.features(picture, (CONTENT_LAYER, *STYLE_LAYERS))
        content = CONTENT_WEIGHT * scaled_error(features[CONTENT_LAYER], self.content)
        total = sum(STYLE_LAYERS.values())
        style = sum(
            weight / total * wasserstein(moments(features[layer]), self.targets[layer], self.roots[layer])
            for layer, weight in STYLE_LAYERS.items()
        )
        variation = picture.diff(dim=0).square().mean() + picture.diff(dim=1).square().mean()
        return content + style + TV_WEIGHT * variation


def optimize(objective: Objective, picture: torch.Tensor, steps: int) -> torch.Tensor:
    """The average of the iterates from a picture `[H, W, 3]`."""
    picture = picture.clone().requires_grad_()
    solver = torch.optim.Adam([picture], lr=RATE, betas=BETAS)
    average, weight = torch.zeros_like(picture), 0.0
    for _ in range(steps):
        solver.zero_grad()
        objective(picture).backward()
        solver.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
            average, weight = DECAY * average + (1 - DECAY) * picture, DECAY * weight + 1 - DECAY
    return (average / weight).detach().clamp(0, 1)


def sizes(size: int) -> list[int]:
    """The longest sides, coarse to fine."""
    count = max(0, round(2 * math.log2(size / SMALLEST)))
    return [round(size / math.sqrt(2) ** index) for index in range(count, -1, -1)]


def main() -> None:
    parser = make_parser("judges.wasserstein_style", __doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--size", type=int, default=512, help="longest side of both pictures (default 512)")
    parser.add_argument("--steps", type=int, default=500, help="steps at each size (default 500)")
    parser.add_argument("--first-steps", type=int, default=1000, help="steps at the smallest size (default 1000)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default all)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    picture, began = None, time.perf_counter()
    for index, size in enumerate(sizes(arguments.size)):
        content, style = (to_tensor(read_picture(path, size)) for path in (arguments.content, arguments.style))
        if picture is None:
            picture = content
        else:
            shape = content.shape[:2]
            enlarged = functional.interpolate(picture.permute(2, 0, 1)[None], shape, mode="bicubic")
            picture = enlarged[0].permute(1, 2, 0).clamp(0, 1)
        steps = arguments.first_steps if index == 0 else arguments.steps
        picture = optimize(Objective(content, style), picture, steps)
        print(f"{size} px: {steps} steps, {time.perf_counter() - began:.0f} s", flush=True)
    assert picture is not None
    Image.fromarray(np.round(255 * picture.numpy()).astype(np.uint8)).save(arguments.output)


if __name__ == "__main__":
    main()
