"""Every command accepts `--network efficientnet-lite0`: a network of residual blocks, whose layers have other names."""

from pathlib import Path

import jax
import numpy as np
from safetensors import safe_open
from support.command import CONTENT, STYLE, succeed

import jaxstyle

NETWORK = ("--network", "efficientnet-lite0")
LAYERS = ("--style-layers", "stem/relu,block1a/output")
QUICK = (*NETWORK, "--size", 32, "--steps", 3, "--optimizer", "adam", *LAYERS, "--content-layers", "block2a/output")


def size_of(path: Path) -> int:
    return max(jaxstyle.read_image(path).shape[:2])


def test_stylize_texture_grid_and_batch_write_pictures(tmp_path: Path) -> None:
    succeed("stylize", CONTENT, STYLE, "-o", tmp_path / "a.png", *QUICK)
    succeed("grid", CONTENT, STYLE, "-o", tmp_path / "grid.png", *QUICK, "--columns", "seed=0;1")
    succeed("batch", "--content", CONTENT, "--style", STYLE, "-o", tmp_path / "batch", *QUICK)
    succeed("texture", STYLE, "-o", tmp_path / "t.png", *NETWORK, "--size", 32, "--steps", 3, *LAYERS)
    for name in ("a.png", "batch/harbour--swirls.png", "t.png"):
        assert size_of(tmp_path / name) == 32
    assert size_of(tmp_path / "grid.png") >= 2 * 32


def test_a_saved_style_replaces_its_picture(tmp_path: Path) -> None:
    style = tmp_path / "swirls.safetensors"
    succeed("style", "save", STYLE, "-o", style, *NETWORK, "--size", 32, *LAYERS)
    for name, source in (("picture.png", STYLE), ("saved.png", style)):
        succeed("stylize", CONTENT, source, "-o", tmp_path / name, *QUICK)
    np.testing.assert_array_equal(*(jaxstyle.read_image(tmp_path / name) for name in ("picture.png", "saved.png")))


def test_gram_matrices(tmp_path: Path) -> None:
    succeed("gram", "show", STYLE, "-o", tmp_path / "show.png", *NETWORK, "--size", 32, "--layer", "block1a/output")
    one_entry = ("--layer", "block1a/output", "--entry", "0,1", "--size", 32, "--steps", 3)
    succeed("gram", "maximize", "-o", tmp_path / "one.png", *NETWORK, *one_entry)
    succeed("gram", "sample", STYLE, "-o", tmp_path / "s.safetensors", *NETWORK, "--size", 32)
    assert size_of(tmp_path / "show.png") > 32 and size_of(tmp_path / "one.png") >= 32
    with safe_open(tmp_path / "s.safetensors", "numpy") as file:
        assert any("block1a/output" in name for name in file.keys())  # noqa: SIM118


def test_export_writes_a_program(tmp_path: Path) -> None:
    succeed("export", "-o", tmp_path / "program", *QUICK, "--height", 24, "--width", 32, "--platforms", "cpu")
    jax.export.deserialize(bytearray((tmp_path / "program").read_bytes()))
