"""Packages for formats that only some people need, installed as extras."""

import importlib
from typing import Any

from jaxstyle.errors import PictureError


def import_extra(name: str, format_name: str, extra: str) -> Any:
    """Import a module; PictureError, with the command that installs it, if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise PictureError(
            f"is a {format_name} picture, for which a package is missing; "
            f"expected it to be installed: pip install 'jaxstyle[{extra}]', or convert the picture to JPEG"
        ) from None
