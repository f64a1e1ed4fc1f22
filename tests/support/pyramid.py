"""Small pictures with several sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from jaxstyle.images import MIN_SIDE
from jaxstyle.optimization import pyramid


@contextmanager
def sizes_from_32() -> Iterator[None]:
    """Go through sizes from 32 pixels up rather than from 128."""
    with patch.object(pyramid, "_SMALLEST", 32), patch.object(pyramid, "_MIN_SHORT", MIN_SIDE):
        yield
