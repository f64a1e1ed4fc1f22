"""The pairs of a job: what to stylize, with which settings, and where to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError, counted
from jaxstyle.files import is_saved_style
from jaxstyle.jobs.names import check_outputs, name_results
from jaxstyle.options import Options, Settings


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
class Row:
    """A row of a manifest, or a pair of two folders, before its result has a name."""

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
    return name_tasks([Row(0, content, (style,), settings) for content, style in pairs])


def name_tasks(rows: Sequence[Row]) -> list[Task]:
    """The pairs of all rows, each with a unique name for its result."""
    check_outputs([(row.line, row.output) for row in rows if row.output is not None])
    names = name_results([row.content for row in rows], [row.styles for row in rows], [row.output for row in rows])
    return [Task(row.content, row.styles, row.settings, PurePath(name)) for row, name in zip(rows, names, strict=True)]


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
