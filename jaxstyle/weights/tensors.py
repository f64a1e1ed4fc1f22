"""Descriptions of tensors and arrays in pickles, and how to make arrays of them.

Pickles can set attributes of objects and call their classes; these classes allow nothing but what describes an array.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

# The numbers of a storage by its key.
Numbers = Callable[[str], bytes | memoryview]

STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
    "ComplexFloatStorage": np.dtype("<c8"),
    "ComplexDoubleStorage": np.dtype("<c16"),
    "QInt8Storage": np.dtype("i1"),
    "QUInt8Storage": np.dtype("u1"),
    "QInt32Storage": np.dtype("<i4"),
    "UntypedStorage": np.dtype("u1"),
}
# The names of types in PyTorch and ml_dtypes, for tensors in storages without a type.
TYPES = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    **{f"uint{bits}": np.dtype(f"<u{bits // 8}") for bits in (16, 32, 64)},
}
_MAX_EXPANDED = 2**26  # numbers in a tensor that repeats those of a smaller storage
_NUMPY_TYPE = re.compile(r"b1|[iufc]\d+|O8?")


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage's key in the file, and its type of numbers."""

    key: str
    dtype: np.dtype


@dataclass(frozen=True, slots=True)
class Tensor:
    """A strided view of a storage; offset, shape and strides count elements."""

    storage: Storage
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: Numbers) -> np.ndarray:
        """The tensor as an array.

        Raises:
            Exception: of any kind, for a view beyond the storage.
        """
        size, stored = self.dtype.itemsize, numbers(self.storage.key)
        if math.prod(self.shape) > max(len(stored), _MAX_EXPANDED):
            raise ValueError("a small storage expanded to fill the memory")
        strides = tuple(stride * size for stride in self.strides)
        return np.ndarray(self.shape, self.dtype, stored, self.offset * size, strides)


@dataclass(frozen=True, slots=True)
class QuantizedTensor:
    """A tensor of integers that stands for `scale * (integers - zero)`.

    Scale and zero are numbers, or tensors with an entry for each index of `axis`.
    """

    integers: Tensor
    scale: Any
    zero: Any
    axis: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the integers."""
        return self.integers.shape

    def array(self, numbers: Numbers) -> np.ndarray:
        """The numbers that the tensor stands for, in float32."""
        integers = self.integers.array(numbers).astype(np.float64)
        scale, zero = (
            np.asarray(item.array(numbers) if isinstance(item, Tensor) else item, np.float64)
            for item in (self.scale, self.zero)
        )
        if self.axis is not None:
            shape = [-1 if axis == self.axis else 1 for axis in range(integers.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return (scale * (integers - zero)).astype(np.float32)


class NumpyType:
    """NumPy's description of a type of numbers."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, *_: Any) -> None:
        self.name, self.order = name, "<"

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype:
        """The type, in NumPy.

        Raises:
            ValueError: if it is no type of numbers or objects.
        """
        if self.name in TYPES:
            return TYPES[self.name]
        if not _NUMPY_TYPE.fullmatch(self.name):
            raise ValueError(self.name)
        return np.dtype(self.name if self.name[0] == "O" else self.order + self.name)


class Array:
    """A NumPy array: its `content` is an ndarray, or a list for an array of objects, or an object if it has no axes."""

    __slots__ = ("content",)

    def __init__(self, *_: Any) -> None:
        self.content: Any = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, numpy_type, is_fortran, numbers = state
        dtype = numpy_type.dtype()
        if dtype.hasobject:
            self.content = numbers if shape else numbers[0]
        else:
            self.content = array_from(numbers, dtype, shape, "F" if is_fortran else "C")


def array_from(numbers: Any, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """The array of numbers in bytes, or in a string of Python 2; `order` is "C" or "F", for Fortran's order of axes."""
    if isinstance(numbers, str):
        numbers = numbers.encode("latin1")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if order == "F" else "C")
