"""`--help` of every command: placeholders instead of types, complete texts, and example commands that exist."""

import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from support.command import run, succeed
from typer.main import get_command

from jaxstyle.cli.app import SUMMARIES, app
from jaxstyle.jobs import parse_axis
from jaxstyle.options import Options

TYPE_NAMES = ("<", "bool", "int range", "float", "list[", "Path", "None")


def commands(command: Any = None, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """`jaxstyle` and all commands below it, with their names."""
    command = command or get_command(app)
    yield names, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, *names, name)


COMMANDS = dict(commands())
EXAMPLES = [
    (names, line)
    for names, command in COMMANDS.items()
    for line in (command.epilog or "").splitlines()
    if line.startswith("jaxstyle ")
]
of_every_command = pytest.mark.parametrize("names", COMMANDS, ids=lambda names: " ".join(("jaxstyle", *names)))


@of_every_command
class TestEveryCommand:
    def test_has_examples(self, names: tuple[str, ...]) -> None:
        """They are printed as they are, and at least one of them is for this command."""
        lines = [line for owner, line in EXAMPLES if owner == names]
        assert any(line.startswith(" ".join(("jaxstyle", *names))) for line in lines)
        out = succeed(*names, "--help")
        assert all(f"    {line}\n" in out for line in lines)

    def test_describes_every_parameter(self, names: tuple[str, ...]) -> None:
        for parameter in COMMANDS[names].params:
            assert parameter.help and parameter.help.endswith("."), parameter.name

    def test_has_placeholders_and_no_types(self, names: tuple[str, ...]) -> None:
        for parameter in COMMANDS[names].params:
            assert getattr(parameter, "is_flag", False) or parameter.metavar, parameter.name
            placeholder = parameter.metavar or ""
            assert not any(name in placeholder for name in TYPE_NAMES)
        out = succeed(*names, "--help")
        assert not any(f"<{name}" in out for name in ("bool", "int", "float", "str", "list", "path"))

    @pytest.mark.parametrize("columns", [60, 80, 100])
    def test_fits_the_terminal(self, names: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Except for example commands, which have to be copied."""
        monkeypatch.setenv("COLUMNS", str(columns))
        lines, _, examples = succeed(*names, "--help").partition("\nExamples:\n")
        assert max(len(line) for line in lines.splitlines()) <= columns
        assert max(len(line) for line in examples.splitlines()) <= 100


@pytest.mark.parametrize(("names", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_are_valid(names: tuple[str, ...], line: str) -> None:
    """Their commands and options exist, and their values are valid. Nothing is read or computed."""
    _, *words = shlex.split(line)
    command: Any = get_command(app)
    while "commands" in vars(command):
        command = command.commands[words.pop(0)]
    if words == ["--help"]:
        return
    parameters = command.make_context(command.name, words).params
    options = {field.name for field in fields(Options)} & parameters.keys()
    Options(**{name: parameters[name] for name in options}).settings()
    for flag in ("rows", "columns"):
        if parameters.get(flag):
            axis = parse_axis(f"--{flag}", parameters[flag])
            assert all(axis.vary(Options(), value).settings() for value in axis.values)


@pytest.mark.parametrize("command", ["stylize", "texture", "batch", "grid", "export"])
def test_most_used_options_come_first(command: str) -> None:
    options = [option.opts[-1] for option in COMMANDS[(command,)].params if option.param_type_name == "option"]
    assert options[:3] == ["--output", "--size", "--steps"]


def test_groups_and_defaults() -> None:
    out = succeed("stylize", "--help")
    for words in ("\nPicture:\n", "\nStyle:\n", "\nOptimization:\n", "\nNetwork:\n", "lbfgs|adam", "[default: 512]"):
        assert words in out
    assert out.startswith("Usage: jaxstyle stylize CONTENT STYLE... -o OUT [OPTIONS]\n")


def test_option_names_and_defaults_are_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = succeed("stylize", "--help")
    for words in ("--style-mask", "[default: equal shares]", "NAME=WEIGHT"):
        assert words in out
    assert not any(line.rstrip().endswith("-") for line in out.splitlines())


@pytest.mark.parametrize("names", [names for names, command in COMMANDS.items() if "commands" in vars(command)])
def test_group_without_a_command_prints_its_help(names: tuple[str, ...]) -> None:
    outcome = run(*names)
    assert (outcome.code, outcome.err, outcome.out) == (2, "", succeed(*names, "--help"))


def test_summaries_are_the_first_sentences_of_the_help() -> None:
    found = {name: command.help.split("\n\n")[0] for name, command in get_command(app).commands.items()}
    assert found == SUMMARIES
