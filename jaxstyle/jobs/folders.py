"""The pictures in a folder, or those that a pattern matches."""

import glob
import os
import re
from pathlib import Path

from jaxstyle.errors import ConfigError
from jaxstyle.files import is_saved_style
from jaxstyle.images import RemotePath, as_path, exists, is_folder, list_folder, path_in_errors, real_path
from jaxstyle.jobs.names import natural_order

# The suffixes of pictures in a folder, including formats that cannot be read and are reported as failures.
_PICTURE = re.compile(
    r"\.(a?png|jpe?g?|jfif|webp|tiff?|bmp|dib|gif|avif|jp[2xfc]|j2k|p[pgbn]m|pfm"
    r"|hei[cf]|jxl|psd|tga|svg|exr|dng|cr[23]|nef|arw|orf|rw2|raf)",
    re.IGNORECASE,
)


def find_pictures(
    option: str, pattern: str, *, styles: bool = False, results: Path | None = None, may_be_empty: bool = False
) -> tuple[list[Path], int]:
    """The pictures in a folder, or the files that a pattern matches, in natural order; and the number of others.

    Args:
        option: the name of the option, for errors.
        pattern: a folder or a glob pattern.
        styles: whether saved styles count as pictures.
        results: a folder whose files a pattern does not match.
        may_be_empty: whether there may be none yet.

    Raises:
        ConfigError: naming the option, if there are none; or if their store does not exist.
    """
    path = as_path(pattern)
    if is_folder(path):
        with path_in_errors(path, "read", ConfigError):
            is_folder_of = {file: kind for file, kind in list_folder(path) if not file.name.startswith(".")}
        entries = sorted(is_folder_of, key=natural_order)
        named = [path for path in entries if _PICTURE.fullmatch(path.suffix) or (styles and is_saved_style(path))]
        files = [path for path in named if not is_folder_of[path]]
        others = len(named) - len(files) + sum(not is_folder_of[path] for path in set(entries) - set(named))
    else:
        files = [path] if exists(path) else sorted(_matches(path, results), key=natural_order)
        others = 0
    if not files and not may_be_empty:
        if isinstance(path, RemotePath):
            with path_in_errors(path, "read", ConfigError):
                path.check_bucket()
        raise ConfigError(
            f"{option} is {pattern!r}, which matches no picture; expected a folder with pictures or a pattern of files"
        )
    return files, others


def _matches(pattern: Path, results: Path | None) -> list[Path]:
    """`_all_matches` without those in the folder of the results, unless all are there."""
    found = _all_matches(pattern)
    if results is None:
        return found
    folder = real_path(results)
    inside = {parent for parent in {path.parent for path in found} if _is_within(real_path(parent), folder)}
    return [path for path in found if path.parent not in inside] or found


def _is_within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _all_matches(pattern: Path) -> list[Path]:
    """The files that a pattern matches; folders that exist may have brackets in their names, which are no pattern."""
    if isinstance(pattern, RemotePath):
        with path_in_errors(pattern, "read", ConfigError):
            return [*pattern.matches()]
    folder = next(parent for parent in pattern.parents if os.path.exists(parent))
    names = glob.glob(str(pattern.relative_to(folder)), root_dir=folder, recursive=True)
    return [path for path in (folder / name for name in names) if not os.path.isdir(path)]
