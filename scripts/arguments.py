"""The parser of a script's arguments."""

import argparse
from typing import Any


def make_parser(module: str, description: str | None, **options: tuple[Any, str]) -> argparse.ArgumentParser:
    """A parser for `python -m scripts.MODULE`, with its docstring as the description.

    Each option has a default, of the type of its values, and a help text.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m scripts.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, (default, text) in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{text} (default {default})")
    return parser
