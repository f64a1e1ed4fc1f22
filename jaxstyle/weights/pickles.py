"""Unpickling without running code.

A pickle may only build containers, numbers, NumPy arrays and descriptions of PyTorch's tensors. Whatever else it refers
to is not imported: a `StandIn` takes its place, so that a checkpoint with settings and callbacks beside its weights can
be read.
"""

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from jaxstyle.errors import WeightsError

# The numbers of a storage by its key.
Numbers = Callable[[str], bytes | memoryview]

_STORAGES = {
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
# PyTorch's names of types without a class of storages; the others are not needed.
_TYPES = {
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
}
_NUMPY_TYPE = re.compile(r"b1|[iufc]\d+|O8?")


class StandIn(dict):
    """Stands for an object of a class that is not imported; it keeps the items of a dictionary, and nothing else.

    Attributes:
        reference: the name of the class or function.
        is_module: whether the object is a PyTorch module.
    """

    reference = ""
    is_module = False

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        self.is_module = isinstance(state, dict) and "_modules" in state

    def append(self, *_: Any) -> None:
        """Ignore an item of a list or set."""

    add = extend = append


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
        size = self.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.ndarray(self.shape, self.dtype, numbers(self.storage.key), self.offset * size, strides)


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


class _Type:
    """NumPy's description of a type of numbers."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, *_: Any) -> None:
        self.name, self.order = name, "<"

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype:
        if self.name == "bfloat16" or self.name in _TYPES:
            return np.dtype(getattr(ml_dtypes, self.name))
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
            self.content = _array(numbers, dtype, shape, "F" if is_fortran else "C")


def _array(numbers: Any, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    if isinstance(numbers, str):  # the bytes of Python 2
        numbers = numbers.encode("latin1")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if order == "F" else "C")


class Unpickler(pickle._Unpickler):
    """An unpickler that imports nothing; see the module's description.

    It derives from the implementation in Python. The one in C allocates a table as long as the largest memo index in
    the file, so a damaged file could exhaust the memory.

    Attributes:
        storages: the storages that the pickle refers to, by key.
        unknown: what the pickle refers to that is not imported, in its order.
    """

    def __init__(self, file: BinaryIO) -> None:
        # The strings of Python 2 can be bytes; this encoding keeps them.
        super().__init__(file, encoding="latin1")
        self.storages: dict[str, Storage] = {}
        self.unknown: dict[str, type[StandIn]] = {}
        # Bound methods and strings have no attributes that a pickle could set, and the classes have __setstate__.
        self._known: Mapping[str, Any] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._typed_tensor,
            "torch._utils._rebuild_qtensor": self._quantized_tensor,
            "torch._utils._rebuild_parameter": self._first,
            "torch._utils._rebuild_parameter_with_state": self._first,
            "torch._tensor._rebuild_from_type_v2": self._subclass,
            "torch.storage.UntypedStorage": "UntypedStorage",
            "torch.Size": self._size,
            "collections.OrderedDict": OrderedDict,
            "_codecs.encode": self._encode,
            "numpy.dtype": _Type,
            "numpy.ndarray": Array,
            "numpy.core.multiarray._reconstruct": Array,
            "numpy.core.multiarray.scalar": self._scalar,
            "numpy.core.numeric._frombuffer": self._from_buffer,
            "copyreg._reconstructor": self._reconstruct,
        }

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the pickle; nothing is imported."""
        module = re.sub(r"^numpy\._core\b", "numpy.core", module).replace("copy_reg", "copyreg")
        found = f"{module}.{name}"
        if found in self._known:
            return self._known[found]
        if module in ("torch", "torch.cuda", "ml_dtypes") and name in (*_STORAGES, *_TYPES, "bfloat16"):
            return name
        if re.fullmatch(r"torch\._utils\._rebuild_\w+", found):
            raise WeightsError(
                f"has tensors of a kind that jaxstyle does not read ({found}); save them as plain tensors"
            )
        return self.unknown.setdefault(found, type("StandIn", (StandIn,), {"reference": found}))

    def persistent_load(self, identifier: tuple) -> Storage:
        """The storage of an identifier: ("storage", type, key, device, length), and in old files a part of another."""
        _, kind, key, *rest = identifier
        if any(rest[2:]):
            raise WeightsError(
                "has storages that are parts of others; load it in PyTorch, and save the state_dict again"
            )
        return self.storages.setdefault(key, Storage(key, _STORAGES[kind]))

    def _tensor(self, storage: Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> Tensor:
        return Tensor(storage, storage.dtype, offset, shape, strides)

    def _typed_tensor(
        self, storage: Storage, offset: int, shape: tuple, strides: tuple, _: Any, __: Any, dtype: str, *___: Any
    ) -> Tensor:
        return Tensor(storage, _TYPES[dtype], offset, shape, strides)

    def _quantized_tensor(
        self, storage: Storage, offset: int, shape: tuple, strides: tuple, quantization: tuple, *_: Any
    ) -> QuantizedTensor:
        _, scale, zero, *axis = quantization
        return QuantizedTensor(self._tensor(storage, offset, shape, strides), scale, zero, *(axis or [None]))

    def _first(self, value: Any, *_: Any) -> Any:
        return value

    def _subclass(self, function: Callable, _: Any, arguments: tuple, *__: Any) -> Any:
        return function(*arguments)

    def _size(self, lengths: Any = ()) -> tuple:
        return tuple(lengths)

    def _encode(self, text: str, _: str) -> bytes:
        return text.encode("latin1")

    def _scalar(self, numpy_type: _Type, numbers: Any = None) -> Any:
        dtype = numpy_type.dtype()
        return None if dtype.hasobject else _array(numbers, dtype, (), "C")

    def _from_buffer(self, numbers: Any, numpy_type: _Type, shape: tuple, order: str) -> np.ndarray:
        return _array(numbers, numpy_type.dtype(), shape, order)

    def _reconstruct(self, cls: Any, *_: Any) -> StandIn:
        return cls() if isinstance(cls, type) and issubclass(cls, StandIn) else StandIn()
