"""What `--help` and the documentation say of an option, in the metadata of its field."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Help:
    """How `--help` shows an option.

    Attributes:
        text: what the option changes.
        group: the heading under which it is listed; None for the first group.
        metavar: the placeholder for its value.
        choices: the values to complete.
        default: how the default is shown, if not as its value.
    """

    text: str
    group: str | None = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None


def described(
    text: str,
    group: str | None = None,
    *,
    metavar: str | None = None,
    choices: Sequence[str] = (),
    default: str | None = None,
) -> dict[str, Help]:
    """The metadata of a field."""
    return {"help": Help(text, group, metavar or "|".join(choices) or None, tuple(choices), default)}
