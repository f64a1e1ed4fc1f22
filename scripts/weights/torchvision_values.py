"""Write tests/data/torchvision.npz, reference values from torchvision for the tests of AlexNet and GoogLeNet.

    python -m scripts.weights.torchvision_values

torchvision's networks get the weights of `random_weights`, and are evaluated in float64 for a small photograph. The
file holds the photograph (`picture`, uint8) and `fractions` [64] in [0, 1), which select the stored entries of a
flattened array (entry floor(fraction * size), arrays in `[h, w, C]` order); and for each network (`alexnet.`,
`googlenet.`):

    state                           JSON: names and shapes of the weights, without the fully connected layers
    layers                          names of torchvision's modules, in order of computation
    entries [layers, 64], norms     of the outputs of the modules
    gradient [64]                   of |F|^2 / 2 at the module GRADIENT_AT, with respect to the picture in [0, 1]

Requires torch, torchvision and pillow.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import models

from scripts.weights.random_weights import random_weights

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "data" / "torchvision.npz"
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
NETWORKS = {
    "alexnet": lambda: models.alexnet(),
    "googlenet": lambda: models.googlenet(transform_input=True, init_weights=False),
}
GRADIENT_AT = {"alexnet": "features.9", "googlenet": "inception4a"}
SIZE = (97, 75)
ENTRIES = 64


def load_random_weights(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Load random weights into the convolutions and batch normalizations of a model, and return their shapes."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if value.ndim}
    shapes = {name: shape for name, shape in shapes.items() if "fc" not in name and "classifier" not in name}
    weights = {name: torch.from_numpy(random_weights(name, shape)) for name, shape in shapes.items()}
    model.load_state_dict(weights, strict=False)
    return shapes


def activations(model: nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """The outputs of convolutions, rectifiers, pools and inceptions by name, in order of computation."""
    outputs: dict[str, torch.Tensor] = {}

    def make_hook(name: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: torch.Tensor) -> None:
            outputs[name] = output.clone()  # because rectifiers work in place

        return hook

    kinds = ("Conv2d", "ReLU", "MaxPool2d", "BasicConv2d", "Inception")
    for name, module in model.named_modules():
        if type(module).__name__ in kinds and not name.endswith(".conv") and "classifier" not in name:
            module.register_forward_hook(make_hook(name))
    model.eval()(inputs)
    return outputs


def select(values: torch.Tensor, fractions: np.ndarray) -> np.ndarray:
    """The entries of a flattened array that `fractions` select, in float32."""
    flat = values.detach().numpy().reshape(-1)
    return flat[(fractions * flat.size).astype(np.int64)].astype(np.float32)


def reference(name: str, picture: np.ndarray, fractions: np.ndarray) -> dict[str, np.ndarray]:
    """All values of one network."""
    model = NETWORKS[name]().double()
    shapes = load_random_weights(model)
    pixels = torch.from_numpy(picture / 255).requires_grad_()
    inputs = ((pixels - MEAN) / DEVIATION).permute(2, 0, 1)[None]
    features = activations(model, inputs)
    (gradient,) = torch.autograd.grad(torch.sum(features[GRADIENT_AT[name]] ** 2) / 2, pixels)
    return {
        "state": np.array(json.dumps(shapes)),
        "layers": np.array(list(features)),
        "entries": np.stack([select(values[0].permute(1, 2, 0), fractions) for values in features.values()]),
        "norms": np.array([values.norm().item() for values in features.values()]),
        "gradient": select(gradient, fractions),
    }


def main() -> None:
    photograph = Image.open(ROOT / "examples" / "content" / "cat.jpg").convert("RGB")
    picture = np.array(photograph.resize(SIZE, Image.Resampling.LANCZOS))
    fractions = np.random.default_rng(0).random(ENTRIES)
    stored = {"picture": picture, "fractions": fractions}
    for name in NETWORKS:
        stored |= {f"{name}.{key}": value for key, value in reference(name, picture, fractions).items()}
    np.savez_compressed(OUTPUT, **stored)  # type: ignore[arg-type]
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
