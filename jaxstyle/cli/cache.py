"""`jaxstyle cache`: where the cache is and how large, and how to clear it."""

from typing import Annotated

import typer

from jaxstyle.cli.help import command_app, examples
from jaxstyle.compilation import CachedFile, cache_folder, cache_location
from jaxstyle.errors import ConfigError, counted
from jaxstyle.images import path_in_errors


def cache_command(
    action: Annotated[
        str | None,
        typer.Argument(metavar="clear", help="Delete all cached programs.", autocompletion=lambda: ["clear"]),
    ] = None,
) -> None:
    """Print the folder and the size of the cache of traced and compiled programs, or clear it.

    Without these programs, the next run of each size takes longer. Files that are not cached programs stay.
    """
    if action not in (None, "clear"):
        raise ConfigError(f"unknown action {action!r}; expected clear, or nothing to print the size of the cache")
    folder = cache_folder()
    if folder is None:
        raise ConfigError(
            f"the cache is in an object store, {cache_location()}; expected a folder: use the tools of the store, or "
            "set JAX_COMPILATION_CACHE_DIR to a folder"
        )
    if action == "clear":
        with path_in_errors(folder.path, "cleared", ConfigError):
            deleted = folder.clear()
        typer.echo(f"deleted {counted(len(deleted), 'file')}, {_megabytes(deleted):.1f} MB")
        return
    files = folder.files()
    limit = "no limit" if folder.max_bytes is None else f"at most {folder.max_bytes / 1e6:g} MB"
    typer.echo(f"{'folder':<12}{folder.path}")
    typer.echo(f"{'files':<12}{len(files)}")
    typer.echo(f"{'size':<12}{_megabytes(files):.1f} MB; {limit}")


def _megabytes(files: list[CachedFile]) -> float:
    return sum(file.size for file in files) / 1e6


app = command_app(
    "cache",
    cache_command,
    examples(
        "Where the cache is, and how large:",
        "jaxstyle cache",
        "Free its space, or rule out a damaged file:",
        "jaxstyle cache clear",
    ),
)
