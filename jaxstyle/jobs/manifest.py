"""Read the pairs of a job from a manifest: a table in CSV, or JSON lines."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Any

from jaxstyle.errors import ConfigError, PictureError, counted
from jaxstyle.files import check_network
from jaxstyle.images import check_format, exists, path_in_errors
from jaxstyle.jobs.cells import describe_expected, match_column, parse_cell
from jaxstyle.jobs.tasks import Row, Task, check_styles, name_tasks
from jaxstyle.options import Options, Settings

# Encodings by their byte order marks, as spreadsheets and PowerShell write them; that of UTF-32 begins as UTF-16's.
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


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
            rows = _rows(_decode(data), options, file.parent)
        except UnicodeDecodeError as error:
            rows = _rows_with_names_of_bytes(error, options, file.parent)
        if not rows:
            raise ConfigError("has no pairs; expected a header and a row for each pair, or a JSON object for each pair")
        return name_tasks(rows)


def _decode(data: bytes) -> str:
    """The text of a manifest in UTF-8, or in the encoding whose byte order mark it begins with.

    Raises:
        UnicodeDecodeError: if it is not UTF-8.
        ConfigError: if it is in UTF-16 or UTF-32 without such a mark, or damaged.
    """
    encoding = next((encoding for mark, encoding in _ENCODINGS.items() if data.startswith(mark)), None)
    if encoding is None:
        if b"\0" in data:
            found = "has zero bytes, as UTF-16 text without a byte order mark has"
            raise ConfigError(f"{found}; expected UTF-8: save it as UTF-8")
        return data.decode("utf-8-sig")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"has the byte order mark of {encoding.upper()}, but is something else ({error.reason})"
        raise ConfigError(f"{found}; expected CSV or JSON lines: save it as UTF-8") from None


def _rows(text: str, options: Options, folder: Path) -> list[Row]:
    lines = _json_lines(text) if text.lstrip().startswith(("{", "[")) else _csv_lines(text)
    return [_row(line, cells, options, folder) for line, cells in lines]


def _rows_with_names_of_bytes(error: UnicodeDecodeError, options: Options, folder: Path) -> list[Row]:
    """The rows of a manifest that is not UTF-8, because names of files are not; ConfigError if these do not exist."""
    line = error.object[: error.start].count(b"\n") + 1
    not_text = ConfigError(f"is not UTF-8 text (line {line}); expected CSV or JSON lines: save it as UTF-8")
    try:
        rows = _rows(error.object.decode("utf-8-sig", "surrogateescape"), options, folder)
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
            found = json.loads(line, object_pairs_hook=partial(_object, number))
        except ConfigError:
            raise
        except (ValueError, RecursionError) as error:
            found = f"{error.msg}, at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise ConfigError(f"line {number} is not JSON ({found}); expected an object on a line of its own") from None
        if not isinstance(found, dict):
            raise ConfigError(f"line {number} is a {type(found).__name__}; expected an object on a line of its own")
        header = [match_column(f"line {number} has a column", name) for name in found]
        _check_header(number, header)
        yield number, dict(zip(header, found.values(), strict=True))


def _object(line: int, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ConfigError for a name that occurs twice, of which JSON's reader keeps only the last value."""
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"line {line} has {twice} twice; expected each name once")
    return dict(pairs)


def _check_header(line: int, header: Sequence[str]) -> None:
    for column in ("content", "style"):
        if column not in header:
            raise ConfigError(f"line {line} has no {column!r} among {', '.join(header)}; expected content and style")
    if twice := {column for column in header if header.count(column) > 1}:
        raise ConfigError(f"line {line} has {', '.join(sorted(twice))} twice; expected each column once")


def _row(line: int, cells: Mapping[str, Any], options: Options, folder: Path) -> Row:
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        values[column] = parse_cell(f"line {line}, column {column}", column, cell, folder)
    for column in ("content", "style"):
        if not values.get(column):
            raise ConfigError(f"line {line}, column {column} is empty; expected {describe_expected(column)}")
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
        of_column = re.match(r"(?:--)?(\w+) (?:is|has) ", str(error))
        if of_column and of_column[1] in cells:
            raise ConfigError(f"line {line}, column {str(error).removeprefix('--')}") from None
        raise ConfigError(f"line {line}: {error}") from None
    return Row(line, content, styles, settings, output)


@lru_cache  # most rows have the settings of other rows
def _settings(options: Options, folder: Path) -> Settings:
    return options.settings(folder=folder)
