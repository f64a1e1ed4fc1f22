"""Names of files with characters that move a terminal's cursor, and names that are taken: what commands say of them."""

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from support.command import CONTENT, STYLE, Outcome, Terminal, fake_stylize, run

from jaxstyle.cli import interrupts
from jaxstyle.cli.job import exit_unless_done
from jaxstyle.cli.messages import print_path, print_warnings
from jaxstyle.jobs import Cost, Summary

NAME, ESCAPED = "a\x1b[2J\nb", r"a\x1b[2J\nb"


def stylized(monkeypatch: pytest.MonkeyPatch, content: Path, out: Path, **options) -> Outcome:
    """A run with a stand-in for `stylize`, during which another program writes `out`."""
    monkeypatch.setattr("jaxstyle.cli.run.stylize", fake_stylize(lambda: out.write_text("precious")))
    return run("stylize", content, STYLE, "-o", out, "--size", 64, "--steps", 1, **options)


def test_a_name_that_was_taken_meanwhile(tmp_path, monkeypatch):
    out, second, third = (tmp_path / f"{NAME}{end}.png" for end in ("", "-2", "-3"))
    second.write_text("precious, too")
    outcome = stylized(monkeypatch, CONTENT, out)
    line = f"{tmp_path}/{ESCAPED}.png has appeared meanwhile; the result is in {tmp_path}/{ESCAPED}-3.png"
    assert outcome == Outcome(0, f"{third}\n", f"jaxstyle: {line}\n")
    assert (out.read_text(), second.read_text()) == ("precious", "precious, too")
    assert third.read_bytes().startswith(b"\x89PNG")


def test_the_title_on_a_terminal(tmp_path, monkeypatch):
    content = tmp_path / f"{NAME}.jpg"
    content.write_bytes(CONTENT.read_bytes())
    outcome = stylized(monkeypatch, content, tmp_path / "out.png", stderr=Terminal())
    assert outcome.err.startswith(f"{ESCAPED}.jpg at 64 x 49 pixels")


def test_the_line_of_an_interrupt(monkeypatch, capsys):
    monkeypatch.setattr(os, "_exit", lambda code: None)
    with interrupts.on_interrupt(lambda: f"stopped; see {NAME}"):
        interrupts._end()
    assert capsys.readouterr().err == f"jaxstyle: stopped; see {ESCAPED}\n"


@pytest.mark.parametrize(("stdout", "printed"), [(StringIO, NAME), (Terminal, ESCAPED)])
def test_the_path_of_a_result_is_exact_for_programs(stdout, printed):
    with redirect_stdout(stdout()) as out:
        print_path(Path(NAME))
    assert out.getvalue() == f"{printed}\n"


def test_warnings_and_the_end_of_a_job(capsys):
    print_warnings(f"{NAME} is small", f"{NAME} is small")
    exit_unless_done(Summary("0/1", 1, 1, 0, [], 0, NAME, NAME, 1.0, Cost(1, 90.0, 7.2e6), 1.0, {}))
    assert capsys.readouterr().err == (
        f"jaxstyle: warning: {ESCAPED} is small\njaxstyle: 1 of 1 pair is done; "
        f"1 a minute, 1:30 of device time and 2 kWh; see {ESCAPED}\n"
    )


def test_skipped_files(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "notes.txt").touch()
    (folder / "a.jpg").write_text("no picture")
    outcome = run("batch", "--content", folder, "--style", STYLE, "-o", folder)
    lines = outcome.err.splitlines()
    assert lines[0] == f"jaxstyle: skipped 1 file in {tmp_path}/{ESCAPED} whose suffix is not that of a picture"
    assert outcome.code == 2 and "has pictures to read in it" in lines[1] and len(lines) == 2
