"""Reading tensors in PyTorch files, without PyTorch and without running code in a file.

A file has a pickle that describes tensors, and storages of raw numbers. Since PyTorch 1.6 these are members of a zip
archive; the legacy format has them one after another. Other pickles, with NumPy arrays, are read as well.
"""

import io
import zipfile
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.content import Leaf, arrays_in, check_has_arrays
from jaxstyle.weights.files import reading_error
from jaxstyle.weights.pickles import Unpickler
from jaxstyle.weights.tensors import Numbers

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors and arrays in a file, at any depth, by name. Optimizers and other entries are ignored.

    Raises:
        WeightsError: if the file cannot be read, is damaged, or has no tensors.
    """
    try:
        with path.open("rb") as file:
            return _read_zip(file) if zipfile.is_zipfile(file) else _read_pickles(file)
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None
    except OSError as error:
        raise reading_error(path, error) from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise WeightsError(
            f"{path} is damaged: it cannot be read as PyTorch ({type(error).__name__}); download it again"
        ) from None


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise WeightsError("is a compressed archive; PyTorch saves them uncompressed: unpack it, and use zip -0 -r")
        (pickled,) = (name for name in archive.namelist() if name.split("/", 1)[-1] == "data.pkl")
        folder = pickled.removesuffix("data.pkl")
        unpickler = Unpickler(io.BytesIO(archive.read(pickled)))
        found = _load(unpickler)
        order = f"{folder}byteorder"
        is_big_endian = order in archive.namelist() and archive.read(order).strip() == b"big"

        @cache
        def numbers(key: str) -> bytes:
            content = archive.read(f"{folder}data/{key}")
            return _swap_bytes(content, unpickler.storages[key].dtype) if is_big_endian else content

        return _arrays(found, numbers)


def _swap_bytes(content: bytes, dtype: np.dtype) -> bytes:
    if dtype == np.uint8:  # untyped numbers, of 8 bits
        return content
    size = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    return np.frombuffer(content, f"u{size}").byteswap().tobytes()


def _read_pickles(file: BinaryIO) -> dict[str, np.ndarray]:
    file.seek(0)
    unpickler = Unpickler(file)
    content = unpickler.load()
    if content != _LEGACY_MAGIC:
        found = arrays_in(content)
        check_has_arrays(found, content, unpickler)
        return _arrays(found, unpickler.embedded.__getitem__)
    for _ in range(2):  # the version, and the sizes of types; the numbers are always little-endian
        unpickler = Unpickler(file)
        check_has_arrays({}, {"header": unpickler.load()}, unpickler)
    unpickler = Unpickler(file)
    found = _load(unpickler)
    storages = {}
    for key in Unpickler(file).load():
        length = int.from_bytes(file.read(8), "little")
        storages[key] = file.read(length * unpickler.storages[key].dtype.itemsize)
    return _arrays(found, storages.__getitem__)


def _load(unpickler: Unpickler) -> dict[str, Leaf]:
    content = unpickler.load()
    found = arrays_in(content)
    check_has_arrays(found, content, unpickler)
    return found


def _arrays(found: dict[str, Leaf], numbers: Numbers) -> dict[str, np.ndarray]:
    return {name: value if isinstance(value, np.ndarray) else value.array(numbers) for name, value in found.items()}
