"""Weights of AlexNet and GoogLeNet: conversion, batch normalization, errors and fetching."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import foreign
from support.loopback import Server, giving, server

from jaxstyle import weights
from jaxstyle.errors import WeightsError
from jaxstyle.networks import parameter_shapes
from jaxstyle.weights import store
from jaxstyle.weights.files import CAFFE_GOOGLENET, TORCHVISION, TORCHVISION_GOOGLENET
from jaxstyle.weights.foreign import read_foreign
from jaxstyle.weights.originals import ORIGINALS, Original

__all__ = ["server"]

State = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def reference() -> State:
    with np.load(Path(__file__).parents[1] / "data" / "torchvision.npz") as data:
        return dict(data)


@pytest.fixture(scope="module")
def googlenet(reference: State) -> State:
    return foreign.torchvision_state(reference, "googlenet")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "user")
    return tmp_path / "user" / "weights"


def error_message(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        weights.convert(path, path.parent / "out")
    assert not (path.parent / "out").exists()
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    return str(caught.value)


class TestTorchvision:
    @pytest.mark.parametrize("write", [foreign.write_torch_state, foreign.write_safetensors])
    def test_googlenet_with_batch_normalization_folded(
        self, write: Callable[[Path, State], None], googlenet: State, tmp_path: Path
    ) -> None:
        """Folded kernels and biases give the batch-normalized convolution."""
        write(tmp_path / "w", googlenet)
        converted = weights.convert(tmp_path / "w", tmp_path / "out")
        assert (converted.architecture, converted.convention) == ("googlenet", TORCHVISION_GOOGLENET)
        torch_name, name = "inception4b.branch2.1", "inception_4b/3x3"
        patch = np.random.default_rng(0).normal(size=(112, 3, 3))  # the inputs at one position
        convolved = np.sum(googlenet[f"{torch_name}.conv.weight"] * patch, axis=(1, 2, 3))
        normalized = convolved - googlenet[f"{torch_name}.bn.running_mean"]
        normalized /= np.sqrt(googlenet[f"{torch_name}.bn.running_var"] + 0.001)
        expected = normalized * googlenet[f"{torch_name}.bn.weight"] + googlenet[f"{torch_name}.bn.bias"]
        kernel, bias = (converted.tensors[f"{name}.{kind}"] for kind in ("kernel", "bias"))
        np.testing.assert_allclose(
            np.tensordot(patch.transpose(1, 2, 0), kernel, 3) + bias, expected, atol=1e-5 * np.abs(expected).max()
        )

    def test_alexnet(self, reference: State, tmp_path: Path) -> None:
        state = foreign.torchvision_state(reference, "alexnet") | {"classifier.1.weight": np.ones((4, 9), np.float32)}
        foreign.write_safetensors(tmp_path / "w", state)
        converted = weights.convert(tmp_path / "w", tmp_path / "out")
        assert (converted.architecture, converted.convention) == ("alexnet", TORCHVISION)
        np.testing.assert_array_equal(
            converted.tensors["conv2.kernel"], state["features.3.weight"].transpose(2, 3, 1, 0)
        )

    def test_vgg_with_batch_normalization_folded(self, tmp_path: Path) -> None:
        """Each convolution with its bias, then a normalization with PyTorch's epsilon: two layers compute the same."""
        generator = np.random.default_rng(6)
        state, expected, index = {}, {}, 0
        for name, shape in parameter_shapes("vgg16").items():
            if not name.endswith(".kernel"):
                continue
            *_, outputs = shape
            kernel = generator.normal(size=(shape[3], shape[2], 3, 3)).astype(np.float32)
            gain, shift, mean, bias = generator.normal(size=(4, outputs)).astype(np.float32)
            variance = generator.uniform(1e-6, 2, outputs).astype(np.float32)
            state |= {f"module.features.{index}.weight": kernel, f"module.features.{index}.bias": bias}
            statistics = {"weight": gain, "bias": shift, "running_mean": mean, "running_var": variance}
            state |= {f"module.features.{index + 1}.{kind}": array for kind, array in statistics.items()}
            state[f"module.features.{index + 1}.num_batches_tracked"] = np.array(7)
            patch = generator.normal(size=shape[:3])
            result = np.einsum("hwi,oihw->o", patch, kernel, optimize=True) + bias
            expected[name] = patch, gain * (result - mean) / np.sqrt(variance + 1e-5) + shift
            index += 3
        np.savez(tmp_path / "w.npz", **state)
        converted = read_foreign(tmp_path / "w.npz")
        assert (converted.architecture, converted.convention) == ("vgg16", TORCHVISION)
        for name, (patch, values) in expected.items():
            kernel, bias = converted.tensors[name], converted.tensors[name.replace("kernel", "bias")]
            np.testing.assert_allclose(
                np.tensordot(patch, kernel, 3) + bias, values, rtol=1e-4, atol=1e-5 * np.abs(values).max()
            )

    def test_all_differences_are_named(self, googlenet: State, tmp_path: Path) -> None:
        state = {name: array for name, array in googlenet.items() if not name.startswith("inception3a.branch2.1")}
        state["inception5b.branch1.conv.weight"] = np.ones((384, 832, 3, 3), np.float32)
        foreign.write_safetensors(tmp_path / "w", state)
        message = error_message(tmp_path / "w")
        assert message.endswith(
            "most similar to googlenet, but missing: inception_3a/3x3 [3, 3, 96, 128], "
            "inception_5b/1x1 [1, 1, 832, 384]; unexpected: inception5b.branch1.conv.weight [384, 832, 3, 3]; "
            "use the weights of one of these networks"
        )

    def test_incomplete_batch_normalization(self, googlenet: State, tmp_path: Path) -> None:
        state = {name: array for name, array in googlenet.items() if name != "conv3.bn.running_var"}
        foreign.write_safetensors(tmp_path / "w", state)
        assert "lacks conv3.bn.running_var, which conv3.conv.weight needs" in error_message(tmp_path / "w")

    def test_original_alexnet_is_not_recognized(self, tmp_path: Path) -> None:
        shapes = [(96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)]
        state = {f"conv{index}.weight": np.ones(shape, np.float32) for index, shape in enumerate(shapes, 1)}
        state |= {f"conv{index}.bias": np.ones(shape[0], np.float32) for index, shape in enumerate(shapes, 1)}
        foreign.write_safetensors(tmp_path / "w", state)
        assert "it has 5 convolutions, the first with a kernel [96, 3, 11, 11]" in error_message(tmp_path / "w")


class TestCaffe:
    @pytest.fixture
    def parameters(self) -> State:
        return foreign.random_parameters(parameter_shapes("googlenet-caffe"))

    @pytest.mark.parametrize("separator", ["/", "_"])
    def test_names_of_layers(self, parameters: State, separator: str, tmp_path: Path) -> None:
        state = {}
        for name, array in parameters.items():
            layer, kind = name.replace("/", separator).rsplit(".", 1)
            state[f"{layer}.{kind.replace('kernel', 'weight')}"] = (
                array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
            )
        foreign.write_safetensors(tmp_path / "w", state)
        converted = weights.convert(tmp_path / "w", tmp_path / "out")
        assert (converted.architecture, converted.convention) == ("googlenet-caffe", CAFFE_GOOGLENET)
        assert converted.tensors.keys() == parameters.keys()
        for name, array in parameters.items():
            np.testing.assert_array_equal(converted.tensors[name], array)

    def test_onnx_graph(self, parameters: State, tmp_path: Path) -> None:
        foreign.write_onnx(tmp_path / "w.onnx", parameters)
        assert "--convention" in error_message(tmp_path / "w.onnx")
        converted = weights.convert(tmp_path / "w.onnx", tmp_path / "out", convention=CAFFE_GOOGLENET)
        assert converted.architecture == "googlenet-caffe"
        network = weights.load_network(tmp_path / "out")
        assert network.reverse_channels
        np.testing.assert_allclose(network.mean * network.scale, [104, 117, 123], rtol=1e-6)


class TestFetching:
    def publish(self, server: Server, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        digest = hashlib.sha256(content).hexdigest()[:8]
        monkeypatch.setitem(ORIGINALS, name, Original(server.url, f"{name}-{digest}.pth", f"sha256:{digest}"))
        server.answers = (giving(content),)

    def test_fetched_network_is_loaded_by_name(
        self, server: Server, cache: Path, googlenet: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(WeightsError, match="googlenet is not fetched yet; run: jaxstyle weights fetch googlenet"):
            weights.load_network("googlenet")
        foreign.write_torch_state(tmp_path / "w.pth", googlenet)
        self.publish(server, "googlenet", (tmp_path / "w.pth").read_bytes(), monkeypatch)
        fetched = weights.fetch("googlenet")
        assert (fetched.name, fetched.path, fetched.differences) == ("googlenet", cache / "googlenet.safetensors", {})
        assert [file.name for file in cache.iterdir()] == ["googlenet.safetensors"]
        assert weights.load_network("googlenet").architecture == "googlenet"
        assert weights.fetch("googlenet") == fetched and len(server.paths) == 1

    def test_file_with_another_digest(self, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.publish(server, "alexnet", b"the right one", monkeypatch)
        server.answers = (giving(b"another one"),)
        digest = hashlib.sha256(b"another one").hexdigest()
        with pytest.raises(WeightsError, match=f"its SHA256 is {digest}, expected [0-9a-f]{{8}}; try again"):
            weights.fetch("alexnet")
        assert list(cache.iterdir()) == []

    @pytest.mark.parametrize("name", ["alexnet", "googlenet"])
    def test_pytorch_file_names_contain_digests(self, name: str) -> None:
        original = ORIGINALS[name]
        assert original.digest == "sha256:" + re.search(r"-([0-9a-f]{8})\.pth$", original.file)[1]  # type: ignore[index]

    def test_network_that_cannot_be_fetched(self) -> None:
        with pytest.raises(WeightsError, match="no weights for googlenet-caffe .* jaxstyle weights convert FILE OUT"):
            weights.load_network("googlenet-caffe")
