"""EfficientNet-Lite0 without its classifier (Tan and Le, arXiv 1905.11946, table 1).

EfficientNet-Lite (github.com/tensorflow/tpu, models/official/efficientnet/lite) is EfficientNet without squeeze and
excitation, and with ReLU6 instead of swish. It was trained with batch normalization, which the weights file folds into
the convolutions.

Layers have the names of blocks in Keras: `block3b` is the second block of stage 3. In computation order:

    stem/conv, stem/relu
    block2a/expand, block2a/relu_expand         1x1, to six times the channels; not in block1a
    block2a/depthwise, block2a/relu_depthwise   3x3 or 5x5, with stride 2 in the first block of some stages
    block2a/project                             1x1, without a rectifier
    block2a/output                              the projection, plus the block's input where shapes are equal
    head/conv, head/relu

Padding is TensorFlow's "SAME" for even sizes, which all layers with a stride have at 224 pixels, the size of training:
one zero less above and to the left than below and to the right. It is the same for odd sizes here, as in the PyTorch
module efficientnet-lite-pytorch, so every stride of 2 halves the size and rounds down. (TensorFlow pads odd sizes
evenly and rounds up, which moves the sampling grid with the size of the picture.)
"""

from jaxstyle.networks.graph import PICTURE, Layer, Table, chain
from jaxstyle.networks.operations import Add, Concatenate, Convolution, Operation, ReLU

# Stages 2 to 8 of table 1, numbered from 1 as in Keras: blocks, expansion, kernel size, stride of the first block,
# channels of the output.
BLOCKS = (
    (1, 1, 3, 1, 16),
    (2, 6, 3, 2, 24),
    (2, 6, 5, 2, 40),
    (3, 6, 3, 2, 80),
    (3, 6, 5, 1, 112),
    (4, 6, 5, 2, 192),
    (1, 6, 3, 1, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
RELU6 = ReLU(6.0)


def _same_padding(size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an even size, so that a kernel of this size and stride has `size / stride` positions."""
    total = size - stride
    return total // 2, total - total // 2


def _block(name: str, source: str, inputs: int, expansion: int, size: int, stride: int, outputs: int) -> Table:
    """An inverted residual block (Sandler et al., arXiv 1801.04381)."""
    channels, operations = expansion * inputs, dict[str, Operation]()
    if expansion > 1:
        operations |= {f"{name}/expand": Convolution(channels, 1), f"{name}/relu_expand": RELU6}
    depthwise = Convolution(channels, size, stride, _same_padding(size, stride), depthwise=True)
    operations |= {f"{name}/depthwise": depthwise, f"{name}/relu_depthwise": RELU6}
    operations |= {f"{name}/project": Convolution(outputs, 1)}
    is_residual = stride == 1 and inputs == outputs
    output = Add() if is_residual else Concatenate()
    summands = (f"{name}/project", source) if is_residual else (f"{name}/project",)
    return (*chain(source, operations), Layer(f"{name}/output", output, summands))


def _table() -> Table:
    stem = Convolution(STEM_CHANNELS, 3, 2, _same_padding(3, 2))
    table, inputs = chain(PICTURE, {"stem/conv": stem, "stem/relu": RELU6}), STEM_CHANNELS
    for stage, (count, expansion, size, first_stride, outputs) in enumerate(BLOCKS, 1):
        for index, letter in enumerate("abcd"[:count]):
            stride = first_stride if index == 0 else 1
            table += _block(f"block{stage}{letter}", table[-1].name, inputs, expansion, size, stride, outputs)
            inputs = outputs
    return table + chain(table[-1].name, {"head/conv": Convolution(HEAD_CHANNELS, 1), "head/relu": RELU6})


LITE0 = _table()
STAGES = (
    "stem/relu",
    *(layer.name for layer in LITE0 if layer.name.endswith("/output")),
    "head/relu",
)
# Chosen by looking at results: for style the stem and the last block of every resolution but the lowest, where blocks
# add eyes and other objects; for content block 4, because earlier blocks keep more of the photograph's colors and fur.
CONTENT_LAYERS = ("block4c/output",)
STYLE_LAYERS = ("stem/relu", "block1a/output", "block2b/output", "block3b/output", "block5c/output")
