"""Checks of arguments: each raises ConfigError with the name of the argument, what it is, and what was expected."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from jaxstyle.errors import ConfigError, escape_unprintable

MAX_SEED = 2**32 - 1  # of larger ones, JAX uses only the last 32 bits
_MAX_LENGTH = 80  # of a value in an error


def describe_value(value: Any) -> str:
    """The value in an error, on one line; the type of a value that is long."""
    text = str(value) if isinstance(value, Real) else escape_unprintable(repr(value))
    return text if len(text) <= _MAX_LENGTH else f"of the type {type(value).__name__}"


def check_type(name: str, value: Any, expected_type: type | tuple[type, ...], expected: str) -> None:
    """Check that an argument is of this type, or one of these; `expected` says it in the error."""
    if not isinstance(value, expected_type):
        raise ConfigError(f"{name} is {describe_value(value)}; expected {expected}")


def check_choice(name: str, value: Any, known: Iterable[str]) -> None:
    """Check that an argument is one of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{name} is {describe_value(value)}; expected one of {', '.join(known)}")


def check_count(name: str, value: Any, *, most: int | None = None) -> None:
    """Check that an argument is a whole number from 1 up, or to the most."""
    if not _is_whole(value) or value < 1 or (most is not None and value > most):
        bound = "up" if most is None else f"to {most}"
        raise ConfigError(f"{name} is {describe_value(value)}; expected a whole number from 1 {bound}")


def check_seed(seed: Any, name: str = "seed") -> None:
    """Check that an argument is a seed of random numbers."""
    if not _is_whole(seed) or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"{name} is {describe_value(seed)}; expected a whole number from 0 to {MAX_SEED}")


def check_callback(callback: Any) -> None:
    """Check that an argument is a function, or None."""
    if callback is not None and not callable(callback):
        raise ConfigError(f"callback is {describe_value(callback)}; expected a function, or None")


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
