"""The README says what is true: its Python runs, and its files exist."""

import re
from pathlib import Path

import pytest

import jaxstyle

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("quick_to_compile")
def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All blocks as one program, as a reader would type it, at a size that takes seconds."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    program = "\n".join(blocks("python"))
    assert "size=512" in program
    exec(compile(program.replace("size=512", "size=64"), "README.md", "exec"), {"__name__": "readme"})
    assert jaxstyle.read_image("out.png").shape[1] == 64


def test_files_and_pictures_exist():
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)|src=\"([^\"]+)\"", README)
    assert len(targets) > 10
    missing = [path for pair in targets for path in pair if path and not (ROOT / path).exists()]
    assert not missing
