"""The Python examples of the README and of docs/ run, and the files that the README links to exist."""

import re
from pathlib import Path

import pytest
from support.examples import EXAMPLES

import jaxstyle
from jaxstyle import errors

ROOT = Path(__file__).parents[2]
TINY = "size=32, steps=3, content_layers='relu1_1', style_layers='relu1_1'"


def python_of(page: str) -> str:
    """All Python examples of a page as one program."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


def execute(program: str, page: str) -> None:
    exec(compile(program, page, "exec"), {"__name__": "example"})


def test_readme_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    program = python_of("README.md")
    assert "StyleConfig(size=128)" in program and "jaxstyle.enable_cache()" in program
    layers = "content_layers=(('relu1_1', 1.0),), style_layers=(('relu1_1', 1.0),)"
    program = program.replace("StyleConfig(size=128)", f"StyleConfig(size=64, {layers})").replace("size=128", "size=64")
    # The cache has its own tests; here it would stay on for all later tests of this process.
    execute(program.replace("jaxstyle.enable_cache()", ""), "README.md")
    assert jaxstyle.read_image("python.png").shape[1] == 64


def test_the_job_of_the_batch_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").symlink_to(EXAMPLES / "content" / "cat.jpg")
    (tmp_path / "photos" / "damaged.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "paintings").symlink_to(EXAMPLES / "style")
    monkeypatch.chdir(tmp_path)
    program = python_of("docs/batch.md")
    assert "size=512" in program
    execute(program.replace("size=512", TINY), "docs/batch.md")

    names = [f"cat--{path.stem}.png" for path in sorted((EXAMPLES / "style").glob("*.jpg"))]
    printed = capsys.readouterr().out.splitlines()
    assert f"{len(names)} of {2 * len(names)} pairs to do" in printed
    assert printed[-1] == f"{len(names)} of {2 * len(names)} pairs are done"
    assert sorted(line for line in printed if line.startswith("wrote")) == [f"wrote results/{name}" for name in names]
    assert sum("failed" in line and "damaged.jpg" in line for line in printed) == len(names)
    assert any(line.endswith("32 px, step 3 of 3") for line in printed)
    assert all(max(jaxstyle.read_image(Path("results") / name).shape[:2]) == 32 for name in names)


def test_the_example_of_the_print_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "photo.jpg").symlink_to(EXAMPLES / "content" / "cat.jpg")
    (tmp_path / "painting.jpg").symlink_to(EXAMPLES / "style" / "swirls.jpg")
    monkeypatch.chdir(tmp_path)
    layers = "content_layers=(('relu1_1', 1.0),), style_layers=(('relu1_1', 1.0),)"
    program = python_of("docs/print.md")
    assert "StyleConfig(size=1024)" in program
    program = program.replace("StyleConfig(size=1024)", f"StyleConfig(size=64, steps=3, {layers})")
    execute(program.replace("size=1024", "size=64"), "docs/print.md")
    assert max(jaxstyle.read_image("print.tiff").shape) == 64


def test_files_and_pictures_of_the_readme_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)|src=\"([^\"]+)\"", readme)
    assert len(targets) > 10
    missing = [path for pair in targets for path in pair if path and not (ROOT / path).exists()]
    assert not missing


def test_the_table_of_exit_codes_is_complete():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    classes = [errors.JaxStyleError, *errors.JaxStyleError.__subclasses__()]
    assert documented == {0, 130, *(error.exit_code for error in classes)}
