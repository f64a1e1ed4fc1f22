"""Which pairs a job has: all contents with all styles of two folders, or the lines of a manifest."""

import csv
import difflib
import glob
import io
import json
import re
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import NoneType
from typing import Any

from jaxstyle.cli.inputs import is_saved
from jaxstyle.cli.job.names import folded, name_results
from jaxstyle.cli.options import written
from jaxstyle.cli.settings import Options, Settings
from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError
from jaxstyle.files import naming
from jaxstyle.images import WRITABLE

# What counts as a picture in a folder by its name, including what has to be converted and is reported then.
_PICTURE = re.compile(
    r"\.(a?png|jpe?g?|jfif|webp|tiff?|bmp|dib|gif|avif|jp[2xfc]|j2k|p[pgbn]m|pfm"
    r"|hei[cf]|jxl|psd|tga|svg|exr|dng|cr[23]|nef|arw|orf|rw2|raf)",
    re.IGNORECASE,
)
_KINDS = typing.get_type_hints(Options)
_COLUMNS = ("content", "style", "output", *_KINDS)


@dataclass(frozen=True)
class Task:
    """A pair to stylise.

    Attributes:
        content, styles: the files.
        settings: how.
        output: where the result goes, within the folder of the results.
    """

    content: Path
    styles: tuple[Path, ...]
    settings: Settings
    output: PurePath

    @property
    def files(self) -> tuple[Path, ...]:
        """All that have to be read."""
        return (self.content, *self.styles, *([self.settings.start] if self.settings.start else []))


@dataclass(frozen=True)
class _Row:
    """A line of a manifest, or what stands for one."""

    line: int
    content: Path
    styles: tuple[Path, ...]
    settings: Settings
    output: str | None = None


def find_pictures(option: str, pattern: str, *, styles: bool = False) -> tuple[list[Path], int]:
    """The pictures in a folder, or whatever a pattern matches, in order; and how many other files are left out.

    Raises:
        ConfigError: naming the option, if there are none.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        there = sorted(each for each in path.iterdir() if not each.name.startswith("."))
        files = [each for each in there if _PICTURE.fullmatch(each.suffix) or (styles and is_saved(each))]
        others = sum(not each.is_dir() for each in there if each not in set(files))
    else:
        files = [path] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))
        others = 0
    if not files:
        raise ConfigError(
            f"{option} has {pattern!r}, where there is no picture; expected a folder or a pattern of files"
        )
    return files, others


def pair_up(contents: Sequence[Path], styles: Sequence[Path], options: Options, *, zipped: bool) -> list[Task]:
    """Every content with every style, or, zipped, the first with the first and so on.

    Raises:
        ConfigError: if there are not as many to zip; if the options cannot be meant.
    """
    if zipped and len(contents) != len(styles):
        raise ConfigError(f"--zip has {len(contents)} contents and {len(styles)} styles; expected one for each")
    pairs = zip(contents, styles, strict=True) if zipped else ((one, other) for one in contents for other in styles)
    settings = options.settings()
    for style in styles:
        check_styles([style], settings.config)
    return _tasks([_Row(0, content, (style,), settings) for content, style in pairs])


def read_manifest(path: Path, options: Options) -> list[Task]:
    """The pairs of a manifest: a CSV file with a head, or JSON lines; see docs/batch.md.

    Args:
        path: the file; names in it are relative to its folder.
        options: what holds where a line has nothing else.

    Raises:
        ConfigError: naming file, line and column of what is wrong.
    """
    with naming(path, "read", ConfigError) as file:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError("is no text in UTF-8; expected CSV or JSON lines: save it as UTF-8") from None
        lines = _json_lines(text) if text.lstrip().startswith(("{", "[")) else _csv_lines(text)
        rows = [_row(line, cells, options, file.parent) for line, cells in lines]
        if not rows:
            raise ConfigError("has no pairs; expected a line for each under a head, or an object for each")
        return _tasks(rows)


def _csv_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not head:
                head = [column_of(f"line {reader.line_num} has a column", cell) for cell in cells]
                _check_head(reader.line_num, head)
                continue
            if len(cells) != len(head):
                found = f"has {len(cells)} cells under {len(head)} columns"
                raise ConfigError(f"line {reader.line_num} {found}; expected as many (quote text that has commas)")
            yield reader.line_num, dict(zip(head, cells, strict=True))
    except csv.Error as error:
        raise ConfigError(f"line {reader.line_num} is no CSV ({error}); quote text that has commas or quotes") from None


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"line {number} is no JSON ({error}); expected an object on a line of its own") from None
        if not isinstance(found, dict):
            raise ConfigError(f"line {number} is a {type(found).__name__}; expected an object on a line of its own")
        head = [column_of(f"line {number} has a column", name) for name in found]
        _check_head(number, head)
        yield number, dict(zip(head, found.values(), strict=True))


def column_of(where: str, name: str, known: Collection[str] = _COLUMNS) -> str:
    """The column, or option, that is called so; ConfigError, beginning with where that is, if there is none."""
    column = name.strip().lower().replace("-", "_")
    if column not in known:
        nearest = difflib.get_close_matches(column, known, n=1, cutoff=0)[0]
        raise ConfigError(f"{where} {name!r}, which is no option; the nearest is {nearest!r}")
    return column


def _check_head(line: int, head: Sequence[str]) -> None:
    for column in ("content", "style"):
        if column not in head:
            raise ConfigError(f"line {line} has no {column!r} among {', '.join(head)}; expected content and style")
    if twice := {column for column in head if head.count(column) > 1}:
        raise ConfigError(f"line {line} has {', '.join(sorted(twice))} twice; expected each column once")


def _row(line: int, cells: Mapping[str, Any], options: Options, folder: Path) -> _Row:
    values: dict[str, Any] = {}
    for column, cell in cells.items():
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            continue
        values[column] = read_cell(f"line {line}, column {column}", column, cell, folder)
    for column in ("content", "style"):
        if not values.get(column):
            raise ConfigError(f"line {line}, column {column} is empty; expected {_expected(column)}")
    content, styles, output = values.pop("content"), values.pop("style"), values.pop("output", None)
    try:
        settings = replace(options, **values).settings(folder=folder if "init" in values else Path())
        check_styles(styles, settings.config)
    except ConfigError as error:
        raise ConfigError(f"line {line}: {error}") from None
    return _Row(line, content, styles, settings, output)


def check_styles(styles: Sequence[Path], config: StyleConfig) -> None:
    """Raise ConfigError if the settings ask for what these styles cannot give, whatever is in the files."""
    if config.style_blend and len(config.style_blend) != len(styles):
        raise ConfigError(
            f"style_blend has {len(config.style_blend)} weights for {len(styles)} styles; expected as many"
        )
    if dict(config.init).get("style") and is_saved(styles[0]):
        raise ConfigError(
            f"init has 'style', but {styles[0]} is a saved one, of which there is no picture; use another"
        )


def read_cell(where: str, column: str, cell: Any, folder: Path) -> Any:
    """What a cell means in a column, or as an option; ConfigError, beginning with where that is, if nothing."""
    try:
        return _value(column, cell, folder)
    except (ValueError, TypeError, OverflowError):
        raise ConfigError(f"{where}: {cell!r}; expected {_expected(column)}") from None


def _value(column: str, cell: Any, folder: Path) -> Any:
    """What a cell means in a column; ValueError or TypeError if it means nothing there."""
    if column == "style":
        names = cell.split(";") if isinstance(cell, str) else cell if isinstance(cell, list) else _refuse()
        return tuple(_file(name, folder) for name in names)
    if column == "output":
        return _output(cell)
    kind = _KINDS.get(column, Path)
    (kind,) = [each for each in typing.get_args(kind) if each is not NoneType] or [kind]
    if kind is Path:
        return _file(cell, folder)
    if isinstance(cell, bool):
        _refuse()
    if kind is str:
        return _text(cell)
    if isinstance(cell, str | int | float):
        number = kind(cell)
        return number if isinstance(cell, str) or number == cell else _refuse()
    return _refuse()


def _text(cell: Any) -> str:
    """Options that list things may be lists or objects in JSON."""
    if isinstance(cell, dict):
        return written(tuple((name, float(weight)) for name, weight in cell.items()))
    if isinstance(cell, list):
        return ",".join(_text(each) for each in cell)
    return str(cell).strip() if isinstance(cell, str | int | float) else _refuse()


def _file(cell: Any, folder: Path) -> Path:
    if not isinstance(cell, str) or not cell.strip():
        _refuse()
    return folder / Path(cell.strip()).expanduser()


def _output(cell: Any) -> str:
    output = PurePath(cell.strip() if isinstance(cell, str) else _refuse())
    inside = not output.is_absolute() and ".." not in output.parts
    return str(output) if inside and output.suffix.lower() in WRITABLE else _refuse()


def _refuse() -> typing.NoReturn:
    raise ValueError


def _expected(column: str) -> str:
    if column == "output":
        return f"a name within the folder of the results that ends in one of {' '.join(WRITABLE)}"
    if column == "style":
        return "a file, or several separated by ; (in JSON, a list)"
    kind = _KINDS.get(column, Path)
    return {int: "a whole number", float: "a number", str: "text", str | None: "text"}.get(kind, "a file")


def _tasks(rows: Sequence[_Row]) -> list[Task]:
    """The pairs of all lines, each with a name of its own for its result."""
    _check_outputs(rows)
    names = name_results([row.content for row in rows], [row.styles for row in rows], [row.output for row in rows])
    return [Task(row.content, row.styles, row.settings, PurePath(name)) for row, name in zip(rows, names, strict=True)]


def _check_outputs(rows: Sequence[_Row]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if row.output is not None:
            line = seen.setdefault(folded(row.output), row.line)
            if line != row.line:
                raise ConfigError(
                    f"line {row.line}, column output: {row.output!r} is the output of line {line}; give each its own"
                )
    for row in rows:
        for parent in PurePath(row.output or "").parents:
            other = seen.get(folded(str(parent)))
            if other is not None:
                raise ConfigError(
                    f"line {row.line}, column output: {row.output!r} is within {str(parent)!r}, "
                    f"the output of line {other}; give it a folder of another name"
                )
