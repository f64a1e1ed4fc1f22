"""Reading tensors in PyTorch files, without PyTorch and without running code in a file.

A file has a pickle that describes tensors, and storages of raw numbers. Since PyTorch 1.6 these are members of a zip
archive; the legacy format has them one after another. A pickle that refers to anything but tensors is rejected.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from jaxstyle.errors import WeightsError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    """A strided view of a storage; offset, shape and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: bytes | memoryview) -> np.ndarray:
        size = self.storage.dtype.itemsize
        # ndarray raises an error for a view beyond the buffer.
        return np.ndarray(
            self.shape, self.storage.dtype, numbers, self.offset * size, tuple(stride * size for stride in self.strides)
        )


class _Unpickler(pickle._Unpickler):
    """An unpickler that only accepts descriptions of tensors.

    It derives from the implementation in Python. The one in C allocates a table as long as the largest memo index in
    the file, so a damaged file could exhaust the memory.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        # Bound methods and strings have no attributes that a pickle could set.
        match module, name:
            case "torch._utils", "_rebuild_tensor_v2":
                return self._rebuild_tensor
            case "torch._utils", "_rebuild_parameter":
                return self._rebuild_parameter
            case "torch", _ if name in _DTYPES:
                return name
            case "collections", "OrderedDict":
                return OrderedDict
        found = f"{module}.{name}"
        raise WeightsError(f"refers to {found!r}; expected only tensors: save only the state_dict")

    def _rebuild_tensor(self, storage: _Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> _Tensor:
        return _Tensor(storage, offset, shape, strides)

    def _rebuild_parameter(self, tensor: _Tensor, *_: Any) -> _Tensor:
        return tensor

    def persistent_load(self, identifier: tuple) -> _Storage:
        _, kind, key, *_ = identifier
        return self.storages.setdefault(key, _Storage(key, np.dtype(_DTYPES[kind])))


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors in a state_dict, or in the state_dict of a checkpoint, by name. Other entries are ignored.

    Raises:
        WeightsError: if the file cannot be read, is damaged, is not a dictionary, or refers to anything but tensors.
    """
    try:
        with path.open("rb") as file:
            return _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise WeightsError(f"{path} is damaged: it cannot be read as PyTorch ({type(error).__name__})") from None


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise WeightsError("is a compressed archive; expected one that PyTorch saved, which is not compressed")
        (pickled,) = (name for name in archive.namelist() if name.split("/", 1)[-1] == "data.pkl")
        tensors = _named_tensors(_Unpickler(io.BytesIO(archive.read(pickled))).load())
        folder = pickled.removesuffix("data.pkl")
        keys = {tensor.storage.key for tensor in tensors.values()}
        numbers = {key: archive.read(f"{folder}data/{key}") for key in keys}
    return {name: tensor.array(numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_legacy(file: BinaryIO) -> dict[str, np.ndarray]:
    file.seek(0)
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise WeightsError("is not a PyTorch file")
    _Unpickler(file).load()  # the writer's byte order and sizes
    unpickler = _Unpickler(file)
    tensors = _named_tensors(unpickler.load())
    numbers = {}
    for key in _Unpickler(file).load():
        length = int.from_bytes(file.read(8), "little")
        numbers[key] = file.read(length * unpickler.storages[key].dtype.itemsize)
    return {name: tensor.array(numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def _named_tensors(content: Any) -> dict[str, _Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise WeightsError(f"has a {type(content).__name__}; expected a dictionary of tensors (a state_dict)")
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, _Tensor)}
