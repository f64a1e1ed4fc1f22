"""Files that are not read: each is named for what it is, with how to convert it."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgpack
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import foreign
from support.foreign import TINY, random_parameters

from jaxstyle import weights
from jaxstyle.errors import WeightsError


def error_message(path: Path) -> str:
    out = path.parent / "out"
    with pytest.raises(WeightsError) as caught:
        weights.convert(path, out)
    assert "\n" not in str(caught.value) and not out.exists()
    assert str(path) in str(caught.value)
    return str(caught.value)


def zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1e9 + 0.5  # a fraction, which needs a header of its own
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def field(number: int, content: bytes) -> bytes:
    """A field of a message of Protocol Buffers: its number, the length, the content."""
    key = number << 3 | 2
    head = bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])
    return head + bytes([len(content)]) + content


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 80134624\n"
PICKLE = foreign.pickled({})
FLAX = msgpack.packb({"params": {"conv1_1": {"kernel": b"\0" * 99, "bias": b"\0" * 9}}})
NETWORK = field(1, b"VGG_ILSVRC_19_layers") + field(2, field(4, b"conv1_1"))
TABLE = b"\0" * 40 + b"\x09" * 60 + bytes.fromhex("57fb808b247547db")
FILES = {
    "vgg.pth": (b"", "is empty; download it again"),
    "zeros.pth": (b"\0" * 600, "begins with zeros only"),
    "page.pth": (b"\n<!DOCTYPE html>\n<html><title>Sign in</title>", "is a web page .* download failed"),
    "page.safetensors": (b"\xef\xbb\xbf<HTML><head>" + "é".encode() * 400, "is a web page"),
    "page.mat": (b"<html><body>" + b"x" * 600, "is a web page"),
    "denied.h5": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "is XML, not weights"),
    "error.pth": (b'{"error": "Repository not found"}', "is JSON, not weights"),
    "model.safetensors.index.json": (b'{\n  "weight_map": {"a": "b"}}', "is JSON, not weights: an index"),
    "missing.pth": (b"Entry not found", "is a text file, not weights"),
    "pointer.pth": (POINTER, "is a pointer of Git LFS.*git lfs pull"),
    "pointer.safetensors": (POINTER, "is a pointer of Git LFS.*git lfs pull"),
    "w.gguf": (b"GGUF\3\0\0\0" + b"\0" * 60, "is a GGUF file"),
    "w.pth.gz": (gzip.compress(PICKLE), "is compressed by gzip; unpack it"),
    "w.pth.bz2": (bz2.compress(PICKLE), "is compressed by bzip2; unpack it"),
    "w.pth.xz": (lzma.compress(PICKLE), "is compressed by xz; unpack it"),
    "w.pth.zst": (b"\x28\xb5\x2f\xfd\x04\x00" + b"\1" * 60, "is compressed by zstd; unpack it"),
    "w.7z": (b"7z\xbc\xaf\x27\x1c\0\4" + b"\1" * 60, "is a 7-Zip archive; unpack it"),
    "w.rar": (b"Rar!\x1a\x07\1\0" + b"\1" * 60, "is a RAR archive; unpack it"),
    "w.tar": (tarred({"vgg.pth": PICKLE}), "is a tar archive; unpack it"),
    "old.pth": (tarred({"sys_info": PICKLE, "pickle": PICKLE, "storages": PICKLE}), "PyTorch file of 2016, a tar"),
    "cut.pth": (zipped({"archive/data.pkl": PICKLE, "archive/data/0": b"\0" * 600})[:400], "zip archive that is cut"),
    "cut.keras": (zipped({"model.weights.h5": b"\0" * 600})[:400], "zip archive that is cut short"),
    "models.zip": (
        zipped({"vgg/vgg19.pth": PICKLE, "vgg/readme": b""}),
        r"is a zip archive \(vgg/vgg19.pth, .*unpack it",
    ),
    "empty.zip": (zipped({}), r"is a zip archive \(empty\)"),
    "saved.zip": (zipped({"a/saved_model.pb": b"", "a/variables/variables.index": b""}), "TensorFlow SavedModel"),
    "script.pt": (zipped({"vgg/data.pkl": PICKLE, "vgg/constants.pkl": PICKLE}), "TorchScript.*torch.jit.load"),
    "script2.pt": (zipped({"v/data.pkl": PICKLE, "v/code/__torch__/vgg.py": b""}), "TorchScript.*torch.jit.load"),
    "program.pt2": (zipped({"p/archive_format": b"pt2", "p/models/model.json": b"{}"}), "torch.export wrote"),
    "vgg.caffemodel": (NETWORK, "is a Caffe model; load it in Caffe"),
    "vgg.bin": (NETWORK, "is a Caffe model; load it in Caffe"),
    "new.bin": (field(1, b"VGG16") + field(100, field(1, b"conv1_1")), "is a Caffe model"),
    "vgg.prototxt": (b'name: "VGG_ILSVRC_19_layers"\nlayers {\n', "without weights; take its .caffemodel"),
    "frozen.pb": (field(1, field(1, b"input") + field(2, b"Placeholder")), "is a TensorFlow graph"),
    "frozen": (field(1, field(1, b"input") + field(2, b"Placeholder")), "is a TensorFlow graph"),
    "saved_model.pb": (b"\x08\x01\x12\x80\x01" + b"\x0a\x60" + b"a" * 99, "is a TensorFlow SavedModel"),
    "model.ckpt": (TABLE, "is a TensorFlow checkpoint; .*load_checkpoint"),
    "model.ckpt.index": (TABLE, "is a TensorFlow checkpoint"),
    "model.ckpt.data-00000-of-00001": (b"\1\2\3\x80" * 60, "is a TensorFlow checkpoint"),
    "vgg.tflite": (b"\x1c\0\0\0TFL3" + b"\1" * 60, "is a TensorFlow Lite model"),
    "vgg.msgpack": (FLAX, "is a MessagePack file of Flax"),
    "vgg.flax": (FLAX, "is a MessagePack file of Flax"),
    "vgg.t7": (b"\4\0\0\0\1\0\0\0\3\0\0\0V 1\x11\0\0\0nn.Sequential", "is a Torch7 file"),
    "vgg.params": (b"\x12\1\0\0\0\0\0\0" + b"\0" * 60, "is a parameters file of MXNet"),
    "photo.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "is a picture"),
    "unknown": (b"\xfe\xed\1\2" * 90, "is not a weights file that jaxstyle reads, or is damaged; expected PyTorch"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_named(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    assert re.search(message, error_message(tmp_path / name))


FOLDERS = {
    "saved": (["saved_model.pb", "variables"], "is a TensorFlow SavedModel"),
    "orbax": (["_METADATA", "manifest.ocdbt", "d"], "is a checkpoint of Orbax"),
    "old_orbax": (["_CHECKPOINT_METADATA", "default"], "is a checkpoint of Orbax"),
    "tensorflow": (["checkpoint", "vgg.ckpt.index", "vgg.ckpt.data-00000-of-00001"], "TensorFlow checkpoint"),
    "unpacked": (["data.pkl", "version"], "is an unpacked PyTorch file"),
    "unpacked.keras": (["config.json", "model.weights.h5"], "is an unpacked model"),
    "hub": (["config.json", "model.safetensors"], "is a folder; convert a file in it: model.safetensors"),
    "empty": ([], "is a folder; convert a file in it"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_are_named(name: str, tmp_path: Path) -> None:
    files, message = FOLDERS[name]
    (tmp_path / name).mkdir()
    for file in files:
        (tmp_path / name / file).touch()
    assert message in error_message(tmp_path / name)


def test_onnx_by_its_content(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w", random_parameters(TINY))
    assert "it has 2 convolutions" in error_message(tmp_path / "w")


def test_onnx_whose_kernels_are_computed(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY))
    model = onnx.load(tmp_path / "w.onnx")
    kernel = model.graph.node[0].input[1]
    model.graph.node[0].input[1] = "dequantized"
    model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", [kernel, "scale"], ["dequantized"]))
    onnx.save(model, tmp_path / "w.onnx")
    assert "computes the kernel or bias dequantized; expected stored numbers" in error_message(tmp_path / "w.onnx")


@pytest.mark.parametrize("name", ["w.npy", "w.pkl"])
def test_pickles_are_not_run(name: str, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    if name == "w.npy":
        np.save(tmp_path / name, np.array({"a": Trap()}), allow_pickle=True)
    else:
        np.array({"a": Trap()}).dump(tmp_path / name)
    assert "has no convolutions" in error_message(tmp_path / name) or "refers to" in error_message(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_onnx_without_its_numbers(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY))
    model = onnx.load(tmp_path / "w.onnx")
    onnx.save(model, tmp_path / "w.onnx", save_as_external_data=True, location="numbers", size_threshold=0)
    assert "it has 2 convolutions" in error_message(tmp_path / "w.onnx")
    (tmp_path / "numbers").unlink()
    assert "needs numbers, which has its numbers; put it into the same folder" in error_message(tmp_path / "w.onnx")


@settings(max_examples=150, deadline=None)
@given(beginning=st.sampled_from([content[:40] for content, _ in FILES.values()]), rest=st.binary(max_size=40))
def test_any_file_gives_one_line(beginning: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for content in (rest, beginning[: len(rest)], beginning + rest):
        path.write_bytes(content)
        error_message(path)
