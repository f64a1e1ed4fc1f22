"""Run the command `jaxstyle` within the process of the tests, with a fast stand-in for `stylize` if needed."""

import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from unittest.mock import patch

import jax
import numpy as np
import pytest
from support.examples import EXAMPLES

from jaxstyle.__main__ import main
from jaxstyle.cli import jax_config, progress
from jaxstyle.images import fit_shape
from jaxstyle.optimization import STEPS_PER_CALL, Progress, Terms, schedule
from jaxstyle.stylize import Stylized

progress._INTERVAL = 3600.0  # on a busy machine, tests of commands can take more than 10 s

CONTENT, STYLE = EXAMPLES / "content" / "harbour.jpg", EXAMPLES / "style" / "swirls.jpg"
# Shallow layers, which compile in a second.
QUICK = ("--size", 64, "--steps", 12, "--optimizer", "adam", "--content-layers", "relu1_1", "--style-layers", "relu1_1")


@dataclass(frozen=True)
class Outcome:
    """The exit code of a command and what it printed."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def signal_handlers_restored() -> Iterator[None]:
    """Restore the handlers of the signals that a command handles to its end."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


def run(*arguments: object, stderr: io.StringIO | None = None) -> Outcome:
    """Run `jaxstyle ARGUMENTS`, without configuring JAX, which all tests share."""
    out, err = io.StringIO(), stderr or io.StringIO()
    with (
        signal_handlers_restored(),
        patch.object(sys, "argv", ["jaxstyle", *map(str, arguments)]),
        patch.object(jax_config, "configure_jax"),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as exited,
    ):
        main()
    assert isinstance(exited.value.code, int)
    return Outcome(exited.value.code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> str:
    """Run a command that must exit with 0 and print nothing on stderr; return its output."""
    outcome = run(*arguments)
    assert (outcome.code, without_progress(outcome.err)) == (0, "")
    return outcome.out


def without_progress(err: str) -> str:
    """What a command printed to stderr, without the lines of its progress and of the end of a job."""
    progress = r"jaxstyle: (\d+ px \(|\d+/\d+ pairs?|replacing \d+ result|(\d+) of \2 pairs? (is|are) done)"
    return "".join(line for line in err.splitlines(keepends=True) if not re.match(progress, line))


def fake_stylize(end: Callable[[], None] = lambda: None):
    """Make a stand-in for `stylize` that computes nothing, returns the content, and calls `end` before it returns.

    It calls the callback as often as `stylize` does. The pictures are gray; their level is the share of the steps that
    were taken at this size.
    """

    def stylize(content, styles, *, config, callback, **_):
        levels = schedule(config, *content.shape[:2])
        total = sum(steps for _, steps in levels)
        history = Terms(*(np.linspace(index + 1, 0.5, total) for index in range(6)))
        taken = 0
        for level, (size, steps) in enumerate(levels):
            shape = *fit_shape(*content.shape[:2], size), 3
            for step in [*range(0, steps, STEPS_PER_CALL), steps]:
                terms = Terms(*np.arange(6.0) + step) if step else None
                picture = np.full(shape, step / steps, np.float32)
                losses = Terms(*(values[: taken + step] for values in jax.tree.leaves(history)))
                state = SimpleNamespace(picture=picture)
                callback(Progress(size, level, len(levels), step, steps, terms, losses, state))
            taken += steps
        end()
        return Stylized(content[..., :3], history, np.repeat(*np.transpose(levels)), config)

    return stylize
