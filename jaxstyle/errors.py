"""Every error that jaxstyle raises on purpose, in one tree.

Messages are one line each and say what was found, what was expected and what to do. The command line prints
that line and exits with the kind's `exit_code`; nothing below it ever needs a traceback.

    JaxStyleError
    ├── PictureError     a picture cannot be read, is too small, or cannot be written
    ├── WeightsError     a weights file is missing, damaged, or does not fit its network
    ├── StyleError       a saved style cannot be read, is damaged, or cannot be written
    ├── ConfigError      a setting is unknown, out of range, or contradicts another
    └── DivergedError    the optimization left the finite numbers and could not be brought back
"""


class JaxStyleError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class PictureError(JaxStyleError):
    """A picture cannot be read, is too small, or cannot be written."""

    exit_code = 3


class WeightsError(JaxStyleError):
    """A weights file is missing, damaged, or does not fit its network."""

    exit_code = 4


class StyleError(JaxStyleError):
    """A saved style cannot be read, is damaged, or cannot be written."""

    exit_code = 6


class ConfigError(JaxStyleError, ValueError):
    """A setting is unknown, out of range, or contradicts another."""

    exit_code = 2


class DivergedError(JaxStyleError):
    """The optimization left the finite numbers and could not be brought back."""

    exit_code = 5
