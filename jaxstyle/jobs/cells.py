"""The values of options in the cells of a manifest, and along the axes of a grid."""

import difflib
import typing
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path, PurePath
from types import NoneType
from typing import Any

from jaxstyle.errors import ConfigError
from jaxstyle.images import WRITABLE, exists, join_path
from jaxstyle.jobs.names import is_portable, normalize_name
from jaxstyle.jobs.records import STATE_FOLDER
from jaxstyle.options import Options, format_weighted


def _without_none(type_: Any) -> Any:
    """The type `T` of an annotation `T | None`; other types unchanged."""
    members = [member for member in typing.get_args(type_) if member is not NoneType]
    return members[0] if len(members) == 1 else type_


_TYPES = {name: _without_none(type_) for name, type_ in typing.get_type_hints(Options).items()} | {"size": int}
_COLUMNS = ("content", "style", "output", *_TYPES)


def match_column(where: str, name: str, known: Collection[str] = _COLUMNS) -> str:
    """The column, or option, of this name; ConfigError, beginning with `where`, if there is none."""
    column = name.strip().lower().replace("-", "_")
    if column not in known:
        nearest = difflib.get_close_matches(column, known, n=1)
        advice = f"the nearest is {nearest[0]!r}" if nearest else f"expected one of {', '.join(known)}"
        raise ConfigError(f"{where} {name!r}, which is not an option; {advice}")
    return column


def parse_cell(where: str, column: str, cell: Any, folder: Path) -> Any:
    """The value of a cell in a column, or of an option; ConfigError, beginning with `where`, if it has no meaning."""
    try:
        return _value(column, cell, folder)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{where}: {cell!r}; expected {describe_expected(column)}") from None


def _value(column: str, cell: Any, folder: Path) -> Any:
    """The value of a cell in a column; ValueError or TypeError if it has no meaning there."""
    if column == "style":
        if isinstance(cell, str):
            is_one = ";" not in cell or exists(_file(cell, folder))
            cell = [cell] if is_one else cell.split(";")
        return tuple(_file(name, folder) for name in (cell if isinstance(cell, list) else _reject()))
    if column == "output":
        return _output(cell)
    type_ = _TYPES.get(column, Path)
    if type_ is Path:
        return _file(cell, folder)
    if isinstance(cell, bool):
        _reject()
    if type_ is str:
        return _text(cell)
    if isinstance(cell, str | int | float):
        number = type_(cell)
        return number if isinstance(cell, str) or number == cell else _reject()
    return _reject()


def _text(cell: Any) -> str:
    """The text of an option; in JSON, lists and objects may stand for lists and weights."""
    if isinstance(cell, dict):
        return format_weighted(tuple((name, float(weight)) for name, weight in cell.items()))
    if isinstance(cell, list):
        return ",".join(_text(item) for item in cell)
    return str(cell).strip() if isinstance(cell, str | int | float) else _reject()


def _file(cell: Any, folder: Path) -> Path:
    if not isinstance(cell, str) or not cell.strip() or "\0" in cell:
        _reject()
    return _joined(folder, cell.strip())


@lru_cache(2**14)  # one object for the same file in many rows, with one hash
def _joined(folder: Path, name: str) -> Path:
    return join_path(folder, name)


def _output(cell: Any) -> str:
    output = PurePath(cell.strip() if isinstance(cell, str) and "\0" not in cell else _reject())
    is_hidden = bool(output.parts) and normalize_name(output.parts[0]) == STATE_FOLDER
    inside = not output.is_absolute() and ".." not in output.parts and not is_hidden
    inside = inside and all(map(is_portable, output.parts))
    return str(output) if inside and output.suffix.lower() in WRITABLE else _reject()


def _reject() -> typing.NoReturn:
    raise ValueError


def describe_expected(column: str) -> str:
    """What a column may hold, in words."""
    if column == "output":
        return (
            f"a path within the folder of the results, outside {STATE_FOLDER}, that ends in one of {' '.join(WRITABLE)}"
            " (names such as CON and names that end in a dot are for no file on Windows)"
        )
    if column == "style":
        return "a file, or several separated by ; (in JSON, a list)"
    return {int: "a whole number", float: "a number", str: "text"}.get(_TYPES.get(column, Path), "a file")
