"""Reading PyTorch files without PyTorch: files that PyTorch wrote, damaged files, and malicious files."""

import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign import Call, Global, Storage, pickled, tensor, write_torch_legacy, write_torch_zip

from jaxstyle.errors import WeightsError
from jaxstyle.weights.torchfile import read_torch

DATA = Path(__file__).parents[1] / "data"
WRITTEN_BY_PYTORCH = ("state-zip.pth", "state-legacy.pth")


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape) / 8


@pytest.mark.parametrize("file", WRITTEN_BY_PYTORCH)
def test_all_kinds_of_tensors(file: str) -> None:
    tensors = {name.removeprefix("state_dict."): array for name, array in read_torch(DATA / file).items()}
    expected = {
        "features.0.weight": numbers(4, 3, 3, 3),
        "features.0.bias": numbers(4),
        "features.2.weight": numbers(5, 4, 3, 3),
        "features.2.bias": numbers(5),
        "classifier.0.weight": numbers(2, 5),
        "transposed": numbers(3, 4).T,
        "part": numbers(3, 4)[1:, 2],
        "half": numbers(3),
        "double": numbers(3),
        "long": np.zeros(3),
        "scalar": np.array(1.5),
    }
    assert tensors.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(tensors[name], array)
    dtypes = {"half": np.float16, "double": np.float64, "long": np.int64}
    for name, array in tensors.items():
        assert array.dtype == dtypes.get(name, np.float32)


def write_both(folder: Path, content: object) -> list[Path]:
    write_torch_zip(folder / "zip.pth", content)
    write_torch_legacy(folder / "legacy.pth", content)
    return [folder / "zip.pth", folder / "legacy.pth"]


FORBIDDEN = [
    ("os", "mkdir"),
    ("posix", "mkdir"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("torch", "load"),
    ("torch", "_DTYPES"),
    ("torch.serialization", "load"),
    ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ("jaxstyle.weights.torchfile", "read_torch"),
    ("collections", "defaultdict"),
]


@pytest.mark.parametrize(("module", "name"), FORBIDDEN)
def test_other_names_are_not_imported(module: str, name: str, tmp_path: Path) -> None:
    for path in write_both(tmp_path, {"w": Call(Global(module, name), str(tmp_path / "created"))}):
        with pytest.raises(WeightsError) as caught:
            read_torch(path)
        message = f"{path} refers to {f'{module}.{name}'!r}; expected only tensors: save only the state_dict"
        assert str(caught.value) == message
    assert not (tmp_path / "created").exists()


def test_exploit_of_the_previous_test_works_with_pickle(tmp_path: Path) -> None:
    pickle.loads(pickled({"w": Call(Global("os", "mkdir"), str(tmp_path / "created"))}))
    assert (tmp_path / "created").exists()


def test_exploit_in_a_pickle_before_the_tensors(tmp_path: Path) -> None:
    exploit = pickled(Call(Global("os", "mkdir"), str(tmp_path / "created")))
    legacy = (DATA / "state-legacy.pth").read_bytes()
    magic = legacy.index(b".") + 1
    for content in (exploit + legacy, legacy[:magic] + exploit + legacy[magic:]):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(WeightsError, match="refers to 'os.mkdir'"):
            read_torch(tmp_path / "w.pth")
    assert not (tmp_path / "created").exists()


def test_pickle_cannot_modify_the_reader(tmp_path: Path) -> None:
    # BUILD with a pair of dictionaries sets attributes of the object below it.
    build = pickle.NONE + b"}(X\x05\x00\x00\x00arrayX\x01\x00\x00\x00xu" + pickle.TUPLE2 + pickle.BUILD
    for module, name in (
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch", "FloatStorage"),
        ("collections", "OrderedDict"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("pathlib", "Path"),
    ):
        with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
            archive.writestr("a/data.pkl", b"\x80\x02" + f"c{module}\n{name}\n".encode() + build + b".")
        with pytest.raises(WeightsError):
            read_torch(tmp_path / "w.pth")
        assert len(read_torch(DATA / "state-zip.pth")) == 11


STORAGE = np.arange(6, dtype="<f4").tobytes()


def test_view_of_a_storage(tmp_path: Path) -> None:
    write_torch_zip(tmp_path / "w.pth", {"w": tensor("0", 1, (2, 2), (3, 1))}, {"0": STORAGE})
    np.testing.assert_array_equal(read_torch(tmp_path / "w.pth")["w"], [[1, 2], [4, 5]])


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (3, (4,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (5, (3,), (-3,)),
        (0, (7,), (1,)),
        (0, (2, 2), (5, 1)),
        (0, (2,), (2**60,)),
        (2**60, (1,), (1,)),
        (0, (2**40, 2**40), (1, 1)),
        (0, (2**40,), (0,)),
        (0, (-1,), (1,)),
        (0, (2,), ()),
        (0.5, (2,), (1,)),
        (0, "ab", (1, 1)),
        (None, None, None),
    ],
)
def test_view_beyond_its_storage(offset: object, shape: object, strides: object, tmp_path: Path) -> None:
    write_torch_zip(tmp_path / "w.pth", {"w": tensor("0", offset, shape, strides)}, {"0": STORAGE})
    with pytest.raises(WeightsError, match="is damaged: it cannot be read as PyTorch"):
        read_torch(tmp_path / "w.pth")


@pytest.mark.parametrize("kind", ["O", "|O", "<f4", "object", "i4,O"])
def test_storages_of_other_types(kind: str, tmp_path: Path) -> None:
    storage = Storage("FloatStorage", "0")
    storage.identifier = ("storage", kind, "0", "cpu", 1)
    value = Call(Global("torch._utils", "_rebuild_tensor_v2"), storage, 0, (1,), (1,), False, {})
    write_torch_zip(tmp_path / "w.pth", {"w": value}, {"0": b"\0" * 8})
    with pytest.raises(WeightsError, match="is damaged"):
        read_torch(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [[1, 2], "text", 3, None])
def test_content_that_is_not_a_dictionary(content: object, tmp_path: Path) -> None:
    for path in write_both(tmp_path, content):
        with pytest.raises(WeightsError, match=f"has a {type(content).__name__}; expected a dictionary of tensors"):
            read_torch(path)


def test_compressed_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickled({}))
    with pytest.raises(WeightsError, match="compressed"):
        read_torch(tmp_path / "w.pth")


def test_large_memo_index_allocates_no_memory(tmp_path: Path) -> None:
    """For LONG_BINPUT with a damaged index, the unpickler in C would allocate a table of 268 MB."""
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}r" + struct.pack("<I", 2**24) + b".")
    tracemalloc.start()
    try:
        assert read_torch(tmp_path / "w.pth") == {}
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"cannot read weights .*: {os.strerror(2)}"):
        read_torch(tmp_path / "w.pth")


@settings(max_examples=300, deadline=None)
@given(file=st.sampled_from(WRITTEN_BY_PYTORCH), data=st.data())
def test_damaged_files_are_read_or_raise_an_error(
    file: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray((DATA / file).read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "w.pth"
    path.write_bytes(content)
    try:
        read_torch(path)
    except WeightsError as error:
        assert "\n" not in str(error)
