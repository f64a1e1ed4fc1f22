"""Style files: exact round trips, atomic writing, and errors for damaged files."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import examples, failing
from support.quick import first_layer

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, StyleError
from jaxstyle.styles import (
    REPRESENTATIONS,
    Style,
    StyleStatistics,
    check_style_writable,
    load_style,
    read_style_file,
    save_style,
)
from jaxstyle.stylize import measure_style
from jaxstyle.weights import path_of

CHANNELS = {"relu1_1": 64, "conv1_2": 64, "pool2": 128, "relu3_4": 256, "conv5_1": 512}
SIZES = (32, 64)


def floats(rng: np.random.Generator, *shape: int) -> jax.Array:
    """Finite numbers of all magnitudes, with negative zeros."""
    numbers = rng.integers(0, 2**32, shape, np.uint32).view(np.float32)
    return jax.device_put(np.where(np.isfinite(numbers), numbers, np.float32(-0.0)))


def make_style(sizes: tuple[int, ...] = SIZES, layers: tuple[str, ...] = ("relu1_1", "pool2"), seed: int = 0) -> Style:
    rng = np.random.default_rng(seed)

    def statistics() -> StyleStatistics:
        grams = {layer: floats(rng, CHANNELS[layer], CHANNELS[layer]) for layer in layers}
        return StyleStatistics(grams, floats(rng, 13, 8), floats(rng, 3), floats(rng, 3, 3), floats(rng, 4))

    return Style(tuple(statistics() for _ in sizes), sizes, "vgg19", "max", "0123abcd")


def error_message(path: Path, function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """The message, without the path, of the error that a call raises: one line that begins with the path."""
    with pytest.raises((StyleError, ConfigError)) as caught:
        function(path, *arguments, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.isprintable()
    return message.removeprefix(f"{path}: ")


class TestRoundTrip:
    @examples
    @given(
        sizes=st.lists(st.integers(1, 8192), min_size=1, max_size=3, unique=True),
        layers=st.lists(st.sampled_from(sorted(CHANNELS)), max_size=3, unique=True),
        static=st.tuples(st.sampled_from(["vgg16", "vgg19"]), st.sampled_from(["max", "avg"]), st.text(max_size=9)),
        seed=st.integers(0, 2**32),
    )
    def test_is_exact(self, tmp_path, sizes, layers, static, seed):
        if static[0] == "vgg16":
            layers = [layer for layer in layers if layer != "relu3_4"]  # only VGG-19 has this layer
        style = make_style(tuple(sizes), tuple(layers), seed)
        style = replace(style, architecture=static[0], pooling=static[1], digest=static[2])
        save_style(tmp_path / "a.safetensors", style, overwrite=True)
        loaded = load_style(tmp_path / "a.safetensors")
        assert jax.tree.structure(loaded) == jax.tree.structure(style)  # compares the static fields
        for one, other in zip(jax.tree.leaves(loaded), jax.tree.leaves(style), strict=True):
            assert isinstance(one, jax.Array) and one.dtype == np.float32 and one.shape == other.shape
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()

    @pytest.mark.parametrize("representation", sorted(REPRESENTATIONS))
    def test_is_exact_for_other_representations(self, tmp_path, network, painting, representation):
        config = StyleConfig(
            size=64,
            content_layers=(),
            style_layers=(("conv1_1", 1.0), ("relu1_1", 1.0)),
            style_representation=representation,
        )
        style = measure_style(painting, network=first_layer(network), config=config)
        save_style(tmp_path / "a.safetensors", style)
        loaded = load_style(tmp_path / "a.safetensors")
        assert loaded.representation == representation
        assert jax.tree.structure(loaded) == jax.tree.structure(style)
        assert jax.tree.all(jax.tree.map(np.array_equal, loaded, style))

    def test_files_without_a_representation_have_gram_matrices(self, tmp_path):
        style = make_style()
        save_style(tmp_path / "a.safetensors", style)
        content = (tmp_path / "a.safetensors").read_bytes()
        entry = b', \\"representation\\": \\"gram\\"'
        assert entry in content
        (tmp_path / "old.safetensors").write_bytes(content.replace(entry, b" " * len(entry)))
        assert jax.tree.structure(load_style(tmp_path / "old.safetensors")) == jax.tree.structure(style)

    def test_stores_a_description(self, tmp_path):
        about = {"pictures": ["a.jpg", "ä\u001b.png"], "shares": [0.5, 1]}
        save_style(tmp_path / "a.safetensors", make_style(), about=about)
        assert read_style_file(tmp_path / "a.safetensors").about == about

    def test_same_style_gives_the_same_bytes(self, tmp_path):
        for name in ("a.safetensors", "b.SafeTensors"):
            save_style(tmp_path / name, make_style())
        assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.SafeTensors").read_bytes()

    def test_expands_the_home_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        save_style("~/a.safetensors", make_style())
        assert load_style("~/a.safetensors").sizes == SIZES


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("a.png", "has the suffix '.png'; expected .safetensors"),
            ("a", "has no suffix; expected .safetensors"),
            ("exists.safetensors", "exists already; choose another name"),
            ("folder.safetensors", "is a folder"),
            ("nowhere/a.safetensors", "is not a folder; create it"),
        ],
    )
    def test_bad_paths_fail_before_and_after_the_work(self, tmp_path, name, found):
        (tmp_path / "exists.safetensors").write_text("precious")
        (tmp_path / "folder.safetensors").mkdir()
        before = sorted(tmp_path.rglob("*"))
        assert found in error_message(tmp_path / name, check_style_writable)
        assert found in error_message(tmp_path / name, save_style, make_style())
        assert sorted(tmp_path.rglob("*")) == before
        assert (tmp_path / "exists.safetensors").read_text() == "precious"

    def test_the_check_changes_no_file(self, tmp_path):
        (tmp_path / "exists.safetensors").write_text("precious")
        check_style_writable(tmp_path / "a.safetensors")
        check_style_writable(tmp_path / "exists.safetensors", overwrite=True)
        assert os.listdir(tmp_path) == ["exists.safetensors"]
        assert (tmp_path / "exists.safetensors").read_text() == "precious"

    @pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
    @pytest.mark.parametrize(
        ("error", "raised"),
        [(OSError(28, "No space left on device"), StyleError), (KeyboardInterrupt(), KeyboardInterrupt)],
    )
    def test_failures_leave_the_old_file(self, tmp_path, monkeypatch, function, error, raised):
        path = tmp_path / "a.safetensors"
        path.write_bytes(b"old")
        monkeypatch.setattr(function, failing(error))
        with pytest.raises(raised):
            save_style(path, make_style(), overwrite=True)
        assert os.listdir(tmp_path) == ["a.safetensors"] and path.read_bytes() == b"old"

    def test_overwrites_the_target_of_a_link(self, tmp_path):
        (tmp_path / "real.safetensors").write_bytes(b"old")
        (tmp_path / "link.safetensors").symlink_to("real.safetensors")
        save_style(tmp_path / "link.safetensors", make_style(), overwrite=True)
        assert (tmp_path / "link.safetensors").is_symlink()
        assert load_style(tmp_path / "real.safetensors").sizes == SIZES

    def test_values_that_are_not_finite(self, tmp_path):
        broken = jax.tree.map(lambda array: array.at[0].set(np.nan), make_style())
        assert "not finite: 0.color, 0.grain, 0.gram.pool2" in error_message(
            tmp_path / "a.safetensors", save_style, broken
        )
        assert os.listdir(tmp_path) == []


def tensors_and_record(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return safetensors.numpy.load(content), json.loads(header["__metadata__"]["jaxstyle"])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_style(tmp_path / "a.safetensors", make_style())
    return tmp_path / "a.safetensors"


class TestReading:
    def test_missing_files(self, tmp_path):
        assert "cannot be read (No such file or directory)" in error_message(tmp_path / "none.safetensors", load_style)
        assert "is a folder; expected a saved style" in error_message(tmp_path, load_style)

    @pytest.mark.parametrize(
        "content", [b"", b"\0" * 7, b"words, not numbers", b"\xff" * 99, b"\2" + b"\0" * 7 + b"{}"]
    )
    def test_files_of_another_kind(self, tmp_path, content):
        (tmp_path / "a.safetensors").write_bytes(content)
        assert "is not a saved style, or is damaged" in error_message(tmp_path / "a.safetensors", load_style)

    def test_safetensors_files_without_a_style(self, tmp_path):
        for metadata in (None, {"format": "pt"}, {"jaxstyle": "[]"}, {"jaxstyle": "{}"}, {"jaxstyle": "{"}):
            safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors", metadata)
            assert "is not a saved style" in error_message(tmp_path / "a.safetensors", load_style)

    def test_weights_files(self):
        message = error_message(path_of("vgg16"), load_style)
        assert "has the format 'jaxstyle-weights-1'; expected 'jaxstyle-style-3'" in message

    @examples
    @given(data=st.data())
    def test_truncated_files(self, saved, data):
        content = saved.read_bytes()
        cut = saved.with_name("cut.safetensors")
        cut.write_bytes(content[: data.draw(st.one_of(st.integers(0, 2000), st.integers(0, len(content) - 1)))])
        assert "damaged" in error_message(cut, load_style)

    @examples
    @given(data=st.data())
    def test_damaged_headers(self, saved, data):
        """One line, or a style of the same shapes: a changed character may be in the description."""
        content = bytearray(saved.read_bytes())
        end = 8 + int.from_bytes(content[:8], "little")
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
        changed = saved.with_name("changed.safetensors")
        changed.write_bytes(content)
        try:
            found = load_style(changed)
        except StyleError as error:
            assert str(error).startswith(f"{changed}: ") and str(error).isprintable()
        else:
            assert jax.tree.map(np.shape, found.statistics) == jax.tree.map(np.shape, make_style().statistics)

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (lambda tensors: tensors.pop("1.gram.pool2"), "missing: 1.gram.pool2"),
            (lambda tensors: tensors.update(more=np.zeros(3)), "unexpected: more"),
            (
                lambda tensors: tensors.update({"0.color": np.zeros((8, 13), np.float32)}),
                "wrong shape or dtype: 0.color float32[8, 13] instead of float32[13, 8]",
            ),
            (
                lambda tensors: tensors.update({"0.gram.relu1_1": np.zeros((128, 128), np.float32)}),
                "0.gram.relu1_1 float32[128, 128] instead of float32[64, 64]",
            ),
            (lambda tensors: tensors.update({"0.mean": np.zeros(3)}), "0.mean float64[3] instead of float32[3]"),
            (lambda tensors: tensors["1.second"].fill(np.inf), "not finite: 1.second"),
        ],
    )
    def test_wrong_tensors(self, saved, change, found):
        tensors, record = tensors_and_record(saved)
        tensors = {name: tensor.copy() for name, tensor in tensors.items()}
        change(tensors)
        safetensors.numpy.save_file(tensors, saved, {"jaxstyle": json.dumps(record)})
        assert found in error_message(saved, load_style)

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ({"format": "jaxstyle-style-1"}, "has the format 'jaxstyle-style-1'; expected 'jaxstyle-style-3'"),
            ({"format": None}, "has the format None"),
            ({"architecture": "vgg11"}, "architecture 'vgg11'"),
            ({"architecture": ["vgg19"]}, "architecture ['vgg19']"),
            ({"pooling": "min"}, "pooling 'min'"),
            ({"weights_sha256": 7}, "weights_sha256 7"),
            ({"sizes": []}, "sizes []"),
            ({"sizes": [0, 64]}, "sizes [0, 64]"),
            ({"sizes": [True, 64]}, "sizes [True, 64]"),
            ({"sizes": [32, 64, 128]}, "missing: 2.color, 2.grain, 2.gram.pool2"),
            ({"sizes": [32]}, "unexpected: 1.color"),
            ({"layers": "relu1_1"}, "layers 'relu1_1'"),
            ({"layers": ["relu1_1", "relu1_1"]}, "layers ['relu1_1', 'relu1_1']"),
            ({"layers": ["relu1_1", "relu9_1"]}, "layers that vgg19 does not have (['relu9_1'])"),
            ({"about": []}, "about []"),
        ],
    )
    def test_wrong_records(self, saved, change, found):
        tensors, record = tensors_and_record(saved)
        safetensors.numpy.save_file(tensors, saved, {"jaxstyle": json.dumps(record | change)})
        assert found in error_message(saved, load_style)
