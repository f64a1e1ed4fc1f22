"""`jaxstyle export`: the exported function gives the stylizer's result in a process without jaxstyle."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from support.command import QUICK, STYLE, run, succeed

from jaxstyle.config import StyleConfig
from jaxstyle.images import read_image
from jaxstyle.networks import Network
from jaxstyle.styles import load_style
from jaxstyle.stylize import measure_style
from jaxstyle.stylizer import make_stylizer

# Runs without jaxstyle: importing it fails.
SERVE = """
import sys
sys.modules["jaxstyle"] = None
from pathlib import Path
import jax, numpy as np
from jax import export
from safetensors.numpy import load_file
content, style = np.load("content.npy"), load_file("style.safetensors")
for program, *inputs in (("built-in", content), ("general", content, style)):
    painted = export.deserialize(bytearray(Path(program).read_bytes()))
    np.save(f"{program}.npy", jax.jit(painted.call)(*inputs))
    print(*painted.platforms)
"""
LAYERS = ("--content-layers", "relu1_2", "--style-layers", "relu1_1,relu1_2")
SHAPE = ("--height", 48, "--width", 64, *QUICK, *LAYERS, "--steps", 2, "--optimizer", "lbfgs")
CONFIG = StyleConfig(
    size=64, steps=2, content_layers=(("relu1_2", 1.0),), style_layers=(("relu1_1", 1.0), ("relu1_2", 1.0))
)


@pytest.mark.usefixtures("winograd")
def test_exported_functions_give_the_result_of_the_stylizer(
    network: Network, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has a style built in, and the other takes one."""
    monkeypatch.chdir(tmp_path)
    content, saved = photo[:48, :64], "style.safetensors"
    np.save("content.npy", content)
    succeed("style", "save", STYLE, "-o", saved, "--size", 64, *LAYERS[2:])
    for program, style in (("built-in", ("--style", saved)), ("general", ())):
        assert succeed("export", "-o", program, *SHAPE, *style) == f"{program}\n"
    served = subprocess.run([sys.executable, "-c", SERVE], capture_output=True, text=True, check=False)
    assert (served.returncode, served.stdout) == (0, 2 * "cpu cuda tpu\n"), served.stderr
    stylizer = make_stylizer(network, CONFIG, height=48, width=64)
    expected = jax.jit(lambda stylizer, *inputs: stylizer(*inputs))(stylizer, content, load_style(saved))
    assert np.abs(expected - content).max() > 0.1
    # Most of a file are the network's weights, down to the deepest layer in use.
    weights = sum(np.prod(network.parameters[f"conv{name}"]["kernel"].shape) for name in ("1_1", "1_2"))
    for program in ("built-in", "general"):
        assert np.abs(np.load(f"{program}.npy") - expected).max() < 1 / 255
        assert 4 * weights < Path(program).stat().st_size < 4 * weights + 2e6


def test_several_styles_are_blended(network: Network, tmp_path: Path) -> None:
    other = STYLE.with_name("embers.jpg")
    styles = [read_image(style, size=64) for style in (STYLE, other)]
    blend = measure_style(styles, network=network, config=StyleConfig(**vars(CONFIG) | {"style_blend": (1.0, 3.0)}))
    ones = [measure_style(style, network=network, config=CONFIG) for style in styles]
    for mixed, one, two in zip(*(style.statistics for style in (blend, *ones)), strict=True):
        np.testing.assert_allclose(
            mixed.measured["relu1_2"], 0.25 * one.measured["relu1_2"] + 0.75 * two.measured["relu1_2"], 1e-5
        )
    succeed("export", "-o", tmp_path / "p", *SHAPE, "--style", STYLE, "--style", other, "--style-blend", "1,3")


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [
        (("--platforms", "cpu,abacus"), 2, "'abacus'"),
        (("--init", str(STYLE)), 2, "starts from content"),
        (("--init", "style"), 2, "starts from content"),
        (("--style-layers", "relu9_9"), 2, "relu9_9"),
        (("--style", "nowhere.jpg"), 3, "nowhere.jpg"),
        (("--height", 4), 3, "pixels"),
        (("--output", "no/such/folder/p"), 1, "is not a folder"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, options: tuple, code: int, found: str) -> None:
    outcome = run("export", "-o", tmp_path / "p", *SHAPE, *options)
    assert outcome.code == code and found in outcome.err and outcome.err.count("\n") == 1 and outcome.out == ""
    assert not list(tmp_path.iterdir())


def test_existing_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"mine")
    outcome = run("export", "-o", tmp_path / "p", *SHAPE)
    assert outcome.code == 1 and "exists already" in outcome.err
    assert (tmp_path / "p").read_bytes() == b"mine"
