"""Write tests/data/features.npz, reference values from PyTorch for the tests of networks and losses.

    python -m scripts.weights.reference_values                     write the file, from the pictures in examples/content
    python -m scripts.weights.reference_values --gain PICTURE...   instead print the rescaling of average pooling

The file holds three small photographs (`picture`, `content`, `style`, uint8) and `fractions` [256] in [0, 1), which
select the stored entries of a flattened array (entry floor(fraction * size), arrays in `[h, w, C]` order). The other
values are computed in float64, for each network and pooling (`vgg19.max.`, `vgg19.avg.`, ...):

    entries [layers, 256], norms [layers]       of every layer's activations for `picture`, in order of computation
    grams [5, 256], gram_norms [5]              of G = F^T F / (H W) at STYLE_LAYERS
    content, content_gradient [256]             sum (F - P)^2 / 2 at CONTENT_LAYER, and its gradient
    style [5], style_gradient [256]             sum (G - A)^2 / (4 N^2) at STYLE_LAYERS, and the gradient of their mean

F and G belong to `picture`, P to `content` and A to `style`; N is the number of channels. With Gram matrices divided by
their numbers of positions, these are equations 1 and 4 of Gatys et al. (arXiv 1508.06576), for pictures of any size.
Gradients are with respect to `picture` as RGB in [0, 1], `[H, W, 3]`.

Requires torch, safetensors and pillow.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scripts.arguments import make_parser
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
# As in jaxstyle/networks/vgg.py, which gives the source; a test compares them.
AVERAGE_GAIN = (1.3, 1.6, 1.5, 2.0, 2.0)
ENTRIES = 256
GAIN_SIZE = 256


def select(values: torch.Tensor, fractions: np.ndarray) -> np.ndarray:
    """The entries of a flattened array that `fractions` select, in float32."""
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
    layers = [conv.replace("conv", kind) for conv in parameters for kind in ("conv", "relu")]
    layers += [f"pool{block}" for block in range(1, 6)]
    features = activations(parameters, preprocess(picture), layers, gain)
    target = activations(parameters, preprocess(pictures["content"]), (CONTENT_LAYER,), gain)[CONTENT_LAYER]
    style = activations(parameters, preprocess(pictures["style"]), STYLE_LAYERS, gain)

    grams = [gram(features[layer]) for layer in STYLE_LAYERS]
    content_loss = torch.sum((features[CONTENT_LAYER] - target) ** 2) / 2
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
        "entries": np.stack([select(channels_last(values), fractions) for values in features.values()]),
        "norms": np.array([values.norm().item() for values in features.values()]),
        "grams": np.stack([select(values, fractions) for values in grams]),
        "gram_norms": np.array([values.norm().item() for values in grams]),
        "content": np.array(content_loss.item()),
        "content_gradient": select(gradients[0], fractions),
        "style": style_losses.detach().numpy(),
        "style_gradient": select(gradients[1], fractions),
    }


def to_float64(parameters: Parameters) -> Parameters:
    """The parameters in float64."""
    return {layer: (kernel.double(), bias.double()) for layer, (kernel, bias) in parameters.items()}


def write() -> None:
    """Compute all values and write OUTPUT."""
    stored: dict[str, Any] = {}
    for name, (file, size) in PICTURES.items():
        picture = Image.open(ROOT / "examples" / "content" / f"{file}.jpg").convert("RGB")
        stored[name] = np.array(picture.resize(size, Image.Resampling.LANCZOS))
    pictures = {name: torch.from_numpy(picture / 255) for name, picture in stored.items()}
    stored["fractions"] = np.random.default_rng(0).random(ENTRIES)
    stored["average_gain"] = np.array(AVERAGE_GAIN)
    for network in CONVOLUTIONS:
        parameters = to_float64(load_vgg(network))
        for pooling, gain in (("max", ()), ("avg", AVERAGE_GAIN)):
            values = reference(parameters, pictures, gain, stored["fractions"])
            stored |= {f"{network}.{pooling}.{name}": value for name, value in values.items()}
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUTPUT, **stored)
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes")


def gains(parameters: Parameters, inputs: torch.Tensor) -> list[float]:
    """For each pooling layer, the factor that gives average pooling the mean of maximum pooling."""
    maxima = activations(parameters, inputs, [f"pool{block}" for block in range(1, 6)])
    factors: list[float] = []
    for block in range(1, 6):
        averages = activations(parameters, inputs, (f"pool{block}",), (*factors, 1.0))[f"pool{block}"]
        factors.append((maxima[f"pool{block}"].mean() / averages.mean()).item())
    return factors


def print_gains(paths: list[Path]) -> None:
    """Print the gains of each network and picture at GAIN_SIZE pixels, and their geometric means."""
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
    parser = make_parser("weights.reference_values", __doc__)
    parser.add_argument("--gain", type=Path, nargs="+", metavar="PICTURE", help="print the gains for these pictures")
    arguments = parser.parse_args()
    if arguments.gain:
        print_gains(arguments.gain)
    else:
        write()


if __name__ == "__main__":
    main()
