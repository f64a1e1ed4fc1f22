"""Unpickling without running code.

A pickle may only build containers, numbers, NumPy arrays and descriptions of PyTorch's tensors. Whatever else it refers
to is not imported: a `StandIn` takes its place, so that a checkpoint with settings and callbacks beside its weights can
be read.
"""

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from jaxstyle.errors import WeightsError
from jaxstyle.weights.tensors import (
    STORAGES,
    TYPES,
    Array,
    NumpyType,
    QuantizedTensor,
    Storage,
    Tensor,
    array_from,
)


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

    def append(self, *_: Any, **__: Any) -> "StandIn":
        """Ignore an item of a list or set, or the arguments of a call."""
        return self

    add = extend = __call__ = append


class Unpickler(pickle._Unpickler):
    """An unpickler that imports nothing; see the module's description.

    It derives from the implementation in Python. The one in C allocates a table as long as the largest memo index in
    the file, so a damaged file could exhaust the memory.

    Attributes:
        storages: the storages that the pickle refers to, by key.
        embedded: the numbers of storages that are in the pickle, by key.
        unknown: what the pickle refers to that is not imported, in its order.
    """

    def __init__(self, file: BinaryIO) -> None:
        # The strings of Python 2 can be bytes; this encoding keeps them.
        super().__init__(file, encoding="latin1")
        self.storages: dict[str, Storage] = {}
        self.embedded: dict[str, bytes] = {}
        self.unknown: dict[str, type[StandIn]] = {}
        # Bound methods and strings have no attributes that a pickle could set, and the classes have __setstate__.
        self._known: Mapping[str, Any] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._typed_tensor,
            "torch._utils._rebuild_qtensor": self._quantized_tensor,
            "torch._utils._rebuild_parameter": self._first,
            "torch._utils._rebuild_parameter_with_state": self._first,
            "torch._utils._rebuild_device_tensor_from_numpy": self._first,
            "torch._tensor._rebuild_from_type_v2": self._subclass,
            "torch.storage.UntypedStorage": "UntypedStorage",
            "torch.storage._load_from_bytes": self._embedded_storage,
            "torch.Size": self._size,
            "collections.OrderedDict": OrderedDict,
            "_codecs.encode": self._encode,
            "numpy.dtype": NumpyType,
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
        if module in ("torch", "torch.cuda", "ml_dtypes") and name in (*STORAGES, *TYPES):
            return name
        if re.fullmatch(r"torch\._utils\._rebuild_\w+", found):
            raise WeightsError(
                f"has tensors of a kind that jaxstyle does not read ({found}); save them as plain tensors"
            )
        return self.unknown.setdefault(found, type("StandIn", (StandIn,), {"reference": found}))

    def persistent_load(self, identifier: tuple) -> Any:
        """What an identifier stands for, which is ("storage", type, key, device, length) and in old files a part of it.

        In the legacy format, the class of a module is ("module", class, path, code).
        """
        _, kind, key, *rest = identifier
        if identifier[0] == "module":
            return kind
        if any(rest[2:]):
            raise WeightsError(
                "has storages that are parts of others; load it in PyTorch, and save the state_dict again"
            )
        return self.storages.setdefault(key, Storage(key, self._dtype(kind, STORAGES)))

    def _dtype(self, kind: Any, dtypes: Mapping[str, np.dtype]) -> np.dtype:
        if isinstance(kind, type) and issubclass(kind, StandIn):
            raise WeightsError(
                f"has numbers of a type that jaxstyle does not read ({kind.reference}); save them as float32"
            )
        return dtypes[kind]

    def _embedded_storage(self, content: bytes) -> Storage:
        """A storage in a pickle that Python wrote: a file in the legacy format of PyTorch, with nothing else."""
        file = io.BytesIO(content)
        *_, storage, (_,) = (Unpickler(file).load() for _ in range(5))
        length = int.from_bytes(file.read(8), "little")
        key = f"embedded {len(self.embedded)}"
        self.embedded[key] = file.read(length * storage.dtype.itemsize)
        return Storage(key, storage.dtype)

    def _tensor(self, storage: Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> Tensor:
        return Tensor(storage, storage.dtype, offset, shape, strides)

    def _typed_tensor(
        self, storage: Storage, offset: int, shape: tuple, strides: tuple, _: Any, __: Any, dtype: Any, *___: Any
    ) -> Tensor:
        return Tensor(storage, self._dtype(dtype, TYPES), offset, shape, strides)

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

    def _scalar(self, numpy_type: NumpyType, numbers: Any = None) -> Any:
        dtype = numpy_type.dtype()
        return None if dtype.hasobject else array_from(numbers, dtype, (), "C")

    def _from_buffer(self, numbers: Any, numpy_type: NumpyType, shape: tuple, order: str) -> np.ndarray:
        return array_from(numbers, numpy_type.dtype(), shape, order)

    def _reconstruct(self, cls: Any, *_: Any) -> StandIn:
        return cls() if isinstance(cls, type) and issubclass(cls, StandIn) else StandIn()
