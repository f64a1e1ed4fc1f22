"""Make tests/data/features.npz, the values that jaxstyle's networks and losses are tested against, with PyTorch.

    python scripts/reference_values.py                     write the file from the pictures in examples/content
    python scripts/reference_values.py --gain PICTURE...   print how average pooling has to be rescaled instead

The file holds three small photographs (`picture`, `content`, `style`, uint8), `fractions` [256] in [0, 1), which pick
the entries kept of a flattened array (entry floor(fraction * size), arrays in `[h, w, C]` order), and, computed in
float64 for each network and pooling (`vgg19.max.`, `vgg19.avg.`, ...):

    entries [layers, 256], norms [layers]       of every layer's activations for `picture`, in order of computation
    grams [5, 256], gram_norms [5]              of G = F^T F / (H W) at STYLE_LAYERS
    content, content_gradient [256]             sum (F - P)^2 / 2 at CONTENT_LAYER, and its gradient
    style [5], style_gradient [256]             sum (G - A)^2 / (4 N^2) at STYLE_LAYERS, and the gradient of their mean

F and G are those of `picture`, P those of `content` and A those of `style`; N is the number of channels. With Gram
matrices divided by their own number of positions this is equations 1 and 4 of Gatys et al. (arXiv 1508.06576), for
pictures of any size. Gradients are with respect to `picture` as RGB in [0, 1], `[H, W, 3]`.

Needs torch, safetensors and pillow.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scripts.judges.torch_vgg import (
    CONVOLUTIONS,
    Parameters,
    activations,
    load_vgg,
    preprocess,
    read_picture,
    to_tensor,
)

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "data" / "features.npz"
PICTURES = {"picture": ("cat", (97, 75)), "content": ("coffee", (97, 75)), "style": ("harbour", (83, 110))}
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
# As in jaxstyle/networks/vgg.py, which says where it comes from; the tests check that the two agree.
AVERAGE_GAIN = (1.3, 1.6, 1.5, 2.0, 2.0)
ENTRIES = 256
GAIN_SIZE = 256


def picked(values: torch.Tensor, fractions: np.ndarray) -> np.ndarray:
    """The entries of a flattened array that `fractions` name, in float32."""
    flat = values.detach().numpy().reshape(-1)
    return flat[(fractions * flat.size).astype(np.int64)].astype(np.float32)


def channels_last(features: torch.Tensor) -> torch.Tensor:
    """`[1, C, h, w]` as `[h, w, C]`."""
    return features[0].permute(1, 2, 0)


def gram(features: torch.Tensor) -> torch.Tensor:
    """`F^T F / (H W)` of `[1, C, H, W]`."""
    columns = features[0].flatten(1)
    return columns @ columns.T / columns.shape[1]


def reference(
    parameters: Parameters, pictures: dict[str, torch.Tensor], gain: tuple[float, ...], fractions: np.ndarray
) -> dict[str, np.ndarray]:
    """All values of one network with one pooling."""
    picture = pictures["picture"].clone().requires_grad_()
    everything = [conv.replace("conv", kind) for conv in parameters for kind in ("conv", "relu")]
    everything += [f"pool{block}" for block in range(1, 6)]
    found = activations(parameters, preprocess(picture), everything, gain)
    target = activations(parameters, preprocess(pictures["content"]), (CONTENT_LAYER,), gain)[CONTENT_LAYER]
    style = activations(parameters, preprocess(pictures["style"]), STYLE_LAYERS, gain)

    grams = [gram(found[layer]) for layer in STYLE_LAYERS]
    content_loss = torch.sum((found[CONTENT_LAYER] - target) ** 2) / 2
    style_losses = torch.stack(
        [
            torch.sum((values - gram(style[layer])) ** 2) / (4 * len(values) ** 2)
            for layer, values in zip(STYLE_LAYERS, grams, strict=True)
        ]
    )
    gradients = [
        torch.autograd.grad(loss, picture, retain_graph=True)[0] for loss in (content_loss, style_losses.mean())
    ]
    return {
        "entries": np.stack([picked(channels_last(values), fractions) for values in found.values()]),
        "norms": np.array([values.norm().item() for values in found.values()]),
        "grams": np.stack([picked(values, fractions) for values in grams]),
        "gram_norms": np.array([values.norm().item() for values in grams]),
        "content": np.array(content_loss.item()),
        "content_gradient": picked(gradients[0], fractions),
        "style": style_losses.detach().numpy(),
        "style_gradient": picked(gradients[1], fractions),
    }


def double(parameters: Parameters) -> Parameters:
    """The parameters in float64."""
    return {layer: (kernel.double(), bias.double()) for layer, (kernel, bias) in parameters.items()}


def write() -> None:
    """Compute everything and write OUTPUT."""
    stored: dict[str, Any] = {}
    for name, (file, size) in PICTURES.items():
        picture = Image.open(ROOT / "examples" / "content" / f"{file}.jpg").convert("RGB")
        stored[name] = np.array(picture.resize(size, Image.Resampling.LANCZOS))
    pictures = {name: torch.from_numpy(picture / 255) for name, picture in stored.items()}
    stored["fractions"] = np.random.default_rng(0).random(ENTRIES)
    stored["average_gain"] = np.array(AVERAGE_GAIN)
    for network in CONVOLUTIONS:
        parameters = double(load_vgg(network))
        for pooling, gain in (("max", ()), ("avg", AVERAGE_GAIN)):
            values = reference(parameters, pictures, gain, stored["fractions"])
            stored |= {f"{network}.{pooling}.{name}": value for name, value in values.items()}
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUTPUT, **stored)
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes")


def gains(parameters: Parameters, inputs: torch.Tensor) -> list[float]:
    """For each pool in turn, the factor that brings the mean after averages to the mean after maxima."""
    maxima = activations(parameters, inputs, [f"pool{block}" for block in range(1, 6)])
    found: list[float] = []
    for block in range(1, 6):
        averages = activations(parameters, inputs, (f"pool{block}",), (*found, 1.0))[f"pool{block}"]
        found.append((maxima[f"pool{block}"].mean() / averages.mean()).item())
    return found


def print_gains(paths: list[Path]) -> None:
    """The gains of each network and picture at GAIN_SIZE pixels, and their geometric means."""
    for network in CONVOLUTIONS:
        parameters = load_vgg(network)
        rows = []
        for path in paths:
            with torch.no_grad():
                rows.append(gains(parameters, preprocess(to_tensor(read_picture(path, GAIN_SIZE)))))
            print(f"{network} {path.name:24}" + "".join(f"{gain:7.3f}" for gain in rows[-1]))
        print(
            f"{network} {'geometric mean':24}" + "".join(f"{gain:7.3f}" for gain in np.exp(np.log(rows).mean(axis=0)))
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gain", type=Path, nargs="+", metavar="PICTURE", help="print the gains for these pictures")
    arguments = parser.parse_args()
    if arguments.gain:
        print_gains(arguments.gain)
    else:
        write()


if __name__ == "__main__":
    main()
