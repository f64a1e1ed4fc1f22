"""Names for files that are no weights file that jaxstyle reads, and how to convert them."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

# What to do.
_UNPACK = "unpack it, and convert the weights file in it"
_RENEW = "download it again"
_SAVE = "save its state_dict again"
_STATE = "convert it in PyTorch: torch.save(model.state_dict(), 'state.pth')"
_ONNX = "convert it to ONNX, for example with"
_CAFFE = "load it in Caffe, and save the blobs of each layer with numpy.savez, as conv1_1_W and conv1_1_b"
_TENSORFLOW = "load it in TensorFlow, and save the arrays with numpy.savez, or the Keras model as .keras"
_CHECKPOINT = "read its arrays with tf.train.load_checkpoint, and save them with numpy.savez"
_FLAX = "load it in Flax, and save the arrays with numpy.savez, as conv1_1/kernel and conv1_1/bias"
_TORCH7 = "load it with the Python package torchfile, and save the arrays with numpy.savez"
_MXNET = "load it with mxnet.nd.load, and save the arrays with numpy.savez"
# What a file begins with, and where; what it is; what to do.
_BEGINNINGS: Sequence[tuple[int, bytes, str, str]] = (
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the file itself", "fetch it: git lfs pull"),
    (0, b"GGUF", "is a GGUF file, which holds language models", "use a file of PyTorch, Keras or ONNX"),
    (0, b"\x1f\x8b", "is compressed by gzip", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "is compressed by zstd", _UNPACK),
    (0, b"BZh", "is compressed by bzip2", _UNPACK),
    (0, b"\xfd7zXZ\0", "is compressed by xz", _UNPACK),
    (0, b"\x04\x22\x4d\x18", "is compressed by lz4", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "is a RAR archive", _UNPACK),
    (4, b"TFL3", "is a TensorFlow Lite model", f"{_ONNX} tf2onnx"),
    (4, b"ET12", "is an ExecuTorch program", _STATE),
    (0, b"\x04\0\0\0\1\0\0\0\3\0\0\0V 1", "is a Torch7 file", _TORCH7),
    (0, b"\x12\1\0\0\0\0\0\0", "is a parameters file of MXNet", _MXNET),
    (0, b"%PDF", "is a PDF file", "use a weights file"),
    (0, b"\x89PNG", "is a picture", "use a weights file"),
    (0, b"\xff\xd8\xff", "is a picture", "use a weights file"),
    (257, b"ustar", "is a tar archive", _UNPACK),
    (0, b"\x08\x01\x12", "is a TensorFlow SavedModel", _TENSORFLOW),
)
# The same by the end of the file's name, for formats without a mark.
_ENDINGS: Sequence[tuple[tuple[str, ...], str, str]] = (
    ((".caffemodel",), "is a Caffe model", _CAFFE),
    ((".msgpack",), "is a MessagePack file of Flax", _FLAX),
    ((".pb",), "is a TensorFlow graph", _TENSORFLOW),
    ((".ckpt", ".index", ".meta"), "is a TensorFlow checkpoint", _CHECKPOINT),
    ((".t7",), "is a Torch7 file", _TORCH7),
    ((".mlmodel",), "is a Core ML model", f"{_ONNX} coremltools and onnxmltools"),
)
_TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # of TensorFlow's checkpoints
_EXPECTED = (
    "expected PyTorch (.pth), Keras (.keras, .h5), NumPy (.npz, .npy), MatConvNet (.mat), ONNX (.onnx) or safetensors"
)
_HEAD = 512


def describe(path: Path) -> str:
    """What a file is that is in no format that jaxstyle reads, and what to do: the end of a message of one line.

    Raises:
        OSError: if the file cannot be read.
    """
    if path.is_dir():
        return _describe_folder({file.name for file in path.iterdir()})
    with path.open("rb") as file:
        head = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(size - len(_TABLE_END), 0))
        tail = file.read()
    if not head:
        return f"is empty; {_RENEW}"
    if not any(head):
        return f"begins with zeros only, as an interrupted download does; {_RENEW}"
    if head[257:].startswith(b"ustar") and _first_member(path) in ("sys_info", "storages", "tensors", "pickle"):
        return f"is a PyTorch file of 2016, a tar archive; load it in PyTorch, and {_SAVE}"
    for position, mark, what, remedy in _BEGINNINGS:
        if head[position:].startswith(mark):
            return f"{what}; {remedy}"
    if text := _describe_text(path.name, head):
        return text
    if head.startswith(b"PK"):
        return f"is a zip archive that is cut short or damaged; {_RENEW}"
    if tail == _TABLE_END or ".data-0000" in path.name:
        return f"is a TensorFlow checkpoint; {_CHECKPOINT}"
    for endings, what, remedy in _ENDINGS:
        if path.name.lower().endswith(endings):
            return f"{what}; {remedy}"
    return _describe_messages(head) or f"is not a weights file that jaxstyle reads, or is damaged; {_EXPECTED}"


def _first_member(path: Path) -> str:
    """The name of the first member of a tar archive; headers of other kinds may be before it."""
    try:
        with tarfile.open(path, "r:") as archive:
            member = archive.next()
    except (tarfile.TarError, ValueError):
        return ""
    return member.name if member else ""


def describe_archive(members: Sequence[str]) -> str:
    """What a zip archive is that is in no format that jaxstyle reads, and what to do."""
    names = {name.rsplit("/", 1)[-1] for name in members}
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return f"is a program that torch.export wrote; {_STATE}"
    if "saved_model.pb" in names:
        return f"is a zip archive with a TensorFlow SavedModel; unpack it, and {_TENSORFLOW}"
    files = [name for name in members if not name.endswith("/")]
    listed = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
    return f"is a zip archive ({listed or 'empty'}); {_UNPACK}"


def describe_script() -> str:
    """What a TorchScript archive is, and what to do."""
    return (
        "is a TorchScript archive, a program; convert it in PyTorch: "
        "torch.save(torch.jit.load(FILE).state_dict(), 'state.pth')"
    )


def _describe_folder(names: set[str]) -> str:
    if "saved_model.pb" in names or "keras_metadata.pb" in names:
        return f"is a TensorFlow SavedModel; {_TENSORFLOW}"
    if names & {"_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt", "_sharding"}:
        return "is a checkpoint of Orbax; restore it with orbax.checkpoint, and save the arrays with numpy.savez"
    if any(name.endswith(".index") or ".data-0000" in name for name in names):
        return f"is a folder with a TensorFlow checkpoint; {_CHECKPOINT}"
    if "data.pkl" in names:
        return f"is an unpacked PyTorch file; {_RENEW}, and do not unpack it"
    if names & {"model.weights.h5", "coremldata.bin", "Manifest.json"}:
        return f"is an unpacked model; {_RENEW}, and do not unpack it"
    weights = sorted(name for name in names if name.endswith((".pth", ".pt", ".bin", ".safetensors", ".h5", ".onnx")))
    return f"is a folder; convert a file in it{': ' + ', '.join(weights[:5]) if weights else ''}"


def _describe_text(name: str, head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<!--")):
        return "is a web page (HTML), not weights, so the download failed; download the file itself"
    if text.startswith(b"<?xml") or (text.startswith(b"<") and text.isascii() and b"\0" not in text):
        return "is XML, not weights, perhaps a server's error message; download the file itself"
    if text.startswith((b"{", b"[")) and b"\0" not in text:
        return (
            "is JSON, not weights: an index, a description, or a server's error message; take the weights file itself"
        )
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head) or not _is_utf8(head):
        return ""
    if name.endswith(".prototxt"):
        return f"describes a network of Caffe, without weights; take its .caffemodel, and {_CAFFE}"
    return f"is a text file, not weights; {_EXPECTED}"


def _is_utf8(head: bytes) -> bool:
    try:
        head[:-3].decode() if len(head) == _HEAD else head.decode()
    except UnicodeDecodeError:
        return False
    return True


def _describe_messages(head: bytes) -> str:
    """What a file of Protocol Buffers is, by its first fields, or an empty string."""
    if head[:1] == b"\x0a":
        begin = next(position for position in range(1, len(head) + 1) if head[position : position + 1] < b"\x80") + 1
        end = begin + sum((byte & 127) << 7 * index for index, byte in enumerate(head[1:begin]))
        text, following = head[begin:end], head[end : end + 1]
        if text[:1] == b"\x0a":
            return f"is a TensorFlow graph; {_TENSORFLOW}"
        if text.isascii() and text.decode().isprintable() and following in (b"\x12", b"\x1a", b"\x22", b"\xa2"):
            return f"is a Caffe model; {_CAFFE}"
    if b"\x81" <= head[:1] <= b"\x8f" and (b"\xa1" <= head[1:2] <= b"\xbf" or head[1:2] == b"\xd9"):
        return f"is a MessagePack file of Flax; {_FLAX}"
    return ""
