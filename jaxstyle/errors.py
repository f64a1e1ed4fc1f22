"""The errors that jaxstyle raises.

Each message is one line that says what was found, what was expected, and what to do. The command line prints the
message without a traceback and exits with the `exit_code` of the error's class.

    JaxStyleError
    ├── PictureError     a picture cannot be read, is too small, or cannot be written
    ├── WeightsError     a weights file is missing, damaged, does not fit its network, or cannot be written
    ├── StyleError       a saved style cannot be read, is damaged, or cannot be written
    ├── ConfigError      a setting is unknown, out of range, or contradicts another; also in a manifest
    ├── DivergedError    the optimization diverged, and retries did not help
    └── MemoryLimitError a picture of this size needs more memory than there is
"""


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}{'s'[: number != 1]}"


def escape_unprintable(text: str) -> str:
    """Replace unprintable characters by escape sequences: some of them could move a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class JaxStyleError(Exception):
    """The base class of all errors that jaxstyle raises."""

    exit_code = 1


class PictureError(JaxStyleError):
    """A picture cannot be read, is too small, or cannot be written."""

    exit_code = 3


class WeightsError(JaxStyleError):
    """A weights file is missing, damaged, does not fit its network, or cannot be written."""

    exit_code = 4


class StyleError(JaxStyleError):
    """A saved style cannot be read, is damaged, or cannot be written."""

    exit_code = 6


class ConfigError(JaxStyleError, ValueError):
    """A setting is unknown, out of range, or contradicts another."""

    exit_code = 2


class DivergedError(JaxStyleError):
    """The optimization diverged, and retries did not help."""

    exit_code = 5


class MemoryLimitError(JaxStyleError):
    """A picture of this size needs more memory than there is; the message has the largest size that fits."""
