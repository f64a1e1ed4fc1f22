"""Weights files: round trips, quantized tensors, and errors for damaged and unsuitable files."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign import TINY, random_parameters

from jaxstyle import weights
from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.weights import files, store
from jaxstyle.weights.files import CAFFE, TORCHVISION, Weights, read_weights, write_weights
from jaxstyle.weights.store import EMBEDDED


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))


def tiny_weights(**changes: object) -> Weights:
    return replace(Weights("tiny", CAFFE, "made up", "none", random_parameters(TINY)), **changes)


def table_lookup(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    values = np.empty(index.shape, np.float32)
    for position in itertools.product(*map(range, index.shape)):
        values[position] = table[int(index[position])]
    return values


def test_embedded_file_with_one_flipped_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(store.path_of("vgg19").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "vgg19.safetensors").write_bytes(content)
    monkeypatch.setattr(store, "path_of", lambda name: tmp_path / f"{name}.safetensors")
    with pytest.raises(WeightsError, match=f"SHA-256.*{EMBEDDED['vgg19']}"):
        weights.load_network("vgg19")


def test_pooling() -> None:
    assert weights.load_network("vgg16", pooling="avg").pooling == "avg"
    with pytest.raises(ConfigError, match="'median'.*max, avg"):
        weights.load_network("vgg16", pooling="median")


def test_round_trip(tmp_path: Path) -> None:
    written = tiny_weights(convention=TORCHVISION)
    write_weights(tmp_path / "new" / "w.safetensors", written)
    read = read_weights(str(tmp_path / "new" / "w.safetensors"))
    assert replace(read, tensors={}, digest="") == replace(written, tensors={})
    assert read.digest == hashlib.sha256((tmp_path / "new" / "w.safetensors").read_bytes()).hexdigest()
    for name, tensor in written.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
    network = weights.load_network(tmp_path / "new" / "w.safetensors")
    assert not network.reverse_channels
    np.testing.assert_allclose(network.mean, (0.485, 0.456, 0.406), rtol=1e-6)
    np.testing.assert_allclose(1 / network.scale, (0.229, 0.224, 0.225), rtol=1e-6)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_weights(tmp_path / name, tiny_weights())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_quantized_tensors(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    index = generator.integers(0, 256, TINY["conv1_2.kernel"], np.uint8)
    table = generator.normal(size=256).astype(np.float32)
    tensors = {name: tensor for name, tensor in random_parameters(TINY).items() if name != "conv1_2.kernel"}
    tensors |= {"conv1_2.kernel.index": index, "conv1_2.kernel.table": table}
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    parameters = read_weights(tmp_path / "w").parameters()
    assert parameters.keys() == TINY.keys()
    np.testing.assert_array_equal(parameters["conv1_2.kernel"], table_lookup(table, index))


def test_half_precision_is_converted_to_float32(tmp_path: Path) -> None:
    tensors = {name: tensor.astype(np.float16) for name, tensor in random_parameters(TINY).items()}
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    for name, array in read_weights(tmp_path / "w").parameters().items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors[name].astype(np.float32))


def test_all_differences_from_the_architecture_are_named() -> None:
    tensors = random_parameters(TINY)
    del tensors["conv1_1.bias"], tensors["conv1_2.kernel"]
    tensors["conv1_1.kernel"] = np.zeros((3, 3, 3, 9), np.float32)
    tensors["conv1_2.bias"] = np.zeros(5, np.int32)
    tensors |= {"conv9_9.kernel": np.zeros(3, np.float32), "fc6.bias": np.zeros(3, np.float32)}
    with pytest.raises(WeightsError) as caught:
        files.check_fits("tiny", tensors, Path("some.safetensors"))
    assert str(caught.value) == (
        "some.safetensors does not fit tiny: missing: conv1_1.bias, conv1_2.kernel; "
        "unexpected: conv9_9.kernel, fc6.bias; "
        "of the wrong shape: conv1_1.kernel [3, 3, 3, 9] instead of [3, 3, 3, 4]; of the wrong type: "
        "conv1_2.bias int32; convert its source again"
    )


def test_table_without_index_and_table_of_the_wrong_size() -> None:
    tensors = random_parameters(TINY) | {"conv1_1.kernel.table": np.zeros(256, np.float32)}
    with pytest.raises(WeightsError, match=r"unexpected: conv1_1\.kernel\.table; convert"):
        files.check_fits("tiny", tensors, Path("w"))
    index = np.full(TINY["conv1_1.kernel"], 255, np.uint8)
    tensors |= {"conv1_1.kernel.index": index, "conv1_1.kernel.table": np.zeros(255, np.float32)}
    with pytest.raises(
        WeightsError, match=r"unexpected: conv1_1\.kernel; of the wrong shape: conv1_1\.kernel\.table \[255\]"
    ):
        files.check_fits("tiny", tensors, Path("w"))


def test_weights_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match="missing: conv1_1.bias, conv1_1.kernel, conv1_2.bias, conv1_2.kernel; convert its"
    ):
        write_weights(tmp_path / "w", tiny_weights(tensors={}))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w").write_bytes(b"old")

    def raise_full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", raise_full_disk)
    with pytest.raises(WeightsError, match=r"w: cannot be written \(No space left on device\)"):
        write_weights(tmp_path / "w", tiny_weights())
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    assert (tmp_path / "w").read_bytes() == b"old"


def test_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="w: cannot be written "):
        write_weights(tmp_path / "file" / "w", tiny_weights())


def test_unknown_name() -> None:
    with pytest.raises(WeightsError, match="'vgg91'; expected one of vgg16, .*, alexnet, googlenet, or a file"):
        weights.load_network("vgg91")


def test_weights_that_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)
    with pytest.raises(WeightsError, match="vgg19-full is not fetched yet; run: jaxstyle weights fetch vgg19"):
        weights.load_network("vgg19-full")


def save(path: Path, metadata: dict[str, str] | None) -> None:
    safetensors.numpy.save_file(random_parameters(TINY), path, metadata)


RECORD = {
    "format": "jaxstyle-weights-1",
    "architecture": "tiny",
    "channels": "RGB",
    "scale": [1, 1, 1],
    "mean": [0, 0, 0],
}
RECORD |= {"source": "", "license": ""}


def test_record_of_the_next_tests_is_valid(tmp_path: Path) -> None:
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD)})
    assert read_weights(tmp_path / "w").architecture == "tiny"


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"jaxstyle": "{"},
        {"jaxstyle": "[]"},
        {"jaxstyle": "[" * 100_000},
        {"jaxstyle": json.dumps({name: value for name, value in RECORD.items() if name != "architecture"})},
        {"jaxstyle": json.dumps(RECORD | {"mean": 0})},
        {"jaxstyle": json.dumps(RECORD | {"mean": [0, 0]})},
        {"jaxstyle": json.dumps(RECORD | {"scale": [1, 1, "x"]})},
        {"jaxstyle": json.dumps(RECORD | {"channels": "GBR"})},
        {"jaxstyle": json.dumps(RECORD | {"more": 1})},
    ],
)
def test_invalid_record(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save(tmp_path / "w", metadata)
    with pytest.raises(WeightsError, match="not a jaxstyle weights file, or is damaged; .* jaxstyle weights convert"):
        read_weights(tmp_path / "w")


def test_unknown_format_and_unknown_network(tmp_path: Path) -> None:
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD | {"format": "jaxstyle-weights-2"})})
    with pytest.raises(WeightsError, match="format 'jaxstyle-weights-2'; expected 'jaxstyle-weights-1'"):
        read_weights(tmp_path / "w")
    save(tmp_path / "w", {"jaxstyle": json.dumps(RECORD | {"architecture": "resnet"})})
    with pytest.raises(WeightsError, match="for the network 'resnet'; expected one of vgg16, vgg19"):
        read_weights(tmp_path / "w")


def test_verify_detects_nan_and_infinity(tmp_path: Path) -> None:
    tensors = random_parameters(TINY)
    tensors["conv1_2.bias"][3] = np.nan
    tensors["conv1_1.kernel"][0, 0, 0, 0] = np.inf
    write_weights(tmp_path / "w", tiny_weights(tensors=tensors))
    with pytest.raises(WeightsError, match="NaN or infinity in conv1_1.kernel, conv1_2.bias"):
        weights.verify(tmp_path / "w")


def header(text: bytes) -> bytes:
    """A safetensors file without tensors."""
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0" * 7, b"\xff" * 100, b"<html>nothing here</html>", b"[1, 2]" * 20),
        *(header(b"[]"), header(b'{"__metadata__": 3}'), header(b"[" * 100_000)),
    ],
)
def test_files_that_are_not_weights_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(WeightsError, match="not a jaxstyle weights file"):
        read_weights(tmp_path / "w")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read weights .*: "):
        read_weights(tmp_path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_or_raise_an_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "w"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))
        write_weights(path, tiny_weights())
        content = bytearray(path.read_bytes())
        for position in data.draw(st.lists(st.integers(0, 700), max_size=4)):
            content[position] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        try:
            read_weights(path)
        except WeightsError as error:
            assert "\n" not in str(error)
