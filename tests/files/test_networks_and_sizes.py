"""Choices that cannot have the effect that was asked for: they are refused, or named in a warning."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from jaxstyle import ConfigError, StyleConfig
from jaxstyle.files import content_warnings, read_network, size_warnings, style_warnings
from jaxstyle.jobs import read_manifest
from jaxstyle.options import Options


def test_pooling_needs_a_network_with_pooling():
    with pytest.raises(ConfigError, match="efficientnet-lite0 has no pooling"):
        read_network("efficientnet-lite0", None, "avg")
    assert read_network("random:vgg16", None, "avg").pooling == "avg"


def test_saved_styles_at_other_sizes_are_named(monkeypatch: pytest.MonkeyPatch):
    sizes = {"a.safetensors": (128, 256, 512), "b.safetensors": (512,)}
    monkeypatch.setattr(size_warnings, "read_style_file", lambda file: Mock(style=Mock(sizes=sizes[file.name])))
    first, second = map(Path, sizes)
    assert style_warnings(((first,), StyleConfig(size=size)) for size in (512, 256)) == []
    (warning,) = style_warnings(((first,), StyleConfig(size=size)) for size in (512, 640))
    assert warning.startswith("a.safetensors was measured at 128, 256, 512 px and is used for 640 px: its strokes get")
    assert "strokes get larger" in style_warnings([((second,), StyleConfig(size=400))])[0]
    (warning,) = style_warnings([((first, second), StyleConfig(size=400))])
    assert "b.safetensors was measured at 512 px and is used for 200 px (also of other sizes: 1 other)" in warning
    # Of several scales, a style has the one at its place.
    assert style_warnings([((first, second), StyleConfig(size=512, style_scale=(1, 1), levels=1))]) == []
    (warning,) = style_warnings([((first, second), StyleConfig(size=512, style_scale=(1, 1.5), levels=1))])
    assert warning.startswith("b.safetensors was measured at 512 px and is used for 768 px: its strokes get smaller")


@pytest.mark.parametrize("value", ["vgg91", "random:resnet"])
def test_unknown_networks_in_a_manifest_have_a_line(tmp_path: Path, value: str):
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(f"content,style,network\na.jpg,b.jpg,\na.jpg,b.jpg,{value}\n")
    with pytest.raises(ConfigError, match=f"pairs.csv: line 3, column network is '{value}'"):
        read_manifest(manifest, Options())


def test_contents_that_are_enlarged():
    file, other = Path("a.jpg"), Path("b.jpg")
    assert content_warnings([(file, (300, 400), 800)]) == []
    (warning,) = content_warnings([(file, (300, 400), 1000)])
    assert warning.startswith("a.jpg has 400 x 300 pixels and is enlarged 2.5 times for its result, which")
    (warning,) = content_warnings((name, (300, 400), size) for name in (other, file) for size in (64, 1000, 1200, 800))
    assert "b.jpg has 400 x 300 pixels and is enlarged 3 times for its result (also too small: 1 other), " in warning
