"""Choices that cannot have the effect that was asked for: they are refused, or named in a warning."""

from pathlib import Path

import pytest

from jaxstyle import ConfigError, StyleConfig
from jaxstyle.jobs import Options, read_manifest, read_network, resized_styles


def test_pooling_needs_a_network_with_pooling():
    with pytest.raises(ConfigError, match="efficientnet-lite0 has no pooling"):
        read_network("efficientnet-lite0", None, "avg")
    assert read_network("random:vgg16", None, "avg").pooling == "avg"


def test_saved_styles_at_other_sizes_are_named():
    saved = [{"name": "a.safetensors", "sizes": [128, 256, 512]}]
    assert resized_styles(saved, StyleConfig(size=512)) is None
    assert resized_styles(saved, StyleConfig(size=256)) is None
    warning = resized_styles(saved, StyleConfig(size=640))
    assert warning and "a.safetensors was measured at 128, 256, 512 px" in warning and "strokes get smaller" in warning
    assert "larger" in (resized_styles([{"name": "a", "sizes": [512]}], StyleConfig(size=400)) or "")


@pytest.mark.parametrize("value", ["vgg91", "random:resnet"])
def test_unknown_networks_in_a_manifest_have_a_line(tmp_path: Path, value: str):
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(f"content,style,network\na.jpg,b.jpg,\na.jpg,b.jpg,{value}\n")
    with pytest.raises(ConfigError, match=f"pairs.csv: line 3: --network is '{value}'"):
        read_manifest(manifest, Options())
