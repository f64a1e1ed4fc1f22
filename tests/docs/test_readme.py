"""The README says what is true: its Python runs, its options and files exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

import jaxstyle
from jaxstyle.cli.app import app

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


def options_of(command: str) -> set[str]:
    found = get_command(app).commands[command]
    return {option for parameter in found.params for option in parameter.opts if option.startswith("-")} - {"--help"}


def options_told(section: str) -> set[str]:
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `-"))
    return set(re.findall(r"`(--?[a-z-]+)`", table))


def test_options_are_those_of_the_command():
    assert options_told("Use it") == options_of("stylize")


def test_options_for_many_pairs_are_those_that_are_not_for_one():
    own = options_of("batch") - options_of("stylize")
    assert own <= options_told("Many pairs") <= options_of("batch")
    assert options_of("stylize") - options_of("batch") == {"--save-every", "--content-mask", "--style-mask"}
