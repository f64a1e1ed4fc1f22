"""Style transfer of Gatys, Ecker and Bethge (arXiv 1508.06576) with the defaults of neural-style, in PyTorch on a CPU.

    python -m scripts.judges.neural_style CONTENT STYLE -o OUT.png [--size 512] [--steps 1000] [--init random|image]

This is the baseline for the speed and the results of jaxstyle. The settings are those of jcjohnson/neural-style and its
PyTorch port:

- VGG-19 with maximum pooling and Caffe's input scale
- content: mean squared error at relu4_2, weight 5
- style: mean squared error of F F^T / (C H W) at relu1_1, ..., relu5_1, weight 100 each
- total variation: sum of absolute differences between neighbors, weight 0.001
- L-BFGS with history 100 and no line search, one evaluation per step
- initial picture: noise of standard deviation 0.001, or the content

Two details differ, with no visible effect: pictures are scaled to 255 instead of 256, and resized with Lanczos instead
of bilinear filtering.

Writes OUT.png; with `--save-every N`, also OUT_N.png and so on; and OUT.json with the settings and, for each step, the
seconds since the first step began and the losses. Requires torch, safetensors and pillow.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scripts.arguments import make_parser
from scripts.judges.torch_vgg import activations, deprocess, load_vgg, preprocess, read_picture, to_tensor

CONTENT_LAYER, CONTENT_WEIGHT = "relu4_2", 5.0
STYLE_LAYERS, STYLE_WEIGHT = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), 100.0
TV_WEIGHT = 1e-3
HISTORY = 100
NOISE = 1e-3


def gram(features: torch.Tensor) -> torch.Tensor:
    """`F F^T / (C H W)` of `[1, C, H, W]`."""
    rows = features[0].flatten(1)
    return rows @ rows.T / features.numel()


class Objective:
    """The loss of neural-style with its three terms, for inputs `[1, 3, H, W]` on Caffe's scale."""

    def __init__(self, content: torch.Tensor, style: torch.Tensor) -> None:
        self.parameters = load_vgg("vgg19")
        with torch.no_grad():
            self.content = activations(self.parameters, content, (CONTENT_LAYER,))[CONTENT_LAYER]
            features = activations(self.parameters, style, STYLE_LAYERS)
            self.grams = {layer: gram(features[layer]) for layer in STYLE_LAYERS}

    def __call__(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        features = activations(self.parameters, inputs, (CONTENT_LAYER, *STYLE_LAYERS))
        style = sum(torch.mean((gram(features[layer]) - target) ** 2) for layer, target in self.grams.items())
        return {
            "content": CONTENT_WEIGHT * torch.mean((features[CONTENT_LAYER] - self.content) ** 2),
            "style": STYLE_WEIGHT * style,
            "tv": TV_WEIGHT * (inputs.diff(dim=2).abs().sum() + inputs.diff(dim=3).abs().sum()),
        }


def save(inputs: torch.Tensor, path: Path) -> None:
    """Write inputs on Caffe's scale as a picture, clipped to its range."""
    picture = deprocess(inputs.detach()).clamp(0, 1).numpy()
    Image.fromarray(np.round(255 * picture).astype(np.uint8)).save(path)


def main() -> None:
    parser = make_parser("judges.neural_style", __doc__)
    parser.add_argument("content", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.png")
    parser.add_argument("--size", type=int, default=512, help="longest side of both pictures (default 512)")
    parser.add_argument("--steps", type=int, default=1000, help="steps of L-BFGS (default 1000)")
    parser.add_argument("--init", choices=("random", "image"), default="random", help="(default random)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default 0)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default all)")
    parser.add_argument("--save-every", type=int, default=0, metavar="STEPS", help="steps between pictures to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)

    content, style = (
        preprocess(to_tensor(read_picture(path, arguments.size))) for path in (arguments.content, arguments.style)
    )
    objective = Objective(content, style)
    inputs = NOISE * torch.randn_like(content) if arguments.init == "random" else content.clone()
    inputs = inputs.contiguous().requires_grad_()
    solver = torch.optim.LBFGS(
        [inputs], max_iter=arguments.steps, history_size=HISTORY, tolerance_grad=-1, tolerance_change=-1
    )
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
    history: list[dict[str, float]] = []
    began = time.perf_counter()

    def write_record() -> None:
        text = json.dumps({"settings": settings, "torch": torch.__version__, "history": history}, indent=1)
        arguments.output.with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    def evaluate() -> torch.Tensor:
        step = len(history)
        if arguments.save_every and step and step % arguments.save_every == 0:
            save(inputs, arguments.output.with_stem(f"{arguments.output.stem}_{step}"))
            write_record()
        solver.zero_grad()
        terms = objective(inputs)
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()
        losses = {name: term.item() for name, term in terms.items()}
        history.append({"seconds": time.perf_counter() - began, "total": loss.item(), **losses})
        print(f"step {step}: {history[-1]['seconds']:.1f} s, loss {loss.item():.6g}", flush=True)
        return loss

    solver.step(evaluate)
    save(inputs, arguments.output)
    write_record()


if __name__ == "__main__":
    main()
