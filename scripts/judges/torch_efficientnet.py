"""The embedded EfficientNet-Lite0 in PyTorch, independent of jaxstyle: a judge of another family than VGG.

Tan and Le, arXiv 1905.11946, table 1, without squeeze and excitation, and with ReLU6. Batch normalization is folded
into the convolutions. Requires torch and safetensors.
"""

import numpy as np
import torch
from safetensors.numpy import load_file
from torch.nn import functional

from scripts.judges.torch_vgg import WEIGHTS, Parameters

# The blocks of each stage, and the stride of its first block.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))


def load_efficientnet() -> Parameters:
    """`{"block2a/expand": (kernel [O, I, h, w], bias [O]), ...}` from the embedded file."""
    tensors = load_file(WEIGHTS / "efficientnet-lite0.safetensors")
    names = [name.removesuffix(".kernel") for name in tensors if name.endswith(".kernel")]

    def parameter(name: str, axes: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(tensors[name].astype(np.float32).transpose(axes)))

    return {name: (parameter(f"{name}.kernel", (3, 2, 0, 1)), parameter(f"{name}.bias", (0,))) for name in names}


def block_outputs(parameters: Parameters, picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """The outputs `[1, C, h, w]` of all blocks, `{"block1a": ...}`, for an RGB picture `[H, W, 3]` in [0, 1]."""
    x = (255 * picture.permute(2, 0, 1)[None] - 127) / 128
    x = functional.relu6(_convolved(parameters["stem/conv"], x, stride=2))
    outputs = {}
    for stage, (count, first_stride) in enumerate(STAGES, 1):
        for index in range(count):
            name, stride = f"block{stage}{'abcd'[index]}", first_stride if index == 0 else 1
            y = x
            if f"{name}/expand" in parameters:
                y = functional.relu6(_convolved(parameters[f"{name}/expand"], y))
            y = functional.relu6(_convolved(parameters[f"{name}/depthwise"], y, stride=stride, groups=y.shape[1]))
            y = _convolved(parameters[f"{name}/project"], y)
            x = outputs[name] = x + y if stride == 1 and x.shape == y.shape else y
    return outputs


def _convolved(
    parameter: tuple[torch.Tensor, torch.Tensor], x: torch.Tensor, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    """A convolution that halves sizes with a stride of 2, with one zero less above and to the left."""
    kernel, bias = parameter
    total = kernel.shape[-1] - stride
    before, after = total // 2, total - total // 2
    return functional.conv2d(
        functional.pad(x, (before, after, before, after)), kernel, bias, stride=stride, groups=groups
    )
