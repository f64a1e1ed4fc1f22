"""Read tensors from PyTorch's files, without PyTorch and without running anything that a file asks for.

Both formats are a pickle that describes tensors, and storages of raw numbers: in a zip archive since PyTorch 1.6, and one after
another in a plain file before. The pickle may name only what is in `_GLOBALS`; everything else is refused, not imported.
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


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    length: int


@dataclass(frozen=True)
class _Tensor:
    """A strided view of a storage; offset, shape and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: bytes | memoryview) -> np.ndarray:
        size = self.storage.dtype.itemsize
        # ndarray itself refuses a view that leaves the buffer.
        return np.ndarray(
            self.shape, self.storage.dtype, numbers, self.offset * size, tuple(stride * size for stride in self.strides)
        )


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor: _Tensor, *_: Any) -> _Tensor:
    return tensor


_GLOBALS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "DoubleStorage"): np.dtype("<f8"),
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "HalfStorage"): np.dtype("<f2"),
    ("torch", "LongStorage"): np.dtype("<i8"),
    ("torch", "IntStorage"): np.dtype("<i4"),
    ("torch", "ByteStorage"): np.dtype("u1"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise WeightsError(f"names {module}.{name}, which jaxstyle never runs; save only the state_dict") from None

    def persistent_load(self, identifier: tuple) -> _Storage:
        _, dtype, key, _, length, *_ = identifier
        return _Storage(key, dtype, length)


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state_dict, or of the state_dict inside a checkpoint, by name; other entries are left out.

    Raises:
        WeightsError: if the file is damaged, not a dictionary of tensors, or names a function that does not rebuild tensors.
    """
    try:
        with path.open("rb") as file:
            return _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(file)
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise WeightsError(f"{path} is damaged or not a PyTorch file: {error}") from None


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        pickled = next((name for name in archive.namelist() if name.split("/", 1)[-1] == "data.pkl"), None)
        if pickled is None:
            raise WeightsError("is a zip archive without data.pkl, so not a PyTorch file")
        folder = pickled.removesuffix("data.pkl")
        tensors = _named_tensors(_Unpickler(io.BytesIO(archive.read(pickled))).load())
        keys = {tensor.storage.key for tensor in tensors.values()}
        storages = {key: archive.read(f"{folder}data/{key}") for key in keys}
    return {name: tensor.array(storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_legacy(file: BinaryIO) -> dict[str, np.ndarray]:
    file.seek(0)
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise WeightsError("is not a PyTorch file")
    _Unpickler(file).load()  # the writer's byte order and sizes
    tensors = _named_tensors(_Unpickler(file).load())
    sizes = {tensor.storage.key: tensor.storage.dtype.itemsize for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        length = int.from_bytes(file.read(8), "little")
        storages[key] = file.read(length * sizes[key])
    return {name: tensor.array(storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _named_tensors(content: Any) -> dict[str, _Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise WeightsError(f"holds a {type(content).__name__}, expected a dictionary of tensors (a state_dict)")
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, _Tensor)}
