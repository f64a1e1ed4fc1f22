"""GoogLeNet (Inception v1) without its classifiers (Szegedy et al., arXiv 1409.4842, table 1), in two variants.

- `TORCHVISION`: without local response normalization. It was trained with batch normalization, which conversion folds
  into the convolutions. The kernels of `5x5` layers are 3x3 (github.com/pytorch/vision/issues/906), and `pool4` is 2x2.
- `CAFFE`: as in the paper, with local response normalization.

Layers of both have the names of Caffe's model definition (BVLC GoogLeNet). Pools round sizes up.
"""

from jaxstyle.networks.graph import PICTURE, Layer, Table, chain
from jaxstyle.networks.operations import Concatenate, Convolution, LocalResponseNorm, Operation, Pool, ReLU

# Numbers of channels of 1x1; 3x3_reduce, 3x3; 5x5_reduce, 5x5; pool_proj.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def _rectified(block: str, name: str, convolution: Convolution) -> dict[str, Operation]:
    return {f"{block}/{name}": convolution, f"{block}/relu_{name.removesuffix('_s2')}": ReLU()}


def _inception(block: str, source: str, large: int) -> Table:
    """Four parallel branches and their concatenation; `large` is the kernel size of the `5x5` branch."""
    one, reduce3, three, reduce5, five, project = INCEPTIONS[block.removeprefix("inception_")]
    branches = [
        _rectified(block, "1x1", Convolution(one, 1)),
        _rectified(block, "3x3_reduce", Convolution(reduce3, 1))
        | _rectified(block, "3x3", Convolution(three, 3, padding=1)),
        _rectified(block, "5x5_reduce", Convolution(reduce5, 1))
        | _rectified(block, "5x5", Convolution(five, large, padding=large // 2)),
        {f"{block}/pool": Pool(3, 1, padding=1)} | _rectified(block, "pool_proj", Convolution(project, 1)),
    ]
    layers = [layer for branch in branches for layer in chain(source, branch)]
    return (*layers, Layer(f"{block}/output", Concatenate(), tuple(list(branch)[-1] for branch in branches)))


def _table(*, large: int, pool4: Pool, normalize: bool) -> Table:
    pool = Pool(3, 2, ceil=True)
    stem = _rectified("conv1", "7x7_s2", Convolution(64, 7, stride=2, padding=3)) | {"pool1/3x3_s2": pool}
    stem |= {"pool1/norm1": LocalResponseNorm()} if normalize else {}
    stem |= _rectified("conv2", "3x3_reduce", Convolution(64, 1))
    stem |= _rectified("conv2", "3x3", Convolution(192, 3, padding=1))
    stem |= ({"conv2/norm2": LocalResponseNorm()} if normalize else {}) | {"pool2/3x3_s2": pool}
    table = chain(PICTURE, stem)
    pools = {"4a": ("pool3/3x3_s2", pool), "5a": ("pool4/3x3_s2", pool4)}
    for name in INCEPTIONS:
        if name in pools:
            table += chain(table[-1].name, dict([pools[name]]))
        table += _inception(f"inception_{name}", table[-1].name, large)
    return table


TORCHVISION = _table(large=3, pool4=Pool(2, 2, ceil=True), normalize=False)
CAFFE = _table(large=5, pool4=Pool(3, 2, ceil=True), normalize=True)
STAGES = (
    "conv1/relu_7x7",
    "conv2/relu_3x3_reduce",
    "conv2/relu_3x3",
    *(f"inception_{name}/output" for name in INCEPTIONS),
)
# As in early style transfer with Caffe's GoogLeNet.
CONTENT_LAYERS = ("inception_3a/output",)
STYLE_LAYERS = (
    "conv1/relu_7x7",
    "conv2/relu_3x3",
    "inception_3a/output",
    "inception_4a/output",
    "inception_5a/output",
)
