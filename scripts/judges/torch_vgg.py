"""The embedded VGG networks in PyTorch, independent of jaxstyle, so that the two implementations can be compared.

Other scripts use it; neither the package nor its tests import it. Requires torch, safetensors and pillow.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch.nn import functional

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
BGR_MEAN = (103.939, 116.779, 123.68)
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}

Parameters = dict[str, tuple[torch.Tensor, torch.Tensor]]


def load_vgg(name: str = "vgg19") -> Parameters:
    """`{"conv1_1": (kernel [O, I, 3, 3], bias [O]), ...}` in order of computation, from the embedded file."""
    tensors = load_file(WEIGHTS / f"{name}.safetensors")
    parameters = {}
    for block, count in enumerate(CONVOLUTIONS[name], 1):
        for index in range(1, count + 1):
            layer = f"conv{block}_{index}"
            if f"{layer}.kernel.index" in tensors:
                kernel = tensors[f"{layer}.kernel.table"][tensors[f"{layer}.kernel.index"]]
            else:
                kernel = tensors[f"{layer}.kernel"].astype(np.float32)
            kernel = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
            bias = torch.from_numpy(tensors[f"{layer}.bias"].astype(np.float32))
            parameters[layer] = (kernel.contiguous(memory_format=torch.channels_last), bias)
    return parameters


def activations(
    parameters: Parameters,
    inputs: torch.Tensor,
    layers: Collection[str],
    average_gain: Sequence[float] = (),
    replicate: bool = False,
) -> dict[str, torch.Tensor]:
    """Activations `[N, C, h, w]` of `layers`, in order of computation, for inputs from `preprocess`.

    Pooling takes the maximum, or with `average_gain` the mean times the factor of the block. Borders are padded with
    zeros, or with `replicate` by repeating them.
    """
    features: dict[str, torch.Tensor] = {}
    x = inputs.contiguous(memory_format=torch.channels_last)
    names = list(parameters)
    for position, conv in enumerate(names):
        kernel, bias = parameters[conv]
        x = functional.pad(x, (1, 1, 1, 1), mode="replicate") if replicate else x
        x = functional.conv2d(x, kernel, bias, padding=0 if replicate else 1)
        features[conv] = x
        x = functional.relu(x)
        features[conv.replace("conv", "relu")] = x
        if position + 1 == len(names) or names[position + 1][4] != conv[4]:
            block = int(conv[4])
            x = average_gain[block - 1] * functional.avg_pool2d(x, 2) if average_gain else functional.max_pool2d(x, 2)
            features[f"pool{block}"] = x
        if set(layers) <= features.keys():
            break
    return {layer: value for layer, value in features.items() if layer in layers}


def preprocess(picture: torch.Tensor) -> torch.Tensor:
    """Caffe's input `[1, 3, H, W]` for an RGB picture `[H, W, 3]` in [0, 1]: BGR from 0 to 255, minus the mean."""
    bgr = 255 * picture.flip(-1) - torch.tensor(BGR_MEAN, dtype=picture.dtype)
    return bgr.permute(2, 0, 1)[None]


def deprocess(inputs: torch.Tensor) -> torch.Tensor:
    """The inverse of `preprocess`, without clipping."""
    return (inputs[0].permute(1, 2, 0) + torch.tensor(BGR_MEAN, dtype=inputs.dtype)).flip(-1) / 255


def read_picture(path: str | Path, size: int) -> Image.Image:
    """An RGB picture, resized to a longest side of `size` pixels."""
    picture = Image.open(path).convert("RGB")
    scale = size / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """A picture as `[H, W, 3]` in [0, 1]."""
    return torch.from_numpy(np.array(picture, dtype=np.float32) / 255)
