"""The commands `jaxstyle weights list`, `verify`, `convert` and `fetch`."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from support import foreign
from support.foreign import TINY, random_parameters
from typer.testing import CliRunner

from jaxstyle import weights
from jaxstyle.cli.weights import app
from jaxstyle.errors import ConfigError, JaxStyleError, WeightsError
from jaxstyle.networks import ARCHITECTURES
from jaxstyle.weights import EMBEDDED, Fetched, store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "user")
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))
    return tmp_path / "user" / "weights"


def run(*arguments: object) -> list[str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.splitlines()


def fail(*arguments: object) -> JaxStyleError:
    with pytest.raises(JaxStyleError) as caught:
        run(*arguments)
    return caught.value


@pytest.fixture
def foreign_file(tmp_path: Path) -> Path:
    foreign.write_torch_state(tmp_path / "w.pth", foreign.torch_names(random_parameters(TINY)))
    return tmp_path / "w.pth"


def test_list_has_names_sizes_and_paths_and_the_command_to_fetch_others() -> None:
    lines = run("list")
    assert [line.split()[0] for line in lines] == list(weights.NAMES)
    shipped, others = lines[: len(EMBEDDED)], lines[len(EMBEDDED) :]
    for line in shipped:
        name, size, unit, path = line.split(maxsplit=3)
        assert Path(path) == weights.path_of(name)
        assert (float(size), unit) == (pytest.approx(Path(path).stat().st_size / 1e6, abs=0.05), "MB")
    assert [line.split()[-1] for line in others] == ["vgg16", "vgg19", "alexnet", "googlenet"]
    assert all(line.endswith(f"jaxstyle weights fetch {line.split()[-1]}") for line in others)


def test_list_and_verify_include_fetched_weights(cache: Path) -> None:
    written = replace(weights.load_weights("vgg16"), source="fetched")
    weights.write_weights(cache / "vgg16-full.safetensors", written)
    assert str(cache / "vgg16-full.safetensors") in run("list")[len(EMBEDDED)]
    lines = run("verify")
    assert [line.split(":")[0] for line in lines] == [*EMBEDDED, "vgg16-full"]
    assert all(EMBEDDED[name] in line for name, line in zip(EMBEDDED, lines, strict=False))
    assert "shipped" in lines[0] and "shipped" not in lines[-1]


def test_verify_fails_for_a_damaged_file(foreign_file: Path, tmp_path: Path) -> None:
    run("convert", foreign_file, tmp_path / "out")
    assert run("verify", tmp_path / "out")[0].startswith(f"{tmp_path / 'out'}: a complete tiny; SHA-256 ")
    content = (tmp_path / "out").read_bytes()
    (tmp_path / "out").write_bytes(content[:-1])
    assert isinstance(fail("verify", "vgg16", tmp_path / "out"), WeightsError)


def test_convert_prints_what_it_recognized_and_the_result_loads(foreign_file: Path, tmp_path: Path) -> None:
    (line,) = run("convert", foreign_file, tmp_path / "out")
    assert line == f"{tmp_path / 'out'}: tiny, input as in torchvision; use it with --weights {tmp_path / 'out'}"
    assert weights.load_network(tmp_path / "out").architecture == "tiny"
    (line,) = run("convert", foreign_file, tmp_path / "other", "--convention", "caffe")
    assert "input as in caffe;" in line
    assert weights.load_network(tmp_path / "other").reverse_channels


def test_convert_of_an_incomplete_checkpoint_writes_nothing(tmp_path: Path) -> None:
    tensors = foreign.torch_names(random_parameters({name: TINY[name] for name in ("conv1_1.kernel", "conv1_1.bias")}))
    foreign.write_torch_state(tmp_path / "w.pth", tensors)
    (tmp_path / "out").write_text("precious")
    for arguments in ((tmp_path / "new",), (tmp_path / "out", "--overwrite")):
        error = fail("convert", tmp_path / "w.pth", *arguments)
        assert isinstance(error, WeightsError)
        assert "it has 1 convolution, most similar to tiny, but missing: conv1_2 [3, 3, 4, 5]; use" in str(error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "w.pth"]
    assert (tmp_path / "out").read_text() == "precious"


def test_convert_replaces_a_file_only_with_overwrite(foreign_file: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    error = fail("convert", foreign_file, tmp_path / "out")
    assert isinstance(error, WeightsError)
    assert str(error).endswith("exists already; choose another name, or add --overwrite")
    assert (tmp_path / "out").read_text() == "precious"
    run("convert", foreign_file, tmp_path / "out", "--overwrite")
    weights.verify(tmp_path / "out")


def test_convert_never_replaces_its_source(foreign_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "folder").mkdir()
    (tmp_path / "soft").symlink_to(foreign_file)
    (tmp_path / "hard").hardlink_to(foreign_file)
    content = foreign_file.read_bytes()
    for out in (foreign_file, tmp_path / "folder" / ".." / "w.pth", tmp_path / "soft", tmp_path / "hard", "~/w.pth"):
        for option in ((), ("--overwrite",)):
            error = fail("convert", foreign_file, out, *option)
            assert isinstance(error, ConfigError) and str(error).startswith(f"{out} is a file to convert; choose")
    assert foreign_file.read_bytes() == (tmp_path / "hard").read_bytes() == content


def test_convert_never_replaces_the_numbers_of_an_onnx_file(tmp_path: Path) -> None:
    foreign.write_onnx(tmp_path / "w.onnx", random_parameters(TINY))
    model = onnx.load(tmp_path / "w.onnx")
    onnx.save(model, tmp_path / "w.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    numbers = (tmp_path / "w.data").read_bytes()
    convert = ("convert", tmp_path / "w.onnx", tmp_path / "w.data", "--convention", "caffe", "--overwrite")
    assert isinstance(fail(*convert), ConfigError)
    assert (tmp_path / "w.data").read_bytes() == numbers


def test_names_that_are_too_long(foreign_file: Path, tmp_path: Path) -> None:
    name = "x" * 300
    for option in ((), ("--overwrite",)):
        error = fail("convert", foreign_file, tmp_path / name, *option)
        assert isinstance(error, WeightsError) and "cannot be written (File name too long)" in str(error)
    assert isinstance(fail("convert", tmp_path / name, tmp_path / "out"), WeightsError)
    assert "cannot read weights" in str(fail("convert", tmp_path / name, foreign_file, "--overwrite"))
    assert "no weights called" in str(fail("verify", tmp_path / name))


def test_an_unknown_convention_is_a_config_error(foreign_file: Path, tmp_path: Path) -> None:
    error = fail("convert", foreign_file, tmp_path / "out", "--convention", "keras")
    assert isinstance(error, ConfigError)
    assert str(error) == f"--convention is 'keras'; expected one of {', '.join(weights.CONVENTIONS)}"


def test_fetch_prints_the_distances_and_uses_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = []

    def fetch(name: str, *, base_url: str | None, progress: object) -> Fetched:
        urls.append(base_url)
        return Fetched(f"{name}-full", Path("some") / "file", {"conv1_1.kernel": 0.0067, "conv1_1.bias": 0.0})

    monkeypatch.setattr(weights, "fetch", fetch)
    lines = run("fetch", "vgg19")
    assert lines[0] == "vgg19-full: some/file"
    assert [line.split() for line in lines[2:]] == [["conv1_1.kernel", "6.7e-03"], ["conv1_1.bias", "0.0e+00"]]
    run("fetch", "vgg19", "--url", "http://one")
    monkeypatch.setenv("JAXSTYLE_WEIGHTS_URL", "http://two")
    run("fetch", "vgg19")
    assert urls == [None, "http://one", "http://two"]
