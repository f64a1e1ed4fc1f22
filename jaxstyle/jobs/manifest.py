"""The pairs of a job: all contents with all styles of two folders, or the rows of a manifest."""

import csv
import difflib
import io
import json
import re
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath
from types import NoneType
from typing import Any

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, PictureError, counted
from jaxstyle.files import check_network, is_saved_style
from jaxstyle.images import WRITABLE, check_format, exists, join_path, path_in_errors
from jaxstyle.jobs.names import check_outputs, name_results, normalize_name
from jaxstyle.jobs.records import STATE_FOLDER
from jaxstyle.options import Options, Settings, format_weighted


def _without_none(type_: Any) -> Any:
    """The type `T` of an annotation `T | None`; other types unchanged."""
    members = [member for member in typing.get_args(type_) if member is not NoneType]
    return members[0] if len(members) == 1 else type_


_TYPES = {name: _without_none(type_) for name, type_ in typing.get_type_hints(Options).items()} | {"size": int}
_COLUMNS = ("content", "style", "output", *_TYPES)


@dataclass(frozen=True)
class Task:
    """A pair to stylize.

    Attributes:
        content: the content picture.
        styles: the style pictures or saved styles.
        settings: the settings.
        output: the path of the result within the folder of the results.
    """

    content: Path
    styles: tuple[Path, ...]
    settings: Settings
    output: PurePath

    @property
    def files(self) -> tuple[Path, ...]:
        """All files to read."""
        return (self.content, *self.styles, *self.settings.files)


@dataclass(frozen=True)
class _Row:
    """A row of a manifest, or a pair of two folders."""

    line: int
    content: Path
    styles: tuple[Path, ...]
    settings: Settings
    output: str | None = None


def pair_up(contents: Sequence[Path], styles: Sequence[Path], options: Options, *, zipped: bool) -> list[Task]:
    """Pair every content with every style, or, `zipped`, the first with the first and so on.

    Raises:
        ConfigError: if there are not equally many to zip, or an option has a value that has no meaning.
    """
    if zipped and len(contents) != len(styles):
        raise ConfigError(
            f"--zip has {counted(len(contents), 'content')} and {counted(len(styles), 'style')}; expected one for each"
        )
    pairs = zip(contents, styles, strict=True) if zipped else ((one, other) for one in contents for other in styles)
    settings = options.settings()
    for style in styles:
        check_styles([style], settings.config)
    return _tasks([_Row(0, content, (style,), settings) for content, style in pairs])


def read_manifest(path: Path, options: Options) -> list[Task]:
    """Read the pairs of a manifest: a CSV file with a header, or JSON lines; see docs/batch.md.

    Args:
        path: the file; paths in it are relative to its folder.
        options: the options of pairs whose row has no other value.

    Raises:
        ConfigError: naming the file, line and column of an error.
    """
    with path_in_errors(path, "read", ConfigError) as file:
        data = file.read_bytes()
        try:
            rows = _rows(data.decode("utf-8-sig"), options, file.parent)
        except UnicodeDecodeError:
            rows = _rows_with_names_of_bytes(data, options, file.parent)
        if not rows:
            raise ConfigError("has no pairs; expected a header and a row for each pair, or a JSON object for each pair")
        return _tasks(rows)


def _rows(text: str, options: Options, folder: Path) -> list[_Row]:
    lines = _json_lines(text) if text.lstrip().startswith(("{", "[")) else _csv_lines(text)
    return [_row(line, cells, options, folder) for line, cells in lines]


def _rows_with_names_of_bytes(data: bytes, options: Options, folder: Path) -> list[_Row]:
    """The rows of a manifest that is not UTF-8, because names of files are not; ConfigError if these do not exist."""
    not_text = ConfigError("is not UTF-8 text; expected CSV or JSON lines: save it as UTF-8")
    try:
        rows = _rows(data.decode("utf-8-sig", "surrogateescape"), options, folder)
    except ConfigError:
        raise not_text from None
    if not all(exists(file) for row in rows for file in (row.content, *row.styles)):
        raise not_text
    return rows


def _csv_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                if len(cells) == 1 and (separator := re.search("[;\t|]", cells[0])):
                    found = f"line {reader.line_num} is {cells[0]!r}, with {separator[0]!r} between the cells"
                    raise ConfigError(f"{found}; expected commas: save the table as CSV with commas")
                header = [match_column(f"line {reader.line_num} has a column", cell) for cell in cells]
                _check_header(reader.line_num, header)
                continue
            if len(cells) != len(header):
                found = f"has {counted(len(cells), 'cell')} for {counted(len(header), 'column')}"
                raise ConfigError(f"line {reader.line_num} {found}; expected one for each (quote text that has commas)")
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise ConfigError(
            f"line {reader.line_num} is not CSV ({error}); quote text that has commas or quotes"
        ) from None


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            found = f"{error.msg}, at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise ConfigError(f"line {number} is not JSON ({found}); expected an object on a line of its own") from None
        if not isinstance(found, dict):
            raise ConfigError(f"line {number} is a {type(found).__name__}; expected an object on a line of its own")
        header = [match_column(f"line {number} has a column", name) for name in found]
        _check_header(number, header)
        yield number, dict(zip(header, found.values(), strict=True))


def match_column(where: str, name: str, known: Collection[str] = _COLUMNS) -> str:
    """The column, or option, of this name; ConfigError, beginning with `where`, if there is none."""
    column = name.strip().lower().replace("-", "_")
    if column not in known:
        nearest = difflib.get_close_matches(column, known, n=1)
        advice = f"the nearest is {nearest[0]!r}" if nearest else f"expected one of {', '.join(known)}"
        raise ConfigError(f"{where} {name!r}, which is not an option; {advice}")
    return column


def _check_header(line: int, header: Sequence[str]) -> None:
    for column in ("content", "style"):
        if column not in header:
            raise ConfigError(f"line {line} has no {column!r} among {', '.join(header)}; expected content and style")
    if twice := {column for column in header if header.count(column) > 1}:
        raise ConfigError(f"line {line} has {', '.join(sorted(twice))} twice; expected each column once")


def _row(line: int, cells: Mapping[str, Any], options: Options, folder: Path) -> _Row:
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        values[column] = parse_cell(f"line {line}, column {column}", column, cell, folder)
    for column in ("content", "style"):
        if not values.get(column):
            raise ConfigError(f"line {line}, column {column} is empty; expected {_expected(column)}")
    content, styles, output = values.pop("content"), values.pop("style"), values.pop("output", None)
    try:
        settings = _settings(replace(options, **values) if values else options, folder if "init" in values else Path())
        check_styles(styles, settings.config)
        check_network(settings.network, None)
        if (weights := values.get("weights")) and not exists(weights):
            raise ConfigError(f"weights file {weights} does not exist; expected one from jaxstyle weights convert")
        if output is not None:
            check_format(PurePath(output), bits=settings.file.bits)
    except (ConfigError, PictureError) as error:
        raise ConfigError(f"line {line}: {error}") from None
    return _Row(line, content, styles, settings, output)


@lru_cache  # most rows have the settings of other rows
def _settings(options: Options, folder: Path) -> Settings:
    return options.settings(folder=folder)


def check_styles(styles: Sequence[Path], config: StyleConfig) -> None:
    """Raise ConfigError if the settings do not fit the number of styles, or need a picture of a saved style."""
    config.of_each_style(len(styles))
    if config.style_blend and len(config.style_blend) != len(styles):
        raise ConfigError(
            f"style_blend has {counted(len(config.style_blend), 'weight')} for "
            f"{counted(len(styles), 'style')}; expected one for each"
        )
    if dict(config.init).get("style") and is_saved_style(styles[0]):
        raise ConfigError(f"init has 'style', but {styles[0]} is a saved style without a picture; choose another init")


def parse_cell(where: str, column: str, cell: Any, folder: Path) -> Any:
    """The value of a cell in a column, or of an option; ConfigError, beginning with `where`, if it has no meaning."""
    try:
        return _value(column, cell, folder)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{where}: {cell!r}; expected {_expected(column)}") from None


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
    return str(output) if inside and output.suffix.lower() in WRITABLE else _reject()


def _reject() -> typing.NoReturn:
    raise ValueError


def _expected(column: str) -> str:
    if column == "output":
        return (
            f"a path within the folder of the results, outside {STATE_FOLDER}, that ends in one of {' '.join(WRITABLE)}"
        )
    if column == "style":
        return "a file, or several separated by ; (in JSON, a list)"
    return {int: "a whole number", float: "a number", str: "text"}.get(_TYPES.get(column, Path), "a file")


def _tasks(rows: Sequence[_Row]) -> list[Task]:
    """The pairs of all rows, each with a unique name for its result."""
    check_outputs([(row.line, row.output) for row in rows if row.output is not None])
    names = name_results([row.content for row in rows], [row.styles for row in rows], [row.output for row in rows])
    return [Task(row.content, row.styles, row.settings, PurePath(name)) for row, name in zip(rows, names, strict=True)]
