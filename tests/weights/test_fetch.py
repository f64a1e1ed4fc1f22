"""Fetching pretrained networks from a server on loopback into an empty cache."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from support import foreign
from support.loopback import Server, giving, ignoring_ranges, server

from jaxstyle import weights
from jaxstyle.errors import ConfigError, WeightsError
from jaxstyle.weights import store
from jaxstyle.weights.originals import ORIGINALS, Original

__all__ = ["server"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "user")
    return tmp_path / "user" / "weights"


def publish(server: Server, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORIGINALS, "vgg16", Original("", "folder/vgg16.h5", f"md5:{hashlib.md5(content).hexdigest()}"))
    server.answers = (giving(content),)


def test_fetched_weights_are_converted_cached_and_compared(
    server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = weights.load_weights("vgg16").parameters()
    original["conv3_2.kernel"] = original["conv3_2.kernel"] * 1.25
    names = foreign.keras_names(original, "{0}/{0}_W_1:0", "{0}/{0}_b_1:0")
    foreign.write_hdf5(tmp_path / "vgg16.h5", names)
    publish(server, (tmp_path / "vgg16.h5").read_bytes(), monkeypatch)

    fetched = weights.fetch("vgg16", base_url=f"{server.url}/")
    assert (fetched.name, fetched.path) == ("vgg16-full", cache / "vgg16-full.safetensors")
    assert server.paths == ["/folder/vgg16.h5"]
    assert [file.name for file in cache.iterdir()] == ["vgg16-full.safetensors"]
    # |1 - 1.25| / |1.25| for the modified kernel.
    expected = {name: 0.2 if name == "conv3_2.kernel" else 0.0 for name in original}
    assert fetched.differences == pytest.approx(expected, abs=1e-6)

    network = weights.load_network("vgg16-full")
    np.testing.assert_array_equal(network.parameters["conv3_2"]["kernel"], original["conv3_2.kernel"])
    assert network.reverse_channels
    assert "CC BY 4.0" in weights.verify("vgg16-full").license

    assert weights.fetch("vgg16", base_url=server.url) == fetched
    assert len(server.paths) == 1
    fetched.path.write_bytes(fetched.path.read_bytes()[:-1])  # a damaged file is fetched again
    assert weights.fetch("vgg16", base_url=server.url) == fetched
    assert len(server.paths) == 2


def test_wrong_file_is_not_cached(server: Server, cache: Path) -> None:
    server.answers = (ignoring_ranges(b"<html>"),)
    with pytest.raises(WeightsError, match="sent a web page: .* expected 253f8cb515780f3b799900260a226db6"):
        weights.fetch("vgg19", base_url=server.url)
    assert server.paths == ["/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"]
    assert list(cache.iterdir()) == []


def test_missing_library_is_reported_before_the_download(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, b"", monkeypatch)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(WeightsError, match="needs h5py"):
        weights.fetch("vgg16", base_url=server.url)
    assert server.paths == []


def test_unknown_network() -> None:
    with pytest.raises(ConfigError, match="'resnet' can be fetched; expected one of vgg16, vgg19, alexnet, googlenet"):
        weights.fetch("resnet")
